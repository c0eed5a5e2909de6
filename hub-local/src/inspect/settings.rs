//! The settings of the inspector.

use hub_core::{Secret, secret_rule};

/// Settings of the inspector: a page at `/inspector` of the service that shows the calls of clients, the requests that
/// they become, the responses of the app, and the messages to clients.
///
/// Without a token of its own, the inspector is for loopback only: it ends when the service listens on another address or
/// gets a public URL.
///
/// ```
/// use hub_local::{Inspector, LocalService};
///
/// let service = LocalService::builder().inspector(Inspector::new().mask(["email"])).build();
/// assert!(service.inspector_url().is_some());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Inspector {
    pub(crate) token: Option<Secret>,
    pub(crate) payloads: bool,
    pub(crate) masks: Vec<String>,
    pub(crate) has_page: bool,
}

impl Default for Inspector {
    fn default() -> Self {
        Self { token: None, payloads: true, masks: Vec::new(), has_page: true }
    }
}

impl Inspector {
    /// An inspector with a random token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the token that the page needs, see [`token_problem`](Self::token_problem). With it, the inspector also works
    /// beyond loopback. If the token is not valid, the inspector is off, and the problem is logged.
    pub fn token(self, token: impl Into<Secret>) -> Self {
        Self { token: Some(token.into()), ..self }
    }

    /// Sets whether the inspector keeps arguments, bodies and results. Defaults to `true`; otherwise it keeps only their
    /// sizes and types.
    pub fn payloads(self, kept: bool) -> Self {
        Self { payloads: kept, ..self }
    }

    /// Hides the values of fields with these names, at every depth and in any case, also of claims and of parameters of
    /// queries.
    pub fn mask(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names = names.into_iter().map(Into::into).filter(|name: &String| !name.is_empty());
        self.masks.extend(names);
        self
    }

    /// Turns the page off. The other settings are those of a recording, see
    /// [`LocalServiceBuilder::record`](crate::LocalServiceBuilder::record).
    pub fn without_page(self) -> Self {
        Self { has_page: false, ..self }
    }

    /// Why a text cannot be the token, if it cannot: it has fewer than 16 characters, or characters that a URL must
    /// escape.
    #[must_use]
    pub fn token_problem(token: &str) -> Option<&'static str> {
        secret_rule::token_problem(token)
    }
}
