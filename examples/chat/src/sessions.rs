//! Sign-in: demo accounts, and signed sessions that remain valid across restarts.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde::{Deserialize, Serialize};

/// Variable with the key that signs sessions, so that they remain valid across restarts.
const KEY_VARIABLE: &str = "CHAT_SESSION_KEY";
const LIFETIME: Duration = Duration::from_hours(12);

/// The accounts. A real application queries its user database and compares password hashes.
const ACCOUNTS: [Account; 2] = [
    Account { user: "ada", password: "ada-demo", role: "moderator" },
    Account { user: "bob", password: "bob-demo", role: "member" },
];

struct Account {
    user: &'static str,
    password: &'static str,
    role: &'static str,
}

/// The content of a verified session token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Name of the account.
    #[serde(rename = "sub")]
    pub user: String,
    /// Role of the account: `moderator` or `member`.
    pub role: String,
    #[serde(rename = "exp")]
    expires: u64,
}

/// Errors of sessions, with texts for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The request has no token.
    #[error("Sign in first.")]
    Missing,
    /// The session has expired.
    #[error("Your session has expired. Sign in again.")]
    Expired,
    /// The token was not signed with the key of this server, or was changed.
    #[error("Your session is no longer valid here. Sign in again.")]
    Invalid,
}

/// Creates and verifies session tokens: the session as JSON, and its HMAC, both in Base64. Clones share the key.
#[derive(Clone)]
pub struct Sessions(Arc<hmac::Key>);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    /// Uses the key in `CHAT_SESSION_KEY`, or otherwise a random key. With a random key, sessions end with the
    /// process.
    ///
    /// # Errors
    ///
    /// The system provides no random bytes.
    pub fn from_env() -> Result<Self, getrandom::Error> {
        let configured = std::env::var(KEY_VARIABLE).unwrap_or_default();
        if configured.is_empty() { Self::random() } else { Ok(Self::new(configured.as_bytes())) }
    }

    /// Uses a random key.
    ///
    /// # Errors
    ///
    /// The system provides no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self::new(&key))
    }

    /// Signs and verifies with `key`.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// The session of the account with this name, in any case, and this password.
    #[must_use]
    pub fn sign_in(&self, user: &str, password: &str) -> Option<Session> {
        let known = ACCOUNTS
            .iter()
            .find(|a| a.user.eq_ignore_ascii_case(user) && a.password == password)?;
        let expires = unix_seconds() + LIFETIME.as_secs();
        Some(Session { user: known.user.to_owned(), role: known.role.to_owned(), expires })
    }

    /// The session as a signed token.
    ///
    /// # Errors
    ///
    /// The token cannot be created.
    pub fn token(&self, session: &Session) -> serde_json::Result<String> {
        let session = URL_SAFE_NO_PAD.encode(serde_json::to_vec(session)?);
        let code = hmac::sign(&self.0, session.as_bytes());
        Ok(format!("{session}.{}", URL_SAFE_NO_PAD.encode(code)))
    }

    /// Verifies a token and returns its session.
    ///
    /// # Errors
    ///
    /// The token is missing, invalid or expired.
    pub fn verify(&self, token: Option<&str>) -> Result<Session, SessionError> {
        self.verify_at(token, unix_seconds())
    }

    fn verify_at(&self, token: Option<&str>, now: u64) -> Result<Session, SessionError> {
        let token = token.ok_or(SessionError::Missing)?;
        let session = self.signed_session(token).ok_or(SessionError::Invalid)?;
        if session.expires <= now { Err(SessionError::Expired) } else { Ok(session) }
    }

    /// The session of a token, if the token was signed with the key.
    fn signed_session(&self, token: &str) -> Option<Session> {
        let (session, code) = token.split_once('.')?;
        let code = URL_SAFE_NO_PAD.decode(code).ok()?;
        hmac::verify(&self.0, session.as_bytes(), &code).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(session).ok()?).ok()
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        Sessions::new(b"a key of this test")
    }

    #[test]
    fn a_token_verifies_to_its_session() {
        let ada = sessions().sign_in("ada", "ada-demo").unwrap();

        let token = sessions().token(&ada).unwrap();

        assert_eq!(ada.role, "moderator");
        assert_eq!(sessions().verify(Some(&token)), Ok(ada));
    }

    #[test]
    fn the_name_of_an_account_ignores_case_and_its_password_does_not() {
        assert_eq!(sessions().sign_in("Ada", "ada-demo").unwrap().user, "ada");
        assert_eq!(sessions().sign_in("ada", "Ada-demo"), None);
    }

    #[test]
    fn a_wrong_password_is_refused() {
        assert_eq!(sessions().sign_in("ada", "bob-demo"), None);
        assert_eq!(sessions().sign_in("eve", ""), None);
    }

    #[test]
    fn a_token_of_another_key_is_refused() {
        let bob = sessions().sign_in("bob", "bob-demo").unwrap();
        let token = Sessions::random().unwrap().token(&bob).unwrap();

        assert_eq!(sessions().verify(Some(&token)), Err(SessionError::Invalid));
        assert_eq!(sessions().verify(Some("no token at all")), Err(SessionError::Invalid));
        assert_eq!(sessions().verify(None), Err(SessionError::Missing));
    }

    #[test]
    fn a_session_ends_after_its_lifetime() {
        let bob = sessions().sign_in("bob", "bob-demo").unwrap();
        let token = sessions().token(&bob).unwrap();

        let last = sessions().verify_at(Some(&token), bob.expires - 1);
        let late = sessions().verify_at(Some(&token), bob.expires);

        assert!(last.is_ok());
        assert_eq!(late, Err(SessionError::Expired));
    }
}
