//! The claims of a connection.

use std::{fmt, sync::Arc};

/// The claims of a connection. This is a list, because a claim type may occur several times, for example
/// for roles.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Claims(Arc<[(String, String)]>);

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.iter().map(|(name, _)| name).collect::<Vec<_>>())
    }
}

impl Claims {
    /// The first value of a claim type.
    #[must_use]
    pub fn get(&self, claim_type: &str) -> Option<&str> {
        self.iter().find(|(name, _)| *name == claim_type).map(|(_, value)| value)
    }

    /// Every value of a claim type, in order.
    pub fn all<'a>(&'a self, claim_type: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.iter().filter(move |(name, _)| *name == claim_type).map(|(_, value)| value)
    }

    /// Whether a claim of this type has this value.
    #[must_use]
    pub fn has(&self, claim_type: &str, value: &str) -> bool {
        self.all(claim_type).any(|held| held == value)
    }

    /// Type and value of each claim, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The number of claims.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no claims.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for Claims {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(claims: I) -> Self {
        Self(claims.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_type_keeps_all_its_values() {
        let claims: Claims = [("role", "a"), ("role", "b")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .into_iter()
            .collect();

        assert_eq!(claims.all("role").collect::<Vec<_>>(), ["a", "b"]);
        assert!(claims.has("role", "b"));
        assert!(!claims.has("role", "c"));
    }
}
