//! The keys that verify signatures and open seals.

use hub_core::{Secret, seal::SealKey};

/// All accepted keys.
#[derive(Debug)]
pub(crate) struct Keys {
    access: Vec<Secret>,
    seals: Vec<SealKey>,
}

impl Keys {
    /// `access` has the access keys of all endpoints, and those before a rotation. Seals open under the claims
    /// key and under every access key, so that clients stay connected when a claims key is introduced.
    pub(crate) fn new(access: Vec<Secret>, claims_key: Option<&Secret>) -> Self {
        let seals = claims_key.into_iter().chain(&access).map(SealKey::derive).collect();
        Self { access, seals }
    }

    /// Whether this text is one of the access keys.
    #[cfg(feature = "server")]
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.access.iter().any(|known| known.expose() == key)
    }

    pub(crate) fn access(&self) -> &[Secret] {
        &self.access
    }

    pub(crate) fn seals(&self) -> &[SealKey] {
        &self.seals
    }
}
