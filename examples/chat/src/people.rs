//! Presence. A user with several open tabs counts once.

use std::collections::{BTreeMap, HashSet};

/// Connections of each online user.
#[derive(Debug, Default)]
pub struct People(BTreeMap<String, HashSet<String>>);

impl People {
    /// Adds a connection. Returns true if it is the user's first.
    pub fn enter(&mut self, user: &str, connection_id: &str) -> bool {
        let connections = self.0.entry(user.to_owned()).or_default();
        let first = connections.is_empty();
        connections.insert(connection_id.to_owned());
        first
    }

    /// Removes a connection. Returns true if it was the user's last.
    pub fn leave(&mut self, user: &str, connection_id: &str) -> bool {
        let Some(connections) = self.0.get_mut(user) else { return false };
        let known = connections.remove(connection_id);
        let gone = known && connections.is_empty();
        if gone {
            self.0.remove(user);
        }
        gone
    }

    /// Names of all online users.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tabs_of_one_user_are_one_person() {
        let mut people = People::default();

        assert!(people.enter("ada", "tab 1"));
        assert!(!people.enter("ada", "tab 2"));
        assert_eq!(people.names().collect::<Vec<_>>(), ["ada"]);

        assert!(!people.leave("ada", "tab 1"));
        assert!(people.leave("ada", "tab 2"));
        assert_eq!(people.names().count(), 0);
    }

    #[test]
    fn removing_an_unknown_connection_changes_nothing() {
        let mut people = People::default();
        people.enter("ada", "tab 1");

        assert!(!people.leave("ada", "tab 9"));
        assert!(!people.leave("bob", "tab 1"));

        assert_eq!(people.names().collect::<Vec<_>>(), ["ada"]);
    }
}
