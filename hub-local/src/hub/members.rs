//! Members of hubs, in sets that are read much more often than they change.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
    hash::{Hash, Hasher},
    sync::Arc,
};

use hub_core::protocol::Protocol;

use crate::delivery::outbox::Outbox;

/// Collections with at most this capacity are not shrunk.
const MIN_TRIM_CAPACITY: usize = 64;

/// The operations of a connection that its hub uses.
pub(crate) trait Member: Sized {
    fn id(&self) -> &str;

    fn user(&self) -> Option<&str>;

    /// The hub protocol of the client.
    fn protocol(&self) -> Protocol;

    fn outbox(&self) -> &Outbox;

    /// Closes a member that reads too slowly.
    fn close_slow(self: &Arc<Self>);
}

/// Snapshot of the members of a set; cloning it increments a reference count.
pub(crate) type Audience<M> = Arc<[Arc<M>]>;

/// Sorts by address, so that a broadcast profits from the prefetching of the processor.
pub(super) fn in_memory_order<M>(connections: impl Iterator<Item = Arc<M>>) -> Audience<M> {
    let mut connections: Vec<_> = connections.collect();
    connections.sort_unstable_by_key(|connection| Arc::as_ptr(connection).addr());
    connections.into()
}

/// Shrinks a map that is mostly empty after a peak.
pub(super) fn trim<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if is_mostly_free(map.len(), map.capacity()) {
        map.shrink_to(map.len() * 2);
    }
}

/// Shrinks a set that is mostly empty after a peak.
pub(super) fn trim_set<K: Eq + Hash>(set: &mut HashSet<K>) {
    if is_mostly_free(set.len(), set.capacity()) {
        set.shrink_to(set.len() * 2);
    }
}

fn is_mostly_free(len: usize, capacity: usize) -> bool {
    capacity > MIN_TRIM_CAPACITY && len < capacity / 8
}

/// A connection in a set by id. The id is not stored again as a key: an idle client is in two sets or more.
#[derive(Debug)]
struct ById<M>(Arc<M>);

impl<M: Member> Borrow<str> for ById<M> {
    fn borrow(&self) -> &str {
        self.0.id()
    }
}

impl<M: Member> Hash for ById<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

impl<M: Member> PartialEq for ById<M> {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl<M: Member> Eq for ById<M> {}

/// Connections by id, with a snapshot that is cached until the next change.
#[derive(Debug)]
pub(super) struct Members<M> {
    by_id: HashSet<ById<M>>,
    snapshot: Option<Audience<M>>,
}

impl<M> Default for Members<M> {
    fn default() -> Self {
        Self { by_id: HashSet::new(), snapshot: None }
    }
}

impl<M: Member> Members<M> {
    pub(super) fn insert(&mut self, connection: &Arc<M>) {
        self.by_id.replace(ById(Arc::clone(connection)));
        self.snapshot = None;
    }

    pub(super) fn remove(&mut self, id: &str) {
        if self.by_id.remove(id) {
            trim_set(&mut self.by_id);
            self.snapshot = None;
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<M>> {
        self.by_id.get(id).map(|ById(connection)| connection)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<M>> {
        self.by_id.iter().map(|ById(connection)| connection)
    }

    pub(super) fn audience(&mut self) -> Audience<M> {
        let Self { by_id, snapshot } = self;
        let all = || in_memory_order(by_id.iter().map(|ById(connection)| Arc::clone(connection)));
        Arc::clone(snapshot.get_or_insert_with(all))
    }
}
