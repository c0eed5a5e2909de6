//! Every key that something may have been signed with.

use hub_core::{Secret, seal::SealKey};

/// The known keys; all of them verify.
#[derive(Debug)]
pub(crate) struct Keys {
    access: Vec<Secret>,
    seals: Vec<SealKey>,
}

impl Keys {
    /// `access` are the access keys of all endpoints, and those before a rotation. Seals open under the
    /// claims key and under every access key, so that introducing a claims key cuts nobody off.
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
