//! Every key that something may have been signed with.

use hub_core::{Secret, seal::SealKey};

/// The known keys. The first of each kind signs; all of them verify.
#[derive(Debug)]
pub(crate) struct Keys {
    access: Vec<Secret>,
    signing_seal: SealKey,
    seals: Vec<SealKey>,
}

impl Keys {
    /// `signing` is the service's access key, `older` those before a rotation. Seals are made with `claims_key` when there is one, and
    /// still open under every access key, so that introducing a claims key cuts nobody off.
    pub(crate) fn new(
        signing: Secret,
        older: impl IntoIterator<Item = Secret>,
        claims_key: Option<&Secret>,
    ) -> Self {
        let signing_seal = SealKey::derive(claims_key.unwrap_or(&signing));
        let access: Vec<_> = std::iter::once(signing).chain(older).collect();
        let older_seals = access.iter().map(SealKey::derive);
        let seals = std::iter::once(signing_seal.clone()).chain(older_seals).collect();
        Self { access, signing_seal, seals }
    }

    /// What new seals are made with.
    pub(crate) fn signing_seal(&self) -> SealKey {
        self.signing_seal.clone()
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
