//! Parsers for option values: sizes, times, addresses, upstreams.

use std::{
    ffi::OsStr,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
    time::Duration,
};

use clap::{Arg, Command, builder::TypedValueParser};
use hub_core::{Secret, setting_names::is_service_link};
use hub_local::Template;
use hub_net::{
    host::AllowedHosts,
    origin::{AllowedOrigins, OriginProblem},
};

const KIB: usize = 1024;

/// Parses `1048576`, `64KiB`, `1MiB`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let (digits, unit) = digits_and_unit(text);
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => KIB,
        "m" | "mb" | "mib" => KIB * KIB,
        _ => return Err("expected a size in bytes, KiB or MiB".to_owned()),
    };
    let number: usize = number(digits, "KiB or MiB")?;
    number.checked_mul(unit).filter(|size| *size > 0).ok_or_else(|| "out of range".to_owned())
}

/// Parses `15`, `15s`, `500ms`, `2m`, `1h`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let (digits, unit) = digits_and_unit(text);
    let number: u64 = number(digits, "ms, s, m or h")?;
    let time = match unit {
        "ms" => Some(Duration::from_millis(number)),
        "" | "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => return Err("expected a time in ms, s, m or h".to_owned()),
    };
    let year = Duration::from_hours(24 * 366);
    time.filter(|time| !time.is_zero() && *time <= year).ok_or_else(|| "out of range".to_owned())
}

/// Parses a time of at least one second.
pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    let is_long_enough = time >= Duration::from_secs(1);
    if is_long_enough { Ok(time) } else { Err("expected a time of at least 1s".to_owned()) }
}

fn digits_and_unit(text: &str) -> (&str, &str) {
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    (digits, text.get(digits.len()..).unwrap_or_default().trim())
}

fn number<T: FromStr>(digits: &str, units: &str) -> Result<T, String> {
    let wrong = |_| format!("expected a number, optionally with the unit {units}");
    digits.parse().map_err(wrong)
}

/// Parses a count of at least 1.
pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| "expected a number of at least 1".to_owned())
}

/// The port of Microsoft's emulator.
pub(super) const PORT: u16 = 8888;

/// Reads a port. Kubernetes sets the variable to a URL if a service has the name `hub-local`.
pub(super) fn port(text: &str) -> Result<u16, &'static str> {
    if text.is_empty() || is_service_link(text) {
        return Ok(PORT);
    }
    text.parse().map_err(|_| "expected a port from 0 to 65535")
}

/// Parses the address to listen on.
pub(super) fn ip(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        "*" => Ok(Ipv4Addr::UNSPECIFIED.into()),
        text => {
            let bare = text.trim_start_matches('[').trim_end_matches(']');
            bare.parse()
                .map_err(|_| "expected an IP address such as 127.0.0.1 or 0.0.0.0".to_owned())
        }
    }
}

/// Parses `URL`, or `HUB=URL` for the events of some hubs.
pub(super) fn upstream(text: &str) -> Result<Template, String> {
    let hubs = text
        .split_once('=')
        .filter(|(hubs, _)| !hubs.contains("://"))
        .map(|(hubs, url)| (hubs.trim(), url));
    let (hubs, url) = hubs.unwrap_or(("*", text));
    Template::new(url.trim()).map(|it| it.hubs(hubs)).map_err(|error| error.to_string())
}

/// A parser of URLs that may contain a key or a password. Its errors do not show them, but clap's errors contain the whole value.
#[derive(Clone)]
pub(super) struct SecretUrl<T>(pub(super) fn(&str) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for SecretUrl<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let Self(parse) = self;
        let Some(text) = value.to_str() else {
            // The error for text that is not UTF-8 does not contain it.
            return parse.parse_ref(command, argument, value);
        };
        parse(text).or_else(|problem| {
            let fail = move |_: &str| Err::<T, _>(problem.clone());
            fail.parse_ref(command, argument, OsStr::new(&without_secrets(text)))
        })
    }
}

/// The part of a URL before its query. Of a URL with a user or password nothing, because it may be malformed.
fn without_secrets(url: &str) -> String {
    match url.find(['?', '#']) {
        _ if url.contains('@') => "…".to_owned(),
        Some(end) => format!("{}…", url.get(..=end).unwrap_or_default()),
        None => url.to_owned(),
    }
}

