//! Writing the files of an app: all of them, or none.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::folder::Folder;

/// What has been made so far, in order.
#[derive(Debug, Default)]
struct Made {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

/// Writes the files, given as path and content. After an error, removes what it has made.
pub(super) fn write(folder: &Folder, files: &[(&str, String)]) -> Result<(), String> {
    let mut made = Made::default();
    let Err((path, error)) = made.write_all(folder, files) else { return Ok(()) };
    let path = path.display();
    let left = match made.remove() {
        Ok(()) if made.files.is_empty() && made.folders.is_empty() => {
            "nothing was written".to_owned()
        }
        Ok(()) => "what was written before has been removed".to_owned(),
        Err((path, error)) => {
            format!("{} was written before and cannot be removed: {error}", path.display())
        }
    };
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => ", choose a folder that you may write to",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ", make room on the disk",
        io::ErrorKind::ReadOnlyFilesystem => ", choose a folder on another disk",
        _ => "",
    };
    Err(format!("cannot write {path}: {error}{advice}; {left}"))
}

impl Made {
    fn write_all(
        &mut self,
        folder: &Folder,
        files: &[(&str, String)],
    ) -> Result<(), (PathBuf, io::Error)> {
        let root = folder.path();
        if !folder.exists {
            self.folder(root)?;
        }
        for (path, content) in files {
            let path = root.join(path);
            let parent = path.parent().unwrap_or(root);
            self.folders_below(root, parent)?;
            self.file(path, content)?;
        }
        Ok(())
    }

    /// Makes the folders between a folder that exists and one below it.
    fn folders_below(&mut self, root: &Path, folder: &Path) -> Result<(), (PathBuf, io::Error)> {
        if folder == root || self.folders.iter().any(|made| made == folder) {
            return Ok(());
        }
        self.folders_below(root, folder.parent().unwrap_or(root))?;
        self.folder(folder)
    }

    fn folder(&mut self, path: &Path) -> Result<(), (PathBuf, io::Error)> {
        fs::create_dir(path).map_err(|error| (path.to_owned(), error))?;
        self.folders.push(path.to_owned());
        Ok(())
    }

    /// Writes a new file. A file of this name that another program has made in the meantime is an error.
    fn file(&mut self, path: PathBuf, content: &str) -> Result<(), (PathBuf, io::Error)> {
        let mut file = match File::create_new(&path) {
            Ok(file) => file,
            Err(error) => return Err((path, error)),
        };
        self.files.push(path.clone());
        file.write_all(content.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| (path, error))
    }

    fn remove(&self) -> Result<(), (PathBuf, io::Error)> {
        let remove =
            |path: &PathBuf, done: io::Result<()>| done.map_err(|error| (path.clone(), error));
        self.files.iter().try_for_each(|path| remove(path, fs::remove_file(path)))?;
        self.folders.iter().rev().try_for_each(|path| remove(path, fs::remove_dir(path)))
    }
}
