//! AsyncAPI documents of the hubs of an app.

#[cfg(feature = "server")]
mod command;
mod definitions;
mod document;
mod keys;

use std::{io, path::Path};

use hub_core::shape::Schemas;

#[cfg(feature = "server")]
pub(crate) use self::command::COMMAND;
use self::document::Document;
use crate::{
    HubApp,
    generated::{self, contract},
    service::Contract,
};

/// An AsyncAPI 3.1.0 document of the hubs of an app. [`guide::asyncapi`] describes its content.
///
/// ```no_run
/// # fn write(app: &hub_runtime::HubApp) -> std::io::Result<()> {
/// app.asyncapi().title("Chat").version(env!("CARGO_PKG_VERSION")).write("asyncapi.json")?;
/// # Ok(()) }
/// ```
///
/// [`guide::asyncapi`]: crate::guide::asyncapi
#[derive(Clone, Debug)]
#[must_use = "the document does nothing until it is written"]
pub struct AsyncApi {
    contract: Contract,
    title: Option<String>,
    version: String,
}

impl HubApp {
    /// Returns an AsyncAPI document of the hubs. [`Self::run`] writes the same document for the argument `asyncapi PATH`.
    pub fn asyncapi(&self) -> AsyncApi {
        let contract = self.contract_of(Schemas::draft07());
        AsyncApi { contract, title: None, version: "0.0.0".to_owned() }
    }

    /// Writes [`Self::asyncapi`] to a file, unless the file has this content already. Returns whether the file changed.
    /// Logs a warning for each type of the hubs that has no schema.
    ///
    /// ```no_run
    /// # fn start(app: &hub_runtime::HubApp) -> std::io::Result<()> {
    /// #[cfg(debug_assertions)]
    /// app.write_asyncapi("asyncapi.json")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`AsyncApi::write`].
    pub fn write_asyncapi(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        let document = self.asyncapi();
        let changed = document.write(path)?;
        for name in document.types_without_schema() {
            tracing::warn!("{}", without_schema(name));
        }
        Ok(changed)
    }
}

fn without_schema(name: &str) -> String {
    format!("`{name}` is any value in AsyncAPI: derive `schemars::JsonSchema`")
}

impl AsyncApi {
    /// The title. Defaults to the names of the hubs.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The version of the app. Defaults to `0.0.0`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// The Rust types of arguments and results that do not implement `JsonSchema`. Their schema is `{}`, any value.
    #[must_use]
    pub fn types_without_schema(&self) -> &[&'static str] {
        self.contract.types_without_schema()
    }

    /// The document as indented JSON. The same program always returns the same text.
    ///
    /// # Errors
    /// When two hubs have the same name in AsyncAPI.
    pub fn to_json(&self) -> io::Result<String> {
        let contract = contract::read(&self.contract)?;
        let document = Document::of(contract, self.title.clone(), self.version.clone())
            .map_err(generated::invalid)?;
        let mut text = serde_json::to_string_pretty(&document)?;
        text.push('\n');
        Ok(text)
    }

    /// Writes the document if the file has another content. Returns whether the file changed.
    ///
    /// # Errors
    /// When the file cannot be read or written, or two hubs have the same name in AsyncAPI.
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        generated::write(path.as_ref(), &self.to_json()?)
    }

    /// Compares the file with what [`Self::write`] would write. Returns `None` if they are the same, and otherwise the
    /// changed lines, as text for a terminal.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub fn diff(&self, path: impl AsRef<Path>) -> io::Result<Option<String>> {
        generated::diff(path.as_ref(), &self.to_json()?)
    }
}
