//! Names and values of settings, from the environment and from `local.settings.json`.

use std::{collections::BTreeMap, fmt, io, path::Path};

use hub_core::setting_names::lookup_form;

use super::{
    SettingProblem,
    env::{self, Variables},
    local_settings::{self, LocalSettings},
};

/// The settings file of the Azure Functions Core Tools, in the working directory.
const FILE: &str = "local.settings.json";

/// A snapshot of setting names and values. Later changes of the environment have no effect.
///
/// Names ignore case, and `__` equals `:`, as in .NET: `AzureSignalRConnectionString__claimsKey`
/// is `AzureSignalRConnectionString:claimsKey`.
///
/// ```
/// use hub_runtime::{config::Settings, SignalR};
///
/// let settings: Settings =
///     [("AzureSignalRConnectionString", "Endpoint=https://x.service.signalr.net;AccessKey=k;")]
///         .into_iter()
///         .collect();
/// assert!(SignalR::from_settings(settings).is_ok());
/// ```
#[derive(Clone, Default)]
pub struct Settings {
    entries: BTreeMap<String, Vec<Entry>>,
    /// Origins of `Host.CORS`.
    pub(crate) origins: Vec<String>,
}

// The values include all secrets of the process.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({})", self.entries.len())
    }
}

#[derive(Clone)]
struct Entry {
    /// The name as it is spelled.
    name: String,
    value: String,
    from_file: bool,
}

impl Settings {
    /// The environment of the process, plus the values of `local.settings.json` in the working directory that
    /// the environment does not set. The file is not read under the Functions tools, which read the file
    /// themselves, nor on a cloud host.
    ///
    /// # Errors
    /// When the file exists and is invalid.
    pub fn from_env() -> Result<Self, super::ConfigError> {
        let settings: Self = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        settings.and_file(Path::new(FILE))
    }

    /// Adds the values in the text of a `local.settings.json`, except values that are already set, and the
    /// origins in its `Host.CORS`.
    ///
    /// # Errors
    /// When the text is not a settings file, or is encrypted.
    pub fn with_local_settings(mut self, json: &str) -> Result<Self, super::ConfigError> {
        let LocalSettings { values, origins } = local_settings::parse(json)?;
        for (name, value) in values {
            let entries = self.entries.entry(lookup_form(&name)).or_default();
            if entries.iter().all(|entry| entry.from_file) {
                entries.push(Entry { name, value, from_file: true });
            }
        }
        self.origins.extend(origins);
        Ok(self)
    }

    fn and_file(self, path: &Path) -> Result<Self, super::ConfigError> {
        let environment = |name: &str| self.in_environment(name);
        let started_by = [env::FUNCTIONS_PORT, env::OLD_FUNCTIONS_PORT];
        if env::cloud_host(&environment).is_some()
            || started_by.into_iter().any(|name| environment.set(name).is_some())
        {
            return Ok(self);
        }
        match std::fs::read_to_string(path) {
            Ok(json) => self.with_local_settings(&json),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(self),
            Err(error) => {
                Err(SettingProblem::File { problem: format!("cannot be read: {error}") }.into())
            }
        }
    }

