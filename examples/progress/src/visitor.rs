//! Visitors: a secret in a cookie, and the user id that belongs to it.

use std::fmt;

use ring::digest::{SHA256, digest};

const COOKIE: &str = "visitor";
/// Number of hexadecimal digits of a user id.
const USER_ID: usize = 32;
/// Number of hexadecimal digits of the secret.
const SECRET: usize = 64;

/// A returning visitor. A real application has accounts; this example only distinguishes visitors.
#[derive(Clone, PartialEq, Eq)]
pub struct Visitor {
    secret: String,
}

impl Visitor {
    /// A new visitor.
    ///
    /// # Errors
    ///
    /// The system provides no random bytes.
    pub fn new() -> anyhow::Result<Self> {
        let mut secret = [0; SECRET / 2];
        getrandom::fill(&mut secret)?;
        Ok(Self { secret: hex(&secret) })
    }

    /// The visitor of a `Cookie` header.
    #[must_use]
    pub fn in_cookies(header: Option<&str>) -> Option<Self> {
        let mut cookies = header?.split(';').filter_map(|pair| pair.trim().split_once('='));
        let (_, secret) = cookies.find(|(name, _)| *name == COOKIE)?;
        let whole = secret.len() == SECRET && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        whole.then(|| Self { secret: secret.to_owned() })
    }

    /// The `Set-Cookie` header. Add `Secure` when the app is behind TLS.
    #[must_use]
    pub fn cookie(&self) -> String {
        format!("{COOKIE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict", self.secret)
    }

    /// The public user id. The secret cannot be derived from it.
    #[must_use]
    pub fn user_id(&self) -> String {
        hex(digest(&SHA256, self.secret.as_bytes()).as_ref())[..USER_ID].to_owned()
    }
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Visitor")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_visitor_cookie_is_found_among_other_cookies() {
        let visitor = Visitor::new().unwrap();
        let cookie = visitor.cookie();
        let pair = cookie.split(';').next().unwrap();

        let found = Visitor::in_cookies(Some(&format!("theme=dark; {pair}; x=y"))).unwrap();

        assert_eq!(found.user_id(), visitor.user_id());
        assert_ne!(Visitor::new().unwrap().user_id(), visitor.user_id());
        assert!(!pair.contains(&visitor.user_id()));
    }

    #[test]
    fn an_invalid_cookie_is_no_visitor() {
        for header in
            ["", "visitor=", "visitor=ada", "other=1", &format!("visitor={}", "g".repeat(64))]
        {
            assert_eq!(Visitor::in_cookies(Some(header)), None, "{header}");
        }
        assert_eq!(Visitor::in_cookies(None), None);
    }
}
