//! `settings.json`, in the format of Microsoft's emulator.

mod keys;

use std::{
    error::Error,
    fmt, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use hub_core::{names, relaxed_json};

use self::keys::{File, Object};
use crate::{Template, TemplateError};

/// File name used when a folder is given.
const FILE_NAME: &str = "settings.json";
/// Maximum file size in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Contents of `settings.json`.
///
/// The format follows .NET configuration files: keys are case-insensitive, comments and trailing
/// commas are allowed, unknown keys are not errors.
///
/// ```
/// use hub_local::Settings;
///
/// let text = r#"{ "UpstreamSettings": { "Templates": [ {
///   "UrlTemplate": "http://localhost:7071/runtime/webhooks/signalr",
///   "EventPattern": "*", "HubPattern": "*", "CategoryPattern": "*" } ] } }"#;
/// assert_eq!(Settings::parse("settings.json", text)?.templates.len(), 1);
/// # Ok::<(), hub_local::SettingsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Upstream templates in matching order.
    pub templates: Vec<Template>,
    /// Warnings about ignored content that is probably a mistake. Each warning contains the file and line.
    pub warnings: Vec<String>,
}

/// Error in a settings file. `Debug` writes the text and the cause, so that `main` can return the error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: cannot read the settings", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The content is invalid.
    #[error("{file}:{line}:{column}: {text}")]
    Content {
        /// Name of the file.
        file: String,
        /// Line, starting at 1.
        line: usize,
        /// Column, starting at 1.
        column: usize,
        /// The problem and how to fix it.
        text: String,
    },
}

impl fmt::Debug for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        self.source().map_or(Ok(()), |source| write!(f, ": {source}"))
    }
}

impl fmt::Debug for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Settings {
    /// Settings with one template, which sends all events to an app on this machine. Microsoft's emulator
    /// writes the same settings.
    pub const EXAMPLE: &str = r#"{
  "UpstreamSettings": {
    "Templates": [
      {
        "UrlTemplate": "http://localhost:7071/runtime/webhooks/signalr",
        "EventPattern": "*",
        "HubPattern": "*",
        "CategoryPattern": "*"
      }
    ]
  }
}
"#;

    /// Resolves a folder to its `settings.json`; returns other paths unchanged.
    #[must_use]
    pub fn file_of(path: &Path) -> PathBuf {
        if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When the file cannot be read, or when its content is invalid. An error in the content has a line number.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text =
            read(path).map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Parses the text of a file; `file` is its name in errors.
    ///
    /// # Errors
    /// When the content is invalid. The error has a line number.
    pub fn parse(file: &str, text: &str) -> Result<Self, SettingsError> {
        let plain = relaxed_json::to_plain(text);
        let content: Object<File> = serde_json::from_str(&plain).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let text = error.to_string();
            let suffix = format!(" at line {line} column {column}");
            let text = text.strip_suffix(&suffix).unwrap_or(&text).to_owned();
            SettingsError::Content { file: file.to_owned(), line, column, text }
        })?;
        let warnings = content.unknown.iter().map(|unknown| {
            let line = line_of(&plain, &unknown.key);
            format!("{file}:{line}: {}", describe(unknown))
        });
        Ok(Self { warnings: warnings.collect(), templates: content.value.0 })
    }
}

/// Reads at most [`MAX_FILE_BYTES`], because sizes in metadata can be wrong (`/dev/zero`).
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        let message = format!("the file has more than {MAX_FILE_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

fn describe(unknown: &keys::UnknownKey) -> String {
    let key = &unknown.key;
    if key.eq_ignore_ascii_case("Auth") {
        return format!("`{key}` is ignored: a local service sends no identity tokens");
    }
    match names::nearest(key, unknown.known.iter().copied()) {
        Some(known) => format!("unknown key `{key}` ignored; did you mean `{known}`?"),
        None => {
            format!("unknown key `{key}` ignored; known keys: {}", unknown.known.join(", "))
        }
    }
}

/// Line of the first occurrence of a key.
fn line_of(text: &str, key: &str) -> usize {
    let quoted = format!("\"{key}\"");
    let before = text.find(&quoted).and_then(|at| text.get(..at)).unwrap_or_default();
    before.matches('\n').count() + 1
}

#[cfg(test)]
mod tests;