    /// A setting with the spelling of its name. An empty value counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<(&str, &str)> {
        self.set(name).map(|entry| (entry.name.as_str(), entry.value.as_str())).next()
    }

    /// Two spellings of one setting with different values.
    pub(crate) fn ambiguous(&self, name: &str) -> Option<SettingProblem> {
        let mut entries = self.set(name);
        let first = entries.next()?;
        let second = entries.find(|entry| entry.value != first.value)?;
        Some(SettingProblem::Ambiguous { first: first.name.clone(), second: second.name.clone() })
    }

    fn set(&self, name: &str) -> impl Iterator<Item = &Entry> {
        let entries = self.entries.get(&lookup_form(name)).map(Vec::as_slice).unwrap_or_default();
        entries.iter().filter(|entry| !entry.value.trim().is_empty())
    }

    /// A value of the environment, ignoring the file: hosts are identified by variables.
    pub(crate) fn in_environment(&self, name: &str) -> Option<String> {
        let entry = self.set(name).find(|entry| !entry.from_file && entry.name == name)?;
        Some(entry.value.clone())
    }

    /// The name as it is spelled, and the value, of every setting.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.entries.values().flatten();
        entries
            .map(|entry| (entry.name.as_str(), entry.value.trim()))
            .filter(|(_, value)| !value.is_empty())
    }

    /// The settings below a name: the rest of each name as spelled, without the separator.
    pub(crate) fn below(&self, name: &str) -> Vec<String> {
        let prefix = format!("{}:", lookup_form(name));
        let below =
            self.entries.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        below
            .filter(|(_, entries)| entries.iter().any(|entry| !entry.value.trim().is_empty()))
            .filter_map(|(_, entries)| {
                let written = entries.first()?.name.replace("__", ":");
                written.get(prefix.len()..).map(str::to_owned)
            })
            .collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Settings {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut settings = Self::default();
        for (name, value) in pairs {
            let (name, value) = (name.into(), value.into());
            let entry = Entry { name, value, from_file: false };
            settings.entries.entry(lookup_form(&entry.name)).or_default().push(entry);
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(name, value)| (*name, *value)).collect()
    }

    #[test]
    fn names_ignore_case_and_the_kind_of_separator() {
        let settings = settings(&[("Chat__ClaimsKey", "k")]);

        assert_eq!(settings.get("chat:claimsKey"), Some(("Chat__ClaimsKey", "k")));
        assert_eq!(settings.get("CHAT__claimskey"), Some(("Chat__ClaimsKey", "k")));
        assert_eq!(settings.get("chat:claims_key"), None);
    }

    #[test]
    fn a_blank_value_counts_as_not_set() {
        assert_eq!(settings(&[("A", " ")]).get("A"), None);
    }

    #[test]
    fn two_spellings_must_agree() {
        let same = settings(&[("A__b", "1"), ("A:b", "1")]);
        let different = settings(&[("A__b", "1"), ("A:b", "2")]);

        assert_eq!(same.ambiguous("A:b"), None);
        assert_eq!(
            different.ambiguous("A:b").unwrap().to_string(),
            "A__b and A:b are two spellings of one setting and differ: remove one of them"
        );
    }

    #[test]
    fn the_names_below_a_setting_are_as_written() {
        let settings = settings(&[
            ("Azure__SignalR__Endpoints__West__primary", "x"),
            ("Azure:SignalR:Endpoints:east", "y"),
        ]);

        assert_eq!(settings.below("azure:signalr:endpoints"), ["east", "West:primary"]);
    }

    #[test]
    fn the_environment_takes_precedence_over_the_file() {
        let file = r#"{"Values":{"A":"file","B":"file"},"Host":{"CORS":"http://x.example"}}"#;

        let settings = settings(&[("A", "env")]).with_local_settings(file).unwrap();

        assert_eq!(settings.get("A"), Some(("A", "env")));
        assert_eq!(settings.get("b"), Some(("B", "file")));
        assert_eq!(settings.in_environment("B"), None);
        assert_eq!(settings.origins, ["http://x.example"]);
    }

    #[test]
    fn a_missing_file_is_none_and_a_host_that_reads_the_file_keeps_it() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(settings(&[]).and_file(&directory.join("no.such.json")).is_ok());

        // Not a settings file: reading it would fail.
        let other = directory.join("Cargo.toml");
        assert!(settings(&[]).and_file(&other).is_err());
        for host in [("FUNCTIONS_CUSTOMHANDLER_PORT", "1"), ("K_SERVICE", "chat")] {
            assert!(settings(&[host]).and_file(&other).is_ok());
        }
    }

    #[test]
    fn debug_output_shows_no_value() {
        assert!(!format!("{:?}", settings(&[("A", "secret")])).contains("secret"));
    }
}
