//! Reloads `settings.json` when it changes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use hub_local::{HttpUpstream, Settings, Template};
use tokio::time::{MissedTickBehavior, interval};

use super::Failure;

const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The settings file of a running service.
#[derive(Debug)]
pub(super) struct SettingsFile {
    path: PathBuf,
    seen: Option<FileVersion>,
}

/// Metadata that reveals a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileVersion {
    modified: Option<SystemTime>,
    length: u64,
}

impl SettingsFile {
    /// Reads the file for the first time. An optional file that is missing has no templates.
    pub(super) fn read(path: PathBuf, required: bool) -> Result<(Self, Vec<Template>), Failure> {
        let seen = version(&path);
        if !required && !may_exist(&path) {
            return Ok((Self { path, seen }, Vec::new()));
        }
        let settings = read(&path).map_err(Failure::Failed)?;
        Ok((Self { path, seen }, settings.templates))
    }

    /// The path, if the file exists.
    pub(super) fn found(&self) -> Option<&Path> {
        self.seen.map(|_| self.path.as_path())
    }

    /// Polls the file once per second, forever.
    pub(super) async fn watch(mut self, upstream: HttpUpstream) {
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.reload_if_changed(&upstream);
        }
    }

    fn reload_if_changed(&mut self, upstream: &HttpUpstream) {
        let version = version(&self.path);
        if version == self.seen {
            return;
        }
        self.seen = version;
        let file = self.path.display().to_string();
        if version.is_none() {
            tracing::warn!(file, "settings file removed; keeping the last settings");
            return;
        }
        match read(&self.path) {
            Ok(settings) => {
                let templates = settings.templates.len();
                upstream.replace(settings.templates);
                tracing::info!(file, templates, "settings reloaded");
            }
            Err(error) => tracing::error!("{error}; keeping the last settings"),
        }
    }
}

/// Reads the settings and logs the warnings about them.
fn read(file: &Path) -> Result<Settings, String> {
    let settings = Settings::read(file).map_err(|error| describe(&error))?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    Ok(settings)
}

/// Whether the file exists or this user cannot find out, for example in a folder of another user that is mounted into
/// a container. Reading it is an error then.
pub(super) fn may_exist(file: &Path) -> bool {
    file.try_exists().unwrap_or(true)
}

fn version(file: &Path) -> Option<FileVersion> {
    let found = fs::metadata(file).ok()?;
    Some(FileVersion { modified: found.modified().ok(), length: found.len() })
}

/// The error with its cause, and with advice if the file is missing.
pub(super) fn describe(error: &hub_local::SettingsError) -> String {
    let source = std::error::Error::source(error);
    let is_missing = source
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|source| source.kind() == io::ErrorKind::NotFound);
    let cause = source.map(|source| format!(": {source}")).unwrap_or_default();
    let advice = if is_missing { "; `hub-local upstream init` writes one" } else { "" };
    format!("{error}{cause}{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A temporary folder, removed on drop.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("hub-local-reload-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, url: &str) {
            let text =
                Settings::EXAMPLE.replace("http://localhost:7071/runtime/webhooks/signalr", url);
            fs::write(self.0.join("settings.json"), text).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn urls(upstream: &HttpUpstream) -> Vec<String> {
        upstream.templates().iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_valid_file_changes_the_templates_and_an_invalid_one_does_not() {
        let folder = Folder::new("change");
        folder.write("http://a/");
        let path = Settings::file_of(&folder.0);
        let (mut file, templates) = SettingsFile::read(path.clone(), true).unwrap();
        let upstream = HttpUpstream::with_templates(templates);

        folder.write("http://changed/");
        file.reload_if_changed(&upstream);
        assert_eq!(urls(&upstream), ["http://changed/"]);
        fs::write(&path, "{ broken").unwrap();
        file.reload_if_changed(&upstream);
        assert_eq!(urls(&upstream), ["http://changed/"]);
        fs::remove_file(&path).unwrap();
        file.reload_if_changed(&upstream);
        assert_eq!(urls(&upstream), ["http://changed/"]);
        folder.write("http://fixed/");
        file.reload_if_changed(&upstream);
        assert_eq!(urls(&upstream), ["http://fixed/"]);
    }

    #[tokio::test]
    async fn a_file_that_is_created_later_is_read() {
        let folder = Folder::new("later");
        let path = folder.0.join("settings.json");
        let (mut file, templates) = SettingsFile::read(path, false).unwrap();
        assert!(templates.is_empty());
        assert_eq!(file.found(), None);
        let upstream = HttpUpstream::with_templates([]);

        folder.write("http://late/");
        file.reload_if_changed(&upstream);

        assert_eq!(urls(&upstream), ["http://late/"]);
    }

    #[test]
    fn a_file_whose_existence_is_unknown_is_an_error() {
        // The name of a file has at most 255 bytes, so the system cannot say whether it exists.
        let path = PathBuf::from("x".repeat(300));

        let Err(Failure::Failed(text)) = SettingsFile::read(path, false) else {
            panic!("accepted")
        };
        assert!(text.contains("cannot read the settings"), "{text}");
    }

    #[test]
    fn a_file_passed_as_an_option_must_exist() {
        let error = SettingsFile::read(PathBuf::from("/not/there.json"), true).unwrap_err();

        let Failure::Failed(text) = error else { panic!("expected a failure") };
        assert!(text.starts_with("/not/there.json: cannot read the settings: "), "{text}");
        assert!(text.ends_with("`hub-local upstream init` writes one"), "{text}");
    }
}
