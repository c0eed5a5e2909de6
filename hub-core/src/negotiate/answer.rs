//! The result of a hub's `negotiate`.

use std::{fmt, time::Duration};

use crate::invocation::Claims;

/// The result of `negotiate`: the identity of the connection.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Negotiation {
    user_id: Option<String>,
    claims: Vec<(String, String)>,
    lifetime: Duration,
    close_on_expiry: bool,
    detailed_errors: bool,
    diagnostic_client: bool,
}

// Omits the values of claims.
impl fmt::Debug for Negotiation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Negotiation({:?}, {:?})",
            self.claims.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            self.lifetime
        )
    }
}

impl Negotiation {
    /// Accepts the connection as this user.
    pub fn user(id: impl Into<String>) -> Self {
        Self { user_id: Some(id.into()), ..Self::anonymous() }
    }

    /// Accepts the connection without a user. The client can call every method that no filter protects.
    pub fn anonymous() -> Self {
        Self {
            user_id: None,
            claims: Vec::new(),
            lifetime: Duration::from_hours(1),
            close_on_expiry: false,
            detailed_errors: false,
            diagnostic_client: false,
        }
    }

    /// Adds a claim for filters and methods. A claim type may occur several times. The claims are part of the
    /// client's token, so the client can read them. A token has room for about 2,000 bytes of claims.
    pub fn claim(mut self, claim_type: impl Into<String>, value: impl Into<String>) -> Self {
        self.claims.push((claim_type.into(), value.into()));
        self
    }

    /// Adds all claims of these types from a token or from App Service. Other claims are not copied,
    /// because the size of the client's token is limited.
    pub fn copy_claims<'a>(
        mut self,
        from: &Claims,
        claim_types: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        for claim_type in claim_types {
            let values = from.all(claim_type);
            self.claims.extend(values.map(|value| (claim_type.to_owned(), value.to_owned())));
        }
        self
    }

    /// Sets how long the client can connect with its token. Defaults to 1 hour. An open WebSocket connection
    /// stays open after its token has expired, unless [`Self::close_on_expiry`] is set.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Makes the service close the connection when its token expires. The client can then negotiate again.
    pub fn close_on_expiry(mut self) -> Self {
        self.close_on_expiry = true;
        self
    }

    /// Makes the service send this client a detailed error when it closes the connection.
    pub fn detailed_errors(mut self) -> Self {
        self.detailed_errors = true;
        self
    }

    /// Marks a diagnostic client: the service logs each of its messages and does not close the connection
    /// when its token expires.
    pub fn diagnostic_client(mut self) -> Self {
        self.diagnostic_client = true;
        self
    }

    /// The user.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }

    /// The claims.
    #[must_use]
    pub fn claims(&self) -> Claims {
        self.claims.iter().cloned().collect()
    }

    /// How long the client can connect with its token.
    #[must_use]
    pub fn token_lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Whether [`Self::close_on_expiry`] is set.
    #[must_use]
    pub fn closes_on_expiry(&self) -> bool {
        self.close_on_expiry
    }

    /// Whether [`Self::detailed_errors`] is set.
    #[must_use]
    pub fn has_detailed_errors(&self) -> bool {
        self.detailed_errors
    }

    /// Whether [`Self::diagnostic_client`] is set.
    #[must_use]
    pub fn is_diagnostic_client(&self) -> bool {
        self.diagnostic_client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_claims_are_copied_and_each_of_their_values() {
        let pairs = [("role", "a"), ("name", "Ada"), ("role", "b")];
        let claims = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));

        let copied = Negotiation::user("ada").copy_claims(&claims.into_iter().collect(), ["role"]);

        assert_eq!(copied.claims().iter().collect::<Vec<_>>(), [("role", "a"), ("role", "b")]);
    }

    #[test]
    fn debug_output_shows_no_claim_value() {
        let shown = format!("{:?}", Negotiation::user("ada").claim("role", "secret"));

        assert!(!shown.contains("secret"));
    }
}
