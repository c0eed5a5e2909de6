//! Settings in each form: environment variables, `local.settings.json`, and the emulator's
//! `settings.json`.

use hub_local::{Settings as EmulatorSettings, SettingsError};
use hub_runtime::{HubApp, SignalR, config::Settings, prelude::*};

use crate::pieces::{first_line, holds};

/// A secret that must not appear in any output. It replaces `{secret}` in the input.
const SECRET: &str = "c4n-n0t-b3-guessed-nor-0verl00ked";
/// Suffixes of the names of settings with secret values.
const SECRETS: [&str; 5] =
    ["hub_local_key", "hub_upstream_code", ":claimskey", ":previousaccesskey", ":clientsecret"];

struct Empty;

#[serverless_hub(name = "chat", connection = "Chat")]
impl Empty {}

/// The first line is the form of the remaining lines: `emulator`, `file`, or any other text for
/// `NAME=value` lines.
pub fn run(data: &[u8]) {
    // The fuzzer may copy the secret from the binary, which would make the checks fail.
    if holds(data, SECRET) {
        return;
    }
    let (form, rest) = first_line(data);
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match form {
        b"emulator" => emulator(text),
        b"file" => file(text),
        _ => variables(text),
    }
}

/// Parses settings of the emulator. Each warning and error must name a line, and the parsed
/// templates must not show a key.
fn emulator(text: &str) {
    let lines = text.lines().count().max(1);
    match EmulatorSettings::parse("f.json", text) {
        Ok(settings) => {
            for warning in &settings.warnings {
                let line = warning.strip_prefix("f.json:").and_then(|rest| rest.split(':').next());
                let line: usize = line
                    .expect("the problem has a location")
                    .parse()
                    .expect("the location has a line");
                assert!((1..=lines).contains(&line), "{warning}");
            }
            let shown = format!("{:?}", settings.templates);
            for query in text.split("?code=").skip(1) {
                let key: String = query.chars().take_while(char::is_ascii_alphanumeric).collect();
                let alone = text.matches(&key).count() == 1;
                assert!(
                    key.len() < 12 || !alone || !shown.contains(&key),
                    "the text contains a key: {shown}"
                );
            }
        }
        Err(SettingsError::Content { file, line, text, .. }) => {
            assert_eq!(file, "f.json");
            assert!(line <= lines + 1, "line {line} of {lines}");
            assert!(!text.is_empty(), "the error has no reason");
        }
        Err(error) => panic!("the target reads no file: {error}"),
    }
}

fn file(text: &str) {
    match Settings::default().with_local_settings(text) {
        Ok(settings) => service(settings),
        Err(error) => assert!(error.to_string().starts_with("local.settings.json")),
    }
}

fn variables(text: &str) {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let settings = pairs.map(|(name, value)| (name, with_secret(name, value))).collect();
    service(settings);
}

/// Inserts the secret into the value of a setting that may contain secrets.
fn with_secret(name: &str, value: &str) -> String {
    let name = name.replace("__", ":").to_ascii_lowercase();
    if value == "{secret}" && SECRETS.iter().any(|secret| name.ends_with(secret)) {
        return SECRET.to_owned();
    }
    if !value.starts_with("Endpoint=") {
        return value.to_owned();
    }
    let pieces: Vec<&str> = value.split(';').collect();
    let secret = |piece: &&str| matches!(*piece, "AccessKey={secret}" | "ClientSecret={secret}");
    let pieces = pieces.iter().map(|piece| match secret(piece) {
        true => piece.replace("{secret}", SECRET),
        false => (*piece).to_owned(),
    });
    pieces.collect::<Vec<_>>().join(";")
}

fn service(settings: Settings) {
    let shown = |what: String| assert!(!what.contains(SECRET), "{what} contains a secret");
    shown(format!("{settings:?}"));
    for read in [SignalR::from_settings, SignalR::from_settings_or_local] {
        match read(settings.clone()) {
            Ok(signalr) => {
                shown(format!("{signalr:?}"));
                let built = HubApp::builder().signalr(signalr).hub(Empty).build();
                shown(format!("{:?}", built.as_ref().err()));
                built.err().into_iter().for_each(|error| shown(error.to_string()));
            }
            Err(error) => {
                assert!(!error.problems().is_empty(), "the error has no reason");
                shown(format!("{error} {error:?}"));
            }
        }
    }
}
