//! Sets of connections that are read far more often than changed.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::Arc,
};

use crate::connection::Connection;

/// Room for so many is not worth giving back.
const FEW: usize = 64;

/// The members of a set at one moment; taking one costs a reference count.
pub(crate) type Audience = Arc<[Arc<Connection>]>;

/// The order that a processor reads ahead best.
pub(super) fn in_memory_order(connections: impl Iterator<Item = Arc<Connection>>) -> Audience {
    let mut connections: Vec<_> = connections.collect();
    connections.sort_unstable_by_key(|connection| Arc::as_ptr(connection).addr());
    connections.into()
}

/// Gives back the memory for many that came at once and are gone.
pub(super) fn trim<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if is_mostly_free(map.len(), map.capacity()) {
        map.shrink_to(map.len() * 2);
    }
}

/// The same for a set.
pub(super) fn trim_set<K: Eq + Hash>(set: &mut HashSet<K>) {
    if is_mostly_free(set.len(), set.capacity()) {
        set.shrink_to(set.len() * 2);
    }
}

fn is_mostly_free(len: usize, capacity: usize) -> bool {
    capacity > FEW && len < capacity / 8
}

/// Connections by id, with a snapshot that lives until the next change.
#[derive(Debug, Default)]
pub(super) struct Members {
    by_id: HashMap<String, Arc<Connection>>,
    snapshot: Option<Audience>,
}

impl Members {
    pub(super) fn insert(&mut self, connection: &Arc<Connection>) {
        self.by_id.insert(connection.id.clone(), Arc::clone(connection));
        self.snapshot = None;
    }

    pub(super) fn remove(&mut self, id: &str) {
        if self.by_id.remove(id).is_some() {
            trim(&mut self.by_id);
            self.snapshot = None;
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<Connection>> {
        self.by_id.get(id)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.by_id.values()
    }

    pub(super) fn audience(&mut self) -> Audience {
        let Self { by_id, snapshot } = self;
        Arc::clone(snapshot.get_or_insert_with(|| in_memory_order(by_id.values().cloned())))
    }
}
