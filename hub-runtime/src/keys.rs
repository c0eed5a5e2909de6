//! The keys that verify signatures and open seals.

use hub_core::{Secret, seal::SealKey};

/// All accepted keys.
#[derive(Debug)]
pub(crate) struct Keys {
    access: Vec<Secret>,
    seals: Vec<SealKey>,
}

impl Keys {
    /// `access` contains the access keys of all endpoints and the previous keys of a rotation. A seal may use
    /// the claims key or any access key, so that clients stay connected when a claims key is introduced.
    pub(crate) fn new(access: Vec<Secret>, claims_key: Option<&Secret>) -> Self {
        let seals = claims_key.into_iter().chain(&access).map(SealKey::derive).collect();
        Self { access, seals }
    }

    pub(crate) fn access(&self) -> &[Secret] {
        &self.access
    }

    pub(crate) fn seals(&self) -> &[SealKey] {
        &self.seals
    }
}
