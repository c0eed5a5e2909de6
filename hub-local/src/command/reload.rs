//! Follows `settings.json`: what it says becomes true while the service runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use hub_local::{HttpUpstream, Settings};
use tokio::time::{MissedTickBehavior, interval};

use super::Failure;

const EVERY: Duration = Duration::from_secs(1);

/// The settings file of a running service.
#[derive(Debug)]
pub(super) struct Followed {
    file: PathBuf,
    seen: Option<Version>,
}

/// By this a change is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    modified: Option<SystemTime>,
    length: u64,
}

impl Followed {
    /// Reads the file for the first time. `None` where it need not be there and is not.
    pub(super) fn read(file: PathBuf, required: bool) -> Result<(Self, Option<Settings>), Failure> {
        let seen = version(&file);
        if seen.is_none() && !required {
            return Ok((Self { file, seen }, None));
        }
        let settings = Settings::read(&file).map_err(|error| Failure::Failed(explained(&error)))?;
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        Ok((Self { file, seen }, Some(settings)))
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Looks each second, for ever.
    pub(super) async fn follow(mut self, upstream: HttpUpstream) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(&upstream);
        }
    }

    fn look(&mut self, upstream: &HttpUpstream) {
        let version = version(&self.file);
        if version == self.seen {
            return;
        }
        self.seen = version;
        let file = self.file.display().to_string();
        if version.is_none() {
            tracing::warn!(file, "the settings file is gone; the last settings stay");
            return;
        }
        match Settings::read(&self.file) {
            Ok(settings) => {
                for warning in &settings.warnings {
                    tracing::warn!("{warning}");
                }
                let templates = settings.templates.len();
                upstream.replace(settings.templates);
                tracing::info!(file, templates, "the settings were read again");
            }
            Err(error) => {
                let error = explained(&error);
                tracing::error!("{error}; the last settings stay");
            }
        }
    }
}

fn version(file: &Path) -> Option<Version> {
    let found = fs::metadata(file).ok()?;
    Some(Version { modified: found.modified().ok(), length: found.len() })
}

/// The error with its cause, and what to do about a file that is not there.
pub(super) fn explained(error: &hub_local::SettingsError) -> String {
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

    /// A folder that goes with the test.
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
    async fn a_changed_file_changes_the_templates_and_a_broken_one_does_not() {
        let folder = Folder::new("change");
        folder.write("http://a/");
        let file = Settings::file_of(&folder.0);
        let (mut followed, settings) = Followed::read(file.clone(), true).unwrap();
        let upstream = HttpUpstream::with_templates(settings.unwrap().templates);

        folder.write("http://changed/");
        followed.look(&upstream);
        assert_eq!(urls(&upstream), ["http://changed/"]);
        fs::write(&file, "{ broken").unwrap();
        followed.look(&upstream);
        assert_eq!(urls(&upstream), ["http://changed/"]);
        fs::remove_file(&file).unwrap();
        followed.look(&upstream);
        assert_eq!(urls(&upstream), ["http://changed/"]);
        folder.write("http://mended/");
        followed.look(&upstream);
        assert_eq!(urls(&upstream), ["http://mended/"]);
    }

    #[tokio::test]
    async fn a_file_that_comes_later_is_read_then() {
        let folder = Folder::new("later");
        let file = folder.0.join("settings.json");
        let (mut followed, settings) = Followed::read(file, false).unwrap();
        assert!(settings.is_none());
        let upstream = HttpUpstream::with_templates([]);

        folder.write("http://late/");
        followed.look(&upstream);

        assert_eq!(urls(&upstream), ["http://late/"]);
    }

    #[test]
    fn a_file_that_was_asked_for_must_be_there() {
        let error = Followed::read(PathBuf::from("/not/there.json"), true).unwrap_err();

        let Failure::Failed(text) = error else { panic!("it is no matter of usage") };
        assert!(text.starts_with("/not/there.json: the settings cannot be read: "), "{text}");
        assert!(text.ends_with("`hub-local upstream init` writes one"), "{text}");
    }
}
