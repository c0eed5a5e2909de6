//! Which pages and hosts may use the service, and from where it may be reached with its keys.
//!
//! With the well-known key any page can make valid tokens, so the origin of a page decides. The host decides
//! where a browser would take the service for a page's own origin ([`hub_net::host`]).

use std::io;

use http::{HeaderMap, HeaderValue, StatusCode, header::ORIGIN};
use hub_core::{
    Secret,
    client_access::EMULATOR_KEY,
    secret_rule::{Reach, Verdict, Weakness, judge},
};
use hub_net::{
    host::{self, AllowedHosts},
    log_limit::LogLimit,
    origin::AllowedOrigins,
    serve_error::ServeError,
};

use crate::{
    auth::Authority,
    causes::{Cause, Refusal},
};

/// The longest origin that texts and log lines contain.
const MAX_SHOWN_BYTES: usize = 200;

/// When the host of a request is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostCheck {
    /// Listeners on loopback.
    Always,
    /// Other listeners, and requests from other servers.
    WithWellKnownKey,
}

/// The rules of a service.
#[derive(Debug)]
pub(crate) struct Access {
    origins: AllowedOrigins,
    hosts: AllowedHosts,
    has_well_known_key: bool,
    /// Whether the well-known key is allowed beyond loopback.
    public: bool,
    log: LogLimit,
}

impl Access {
    pub(crate) fn new(
        keys: &[Secret],
        public: bool,
        origins: &[String],
        hosts: Vec<String>,
    ) -> Self {
        for origin in origins {
            if let Some(problem) = AllowedOrigins::problem(origin) {
                tracing::error!("allow_origin(\"{origin}\") has no effect: {problem}");
            }
        }
        for problem in hosts.iter().filter_map(|host| AllowedHosts::problem(host)) {
            tracing::error!("allow_host(…) has no effect: {problem}");
        }
        for key in keys {
            if let Verdict::Warned(weakness) = judge(key, Reach::Loopback) {
                let (cause, check) = (Cause::WeakKey.id(), Cause::WeakKey.check());
                tracing::warn!(cause, check, "{}", weak(weakness));
            }
        }
        let has_well_known_key = keys.iter().any(|key| key.expose() == EMULATOR_KEY);
        let (origins, hosts) = (AllowedOrigins::new(origins), AllowedHosts::new(hosts));
        Self { origins, hosts, has_well_known_key, public, log: LogLimit::new(1) }
    }

    /// Checks the keys for this public URL and a listener with this reach.
    pub(crate) fn check_keys(
        &self,
        authority: &Authority,
        public_url: &str,
        listener: Reach,
    ) -> Result<(), ServeError> {
        let reach = match host::of_url(public_url) {
            Some(host) if host::is_loopback(host) => listener,
            _ => Reach::Beyond,
        };
        let refused = authority.keys().iter().find_map(|key| match judge(key, reach) {
            Verdict::Refused(Weakness::WellKnown) if self.public => None,
            Verdict::Refused(weakness) => Some(weakness),
            Verdict::Warned(_) | Verdict::Accepted => None,
        });
        match refused {
            None => Ok(()),
            Some(weakness) => Err(ServeError::new(
                io::ErrorKind::PermissionDenied,
                format!("{}; it is for loopback only", weak(weakness)),
            )),
        }
    }

    /// Whether the host of a request is checked.
    pub(crate) fn applies(&self, check: HostCheck) -> bool {
        check == HostCheck::Always || self.has_well_known_key
    }

    /// The refusal of a request from a foreign page or for a foreign host. `host` is that of the request, without its
    /// port.
    pub(crate) fn refusal(
        &self,
        headers: &HeaderMap,
        host: Option<&str>,
        check: HostCheck,
        authority: &Authority,
    ) -> Option<(StatusCode, Refusal)> {
        if !self.applies(check) {
            return None;
        }
        let refusal = host
            .filter(|host| !self.hosts.allows(host) && !is_public(authority, host))
            .map(|host| Refusal::new(Cause::WrongHost, AllowedHosts::refusal(host)))
            .or_else(|| self.origin_refusal(headers, host, authority))?;
        self.log.line("foreign", |omitted| {
            tracing::warn!(omitted, "a request was refused: {}", refusal.text);
        });
        Some((StatusCode::FORBIDDEN, refusal))
    }

    fn origin_refusal(
        &self,
        headers: &HeaderMap,
        host: Option<&str>,
        authority: &Authority,
    ) -> Option<Refusal> {
        let mut origins = headers.get_all(ORIGIN).iter().filter(|_| self.has_well_known_key);
        let foreign = origins.find(|origin| !self.allows_origin(origin, host, authority))?;
        let readable = foreign.to_str().ok().filter(|origin| origin.len() <= MAX_SHOWN_BYTES);
        let shown = readable.unwrap_or("an unreadable origin");
        let cause = Cause::WrongOrigin;
        let refused = cause.text().replace('…', shown);
        Some(Refusal::new(
            cause,
            format!(
                "{refused}: allow them with `--allow-origin {shown}` (in code: allow_origin(\"{shown}\")), or set a key of your own"
            ),
        ))
    }

    fn allows_origin(
        &self,
        origin: &HeaderValue,
        host: Option<&str>,
        authority: &Authority,
    ) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        // Every sandboxed frame has this origin.
        if origin == "null" {
            return false;
        }
        if self.origins.allows(origin) {
            return true;
        }
        let Some(page) = host::of_url(origin) else { return false };
        host::is_loopback(page)
            || host.is_some_and(|host| host.eq_ignore_ascii_case(page))
            || is_public(authority, page)
    }
}

fn weak(weakness: Weakness) -> String {
    Cause::WeakKey.text().replace('…', &weakness.to_string())
}

/// Whether this is the host of the public URL.
fn is_public(authority: &Authority, host: &str) -> bool {
    host::of_url(&authority.public_url()).is_some_and(|public| public.eq_ignore_ascii_case(host))
}
