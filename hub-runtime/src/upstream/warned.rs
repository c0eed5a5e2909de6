//! Which connections the log has warned about, so that each is named once.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// How many connections are remembered.
const KEPT: usize = 4096;

/// The ids of connections.
#[derive(Debug, Default)]
pub(crate) struct Warned(Mutex<HashSet<String>>);

impl Warned {
    /// Whether there was no warning about this connection yet; now there is.
    pub(crate) fn is_first(&self, connection_id: &str) -> bool {
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() >= KEPT {
            warned.clear();
        }
        warned.insert(connection_id.to_owned())
    }

    /// The connection has ended.
    pub(crate) fn forget(&self, connection_id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(connection_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_a_connection_that_has_ended() {
        let warned = Warned::default();
        assert!(warned.is_first("a") && warned.is_first("b"));
        assert!(!warned.is_first("a"));

        warned.forget("a");

        assert_eq!(warned.0.lock().unwrap().len(), 1);
        assert!(warned.is_first("a") && !warned.is_first("b"));
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let warned = Warned::default();

        for number in 0..KEPT + 10 {
            assert!(warned.is_first(&number.to_string()));
        }

        assert!(warned.0.lock().unwrap().len() <= KEPT);
    }
}
