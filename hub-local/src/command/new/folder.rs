//! The folder of a new app: it does not exist or is empty, and nothing in it is overwritten.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// A folder that an app can be written to.
#[derive(Debug)]
pub(super) struct Folder {
    /// The path as it was given.
    given: PathBuf,
    /// The absolute path, without links in the folders above.
    absolute: PathBuf,
    pub(super) exists: bool,
}

impl Folder {
    /// Checks that the folder can be made, or that it is empty.
    pub(super) fn check(given: &Path) -> Result<Self, String> {
        let shown = given.display();
        let cannot_read = |error: io::Error| format!("cannot read {shown}: {error}");
        match fs::metadata(given) {
            Ok(found) if !found.is_dir() => {
                Err(format!("{shown} exists and is not a folder; choose another name"))
            }
            Ok(_) => {
                if let Some(name) = first_entry(given).map_err(cannot_read)? {
                    return Err(format!(
                        "the folder {shown} is not empty: it contains {name}. Nothing was changed; choose a new folder or an empty one"
                    ));
                }
                let absolute = fs::canonicalize(given).map_err(cannot_read)?;
                Ok(Self { given: given.to_owned(), absolute, exists: true })
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Self::check_new(given)
            }
            Err(error) => Err(cannot_read(error)),
        }
    }

    fn check_new(given: &Path) -> Result<Self, String> {
        let shown = given.display();
        if given.is_symlink() {
            return Err(format!(
                "{shown} is a symbolic link to a place that does not exist; remove it, or choose another name"
            ));
        }
        let cannot_use = |error: io::Error| format!("cannot use the path {shown}: {error}");
        let absolute = std::path::absolute(given).map_err(cannot_use)?;
        let parent = absolute.parent().unwrap_or(&absolute);
        if let Some(file) = parent.ancestors().find(|it| it.exists() && !it.is_dir()) {
            return Err(format!("{} is not a folder; choose another place", file.display()));
        }
        if !parent.is_dir() {
            return Err(format!(
                "the folder {} does not exist; make it first, or choose another place",
                parent.display()
            ));
        }
        // Behind links, so that the folders above are those that cargo finds.
        let parent = fs::canonicalize(parent).map_err(cannot_use)?;
        let absolute = parent.join(absolute.file_name().unwrap_or_default());
        Ok(Self { given: given.to_owned(), absolute, exists: false })
    }

    /// The last part of the path.
    pub(super) fn name(&self) -> Result<&str, String> {
        let last = match self.given.components().next_back() {
            Some(Component::Normal(name)) => Some(name),
            _ => self.absolute.file_name(),
        };
        let name = last.ok_or("the folder has no name; set the name of the app with --name")?;
        name.to_str().ok_or_else(|| {
            let shown = self.shown();
            format!("the name of the folder {shown} is no valid text; set the name of the app with --name")
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.absolute
    }

    /// The path for messages.
    pub(super) fn shown(&self) -> std::path::Display<'_> {
        self.given.display()
    }

    /// The command that changes to the folder, if it is not the current one.
    pub(super) fn enter(&self) -> Option<String> {
        let path = self.given.to_str()?;
        let is_current = self.given.components().all(|part| part == Component::CurDir);
        let is_plain = |it: char| it.is_alphanumeric() || "-_./\\:~".contains(it);
        let quoted = if path.chars().all(is_plain) && !path.starts_with('~') {
            path.to_owned()
        } else if cfg!(windows) {
            format!("\"{path}\"")
        } else {
            format!("'{}'", path.replace('\'', "'\\''"))
        };
        let dashes = if path.starts_with('-') { "-- " } else { "" };
        (!is_current).then(|| format!("cd {dashes}{quoted}"))
    }

    /// Whether a folder above has a Cargo.toml, so that cargo may count the app as part of that workspace.
    pub(super) fn is_below_manifest(&self) -> bool {
        self.absolute.ancestors().skip(1).any(|folder| folder.join("Cargo.toml").is_file())
    }
}

/// An entry that makes a folder unfit. A repository without files is fit.
fn first_entry(folder: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != ".git" {
            return Ok(Some(name.display().to_string()));
        }
    }
    Ok(None)
}
