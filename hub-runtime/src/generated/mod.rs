//! Files that are generated from the contract of an app. A file is written only if its content changes, so that tools that
//! watch it do not start.

pub(crate) mod contract;
mod diff;

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// Writes a file, unless it has this content already. Returns whether the file changed.
pub(crate) fn write(path: &Path, content: &str) -> io::Result<bool> {
    let changes = changes(path, content)?;
    if changes {
        fs::write(path, content).map_err(|error| failed("write", path, &error))?;
    }
    Ok(changes)
}

/// Writes the files that do not have their content already. Returns whether a file changed. If one of the files cannot be
/// opened, none changes.
pub(crate) fn write_all(files: &[(PathBuf, String)]) -> io::Result<bool> {
    for (path, content) in files {
        if changes(path, content)? && path.exists() {
            let opened = OpenOptions::new().write(true).open(path);
            opened.map_err(|error| failed("write", path, &error))?;
        }
    }
    let mut changed = false;
    for (path, content) in files {
        changed |= write(path, content)?;
    }
    Ok(changed)
}

/// Whether a file has another content, or does not exist.
fn changes(path: &Path, content: &str) -> io::Result<bool> {
    Ok(read(path)?.as_deref() != Some(content))
}

/// The lines of a file that differ from this content. `None` if there are none.
pub(crate) fn diff(path: &Path, content: &str) -> io::Result<Option<String>> {
    let old = read(path)?.unwrap_or_default();
    Ok((old != content).then(|| format!("{}\n{}", path.display(), diff::diff(&old, content))))
}

/// The content of a file. `None` if there is no file.
fn read(path: &Path) -> io::Result<Option<String>> {
    if path.is_dir() {
        return Err(invalid(format!("`{}` is a folder: name a file in it", path.display())));
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

pub(crate) fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {what} `{}`: {error}", path.display()))
}
