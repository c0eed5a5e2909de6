//! A map of bounded size, for results that can be computed again.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

/// Holds at most `MAX` entries. An insert into a full map first removes all entries.
///
/// This needs no bookkeeping per entry, and a flood of new keys cannot grow the map.
#[derive(Clone, Debug)]
pub struct BoundedMap<K, V, const MAX: usize>(HashMap<K, V>);

impl<K, V, const MAX: usize> Default for BoundedMap<K, V, MAX> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V, const MAX: usize> BoundedMap<K, V, MAX> {
    /// The value of this key.
    #[must_use]
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// Adds an entry and returns the previous value of its key.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.0.len() >= MAX {
            self.0.clear();
        }
        self.0.insert(key, value)
    }

    /// Removes an entry and returns its value.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_stored_entries_is_limited() {
        let mut map = BoundedMap::<u32, (), 3>::default();

        for key in 0..10 {
            map.insert(key, ());
            assert!(map.len() <= 3 && map.get(&key).is_some());
        }
    }

    #[test]
    fn entries_can_be_replaced_and_removed() {
        let mut map = BoundedMap::<String, u32, 3>::default();

        assert_eq!(map.insert("a".to_owned(), 1), None);
        assert_eq!(map.insert("a".to_owned(), 2), Some(1));
        assert_eq!(map.remove("a"), Some(2));

        assert!(map.is_empty());
    }
}
