//! TypeScript for the hubs of an app: the types, a function that calls the methods of a hub, and a function that registers
//! the methods of a page.

#[cfg(feature = "server")]
mod command;
mod definitions;
mod generics;
mod jsdoc;
mod layout;
mod module;
mod names;
mod printer;
mod schema;
#[cfg(test)]
mod tests;
mod types;

use std::{
    io,
    path::{Path, PathBuf},
};

#[cfg(feature = "server")]
pub(crate) use self::command::COMMAND;
use self::module::Module;
use crate::{
    HubApp,
    generated::{self, contract},
    service::Contract,
};

/// The protocol of the connection for which the types are. Dates and bytes have other types in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Json,
    MessagePack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    TypeScript,
    JavaScript,
}

/// A TypeScript or JavaScript module with typed functions for the hubs of an app. [`guide::typescript`] describes its
/// content.
///
/// [`guide::typescript`]: crate::guide::typescript
///
/// ```no_run
/// # fn write(app: &hub_runtime::HubApp) -> std::io::Result<()> {
/// app.typescript().javascript().write("page/chat-hub.js")?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "the module does nothing until it is written"]
pub struct TypeScript {
    contract: Contract,
    protocol: Protocol,
    form: Form,
}

impl HubApp {
    /// Returns a TypeScript module with the types of the hubs and typed functions for a page. [`Self::run`] writes the same
    /// module for the argument `typescript PATH`.
    pub fn typescript(&self) -> TypeScript {
        TypeScript { contract: self.contract(), protocol: Protocol::Json, form: Form::TypeScript }
    }

    /// Writes [`Self::typescript`] to a file, unless the file has this content already. Returns whether the file changed.
    /// Logs a warning for each type of the hubs that has no schema.
    ///
    /// ```no_run
    /// # fn start(app: &hub_runtime::HubApp) -> std::io::Result<()> {
    /// #[cfg(debug_assertions)]
    /// app.write_typescript("page/chat-hub.ts")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`TypeScript::write`].
    pub fn write_typescript(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        let module = self.typescript();
        let changed = module.write(path)?;
        for name in module.types_without_schema() {
            tracing::warn!("{}", without_schema(name));
        }
        Ok(changed)
    }
}

fn without_schema(name: &str) -> String {
    format!("`{name}` is `unknown` in TypeScript: derive `schemars::JsonSchema`")
}

impl TypeScript {
    /// Types for connections with `MessagePackHubProtocol`: dates with the adapter `timestamp` are `Date`, bytes are
    /// `Uint8Array`. Without this call, the types are for JSON: both are texts.
    pub fn messagepack(mut self) -> Self {
        self.protocol = Protocol::MessagePack;
        self
    }

    /// A JavaScript module for pages without a build step, with its declarations in a second file: `chat-hub.js` and
    /// `chat-hub.d.ts`. An editor checks pages that begin with `// @ts-check`.
    pub fn javascript(mut self) -> Self {
        self.form = Form::JavaScript;
        self
    }

    /// The Rust types of arguments and results that do not implement `JsonSchema`. Their TypeScript type is `unknown`.
    #[must_use]
    pub fn types_without_schema(&self) -> &[&'static str] {
        self.contract.types_without_schema()
    }

    /// Writes the files that have another content. Returns whether a file changed. The name of the file ends in `.ts` or
    /// `.mts`, for JavaScript in `.js` or `.mjs`.
    ///
    /// # Errors
    /// When the name of the file ends in something else, a file cannot be written, or two hubs have the same name in
    /// TypeScript.
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        generated::write_all(&self.files(path.as_ref())?)
    }

    /// Compares the files with what [`Self::write`] would write. Returns `None` if they are the same, and otherwise the
    /// changed lines, as text for a terminal.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub fn diff(&self, path: impl AsRef<Path>) -> io::Result<Option<String>> {
        let differences = self.differences(path.as_ref())?;
        let text: String = differences.into_iter().map(|(_, text)| text).collect();
        Ok((!text.is_empty()).then_some(text))
    }

    /// The paths of the files that are not current, each with its changed lines.
    fn differences(&self, path: &Path) -> io::Result<Vec<(PathBuf, String)>> {
        let mut differences = Vec::new();
        for (path, new) in self.files(path)? {
            differences.extend(generated::diff(&path, &new)?.map(|text| (path, text)));
        }
        Ok(differences)
    }

    /// The paths and contents of the files.
    fn files(&self, path: &Path) -> io::Result<Vec<(PathBuf, String)>> {
        let declarations = self.declarations(path).map_err(generated::invalid)?;
        let contract = contract::read(&self.contract)?;
        let Module { code, declarations: types } =
            module::write(&contract, self.protocol, self.form).map_err(generated::invalid)?;
        let mut files = vec![(path.to_owned(), code)];
        files.extend(types.map(|types| (declarations, types)));
        Ok(files)
    }

    /// The path of the declarations of a JavaScript module.
    fn declarations(&self, path: &Path) -> Result<PathBuf, String> {
        let shown = path.display();
        if path.is_dir() {
            return Err(format!("`{shown}` is a folder: name a file in it"));
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let is_declaration =
            path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".d"));
        match (self.form, &*extension) {
            (Form::TypeScript, "ts" | "mts") if !is_declaration => Ok(PathBuf::new()),
            (Form::JavaScript, "js") => Ok(path.with_extension("d.ts")),
            (Form::JavaScript, "mjs") => Ok(path.with_extension("d.mts")),
            (Form::TypeScript, "js" | "mjs") => Err(format!(
                "`{shown}` is the name of a JavaScript file: use `--js` or `TypeScript::javascript`"
            )),
            (Form::TypeScript, _) => Err(format!("the name `{shown}` must end in .ts or .mts")),
            (Form::JavaScript, _) => {
                Err(format!("the name `{shown}` of a JavaScript file must end in .js or .mjs"))
            }
        }
    }
}
