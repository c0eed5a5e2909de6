//! `settings.json`, the file that users of Microsoft's emulator have already.

mod keys;
mod relaxed_json;

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use hub_core::names;

use self::keys::File;
use crate::Template;

/// The name of the file where only a folder is given.
const FILE_NAME: &str = "settings.json";
/// The biggest file that can be meant, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// What `settings.json` says.
///
/// As in .NET's configuration files the case of keys does not count, comments and commas at the end
/// of a list are allowed, and unknown keys are no error.
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
    /// Where events go, in the order in which they are tried.
    pub templates: Vec<Template>,
    /// What is tolerated and probably not meant, each with its file and line.
    pub warnings: Vec<String>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: the settings cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file says something that it may not say.
    #[error("{file}:{line}:{column}: {text}")]
    Content {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong, and what would be right.
        text: String,
    },
}

impl Settings {
    /// The settings with one template for all events of an app on this machine, as Microsoft's
    /// emulator writes them.
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

    /// The file that a path means: itself, or `settings.json` in a folder.
    #[must_use]
    pub fn file_of(path: &Path) -> PathBuf {
        if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or used, with its line.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text =
            read(path).map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads the text of a file; `file` is its name, for errors.
    ///
    /// # Errors
    /// When it cannot be used, with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, SettingsError> {
        let plain = relaxed_json::to_plain(text);
        let content: File = serde_json::from_str(&plain).map_err(|error| {
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
        Ok(Self { warnings: warnings.collect(), templates: content.templates })
    }
}

/// No more than [`LARGEST`] of it, whatever the system says of its size.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        let message = format!("it has more than {LARGEST} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

fn describe(unknown: &keys::Unknown) -> String {
    let key = &unknown.key;
    if key.eq_ignore_ascii_case("Auth") {
        return format!("`{key}` is ignored: calls of a local service carry no identity token");
    }
    match names::nearest(key, unknown.known.iter().copied()) {
        Some(known) => format!("`{key}` is no known key and ignored; is it `{known}`?"),
        None => {
            format!("`{key}` is no known key and ignored; known are {}", unknown.known.join(", "))
        }
    }
}

/// The line in which a key first stands.
fn line_of(text: &str, key: &str) -> usize {
    let quoted = format!("\"{key}\"");
    let before = text.find(&quoted).and_then(|at| text.get(..at)).unwrap_or_default();
    before.matches('\n').count() + 1
}

#[cfg(test)]
mod tests;