/// Parses a base URL and strips the trailing slash. The URL is printed, so it has no user and no password.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    let wrong = || "expected a URL such as http://signalr:8888, without a path".to_owned();
    let url: http::Uri = text.parse().map_err(|_| wrong())?;
    let known = matches!(url.scheme_str(), Some("http" | "https"));
    if url.authority().is_some_and(|it| it.as_str().contains('@')) {
        return Err("expected a URL without user and password".to_owned());
    }
    if !known || url.path() != "/" || url.query().is_some() {
        return Err(wrong());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Parses the origin of a page.
pub(super) fn origin(text: &str) -> Result<String, String> {
    match AllowedOrigins::problem(text) {
        None => Ok(text.to_owned()),
        Some(OriginProblem::Any | OriginProblem::Null) => {
            Err("pages of all origins are allowed only with a key of your own (`--key`)".to_owned())
        }
        Some(problem @ OriginProblem::Malformed) => Err(format!("expected an origin: {problem}")),
    }
}

/// Parses a host name that requests may name.
pub(super) fn host(text: &str) -> Result<String, String> {
    let name = text.trim();
    // An empty entry of the variable, for example of `${HOSTS:-}` in a Compose file.
    if name.is_empty() {
        return Ok(String::new());
    }
    AllowedHosts::problem(name).map_or_else(|| Ok(name.to_owned()), Err)
}

/// Accepts any key. The key is validated later, because clap's errors contain the value.
pub(super) fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("100"), Ok(100));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1 mib"), Ok(1_048_576));
        for wrong in ["", "x", "-1", "1.5MiB", "1GiB", "0", "99999999999999999999"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("15"), Ok(Duration::from_secs(15)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "x", "-1", "1d", "0", "18446744073709551615h", "9999999h"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_upstream_may_name_its_hubs() {
        let url = "http://127.0.0.1:7071/api?code=a=b";

        assert_eq!(upstream(url), Ok(Template::new(url).unwrap()));
        let chat = Template::new(url).unwrap().hubs("chat,news");
        assert_eq!(upstream(&format!("chat,news={url}")), Ok(chat));
        assert!(upstream("chat=localhost").is_err());
        assert!(upstream("localhost:7071").is_err());
    }

    #[test]
    fn errors_show_neither_the_query_of_a_url_nor_its_password() {
        for (url, shown) in [
            ("chat=ftp://h/api?code=secret", "chat=ftp://h/api?…"),
            ("h/api#secret", "h/api#…"),
            ("http://user:secret@h/", "…"),
            ("ftp://user:a?secret@h/?code=b", "…"),
            ("localhost:7071", "localhost:7071"),
        ] {
            let command =
                Command::new("test").arg(Arg::new("url").value_parser(SecretUrl(upstream)));

            let error = command.try_get_matches_from(["test", url]).unwrap_err().to_string();

            assert!(error.contains(&format!("invalid value '{shown}' for '[url]': ")), "{error}");
            assert!(error.contains("the upstream "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn addresses_have_names_of_the_emulator() {
        assert_eq!(ip("localhost").unwrap().to_string(), "127.0.0.1");
        assert_eq!(ip("[::1]").unwrap().to_string(), "::1");
        assert!(ip("example.com").is_err());
    }

    #[test]
    fn an_origin_has_a_scheme_and_no_path() {
        for good in ["https://app.example/", "https://*.app.example", "capacitor://app"] {
            assert_eq!(origin(good).as_deref(), Ok(good));
        }
        for wrong in ["app.example", "https://app.example/a", "https://app.example?a", ""] {
            assert!(origin(wrong).unwrap_err().contains("expected an origin"), "{wrong}");
        }
        for all in ["*", "null"] {
            assert!(origin(all).unwrap_err().contains("--key"), "{all}");
        }
    }

    #[test]
    fn a_host_is_a_name_without_a_port() {
        assert_eq!(host(" "), Ok(String::new()));
        assert_eq!(host(" app.example ").as_deref(), Ok("app.example"));
        assert!(host("app.example:80").is_err());
        assert!(host("https://app.example").is_err());
    }

    #[test]
    fn a_base_url_has_no_path() {
        assert_eq!(base_url("http://signalr:8888/").as_deref(), Ok("http://signalr:8888"));
        assert!(base_url("signalr:8888").is_err());
        assert!(base_url("http://signalr/path").is_err());
    }

    #[test]
    fn a_base_url_has_no_user_and_no_password() {
        for url in ["http://user:secret@signalr:8888", "https://user@signalr/", "user@signalr:1"] {
            let problem = base_url(url).unwrap_err();
            assert_eq!(problem, "expected a URL without user and password", "{url}");
        }
    }
}
