//! Validation of the options of `start`.

use hub_core::{
    Secret,
    client_access::EMULATOR_KEY,
    secret_rule::{Reach, Verdict, Weakness, judge},
};
use hub_net::host;

use super::StartArgs;
use crate::command::Failure;

const KEY: &str = "`--key` (or HUB_LOCAL_KEY)";
const SECONDARY_KEY: &str = "`--secondary-key` (or HUB_LOCAL_SECONDARY_KEY)";

pub(super) fn validate(arguments: &StartArgs) -> Result<(), Failure> {
    let default = Secret::from(EMULATOR_KEY);
    let key = arguments.key.as_ref().unwrap_or(&default);
    let beyond = beyond_loopback(arguments);
    check_key(KEY, key, beyond.as_deref(), arguments.public)?;
    match &arguments.secondary_key {
        Some(key) => check_key(SECONDARY_KEY, key, beyond.as_deref(), arguments.public),
        None => Ok(()),
    }
}

/// Validates the keys of a service that listens on loopback.
pub(in crate::command) fn keys(
    key: Option<&Secret>,
    secondary_key: Option<&Secret>,
) -> Result<(), Failure> {
    let given = [(KEY, key), (SECONDARY_KEY, secondary_key)].into_iter();
    let mut given = given.filter_map(|(option, key)| Some((option, key?)));
    given.try_for_each(|(option, key)| check_key(option, key, None, false))
}

/// Checks a key. An empty environment variable is a mistake, and the service must not use the well-known key
/// instead.
fn check_key(
    option: &str,
    key: &Secret,
    beyond: Option<&str>,
    public: bool,
) -> Result<(), Failure> {
    let refuse = |problem: &str| Err(Failure::Usage(format!("the key of {option} {problem}")));
    let reach = if beyond.is_some() { Reach::Beyond } else { Reach::Loopback };
    match judge(key, reach) {
        Verdict::Refused(Weakness::WellKnown) if public => {}
        Verdict::Refused(weakness) => {
            let option =
                beyond.map(|option| format!("; `{option}` allows access from other machines"));
            let advice = match weakness {
                Weakness::WellKnown => "; set another key, or add `--public`",
                Weakness::Empty | Weakness::Short | Weakness::BelowAdvised => "",
            };
            return refuse(&format!("{weakness}{}{advice}", option.unwrap_or_default()));
        }
        // Building the service logs the warning.
        Verdict::Warned(_) | Verdict::Accepted => {}
    }
    if key.expose().chars().any(|it| it == ';' || it.is_whitespace() || it.is_control()) {
        return refuse(
            "contains white space or a semicolon, which a connection string cannot contain",
        );
    }
    Ok(())
}

/// The option that allows access from other machines.
fn beyond_loopback(arguments: &StartArgs) -> Option<String> {
    match (arguments.ip, &arguments.url) {
        (Some(ip), _) if Reach::of(ip) == Reach::Beyond => Some(format!("--ip {ip}")),
        (_, Some(url)) if !host::of_url(url).is_some_and(host::is_loopback) => {
            Some(format!("--url {url}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{super::super::without_variables::parse, *};

    /// The fewest bytes that are accepted beyond loopback.
    const OWN: &str = "0123456789abcdef";

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        start: StartArgs,
    }

    fn validated(line: &[&str]) -> Result<(), Failure> {
        validate(&parse::<Line>(line).unwrap().start)
    }

    fn refused(line: &[&str]) -> String {
        match validated(line) {
            Err(Failure::Usage(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_well_known_key_is_refused_beyond_loopback() {
        for line in [
            ["--ip", "0.0.0.0"],
            ["--ip", "192.168.0.1"],
            ["--ip", "::"],
            ["--url", "http://signalr:8888"],
        ] {
            assert!(refused(&line).contains("add `--public`"), "{line:?}");
        }
        let given = ["--ip", "0.0.0.0", "--key", EMULATOR_KEY];
        assert!(refused(&given).contains("well-known key"));
        let second = ["--ip", "0.0.0.0", "--key", OWN, "--secondary-key", EMULATOR_KEY];
        assert!(refused(&second).contains("well-known key"));
    }

    #[test]
    fn a_key_of_ones_own_or_a_word_lets_others_in() {
        assert!(validated(&["--ip", "0.0.0.0", "--key", OWN]).is_ok());
        assert!(validated(&["--ip", "0.0.0.0", "--public"]).is_ok());
        assert!(validated(&["--ip", "127.0.0.2"]).is_ok());
        assert!(validated(&["--url", "http://localhost:1"]).is_ok());
        assert!(validated(&["--url", "http://[::1]:1"]).is_ok());
    }

    #[test]
    fn a_short_key_is_refused_beyond_loopback_even_with_public() {
        let short = "k".repeat(15);
        for place in [["--ip", "0.0.0.0"], ["--url", "https://live.example"]] {
            for keys in [&["--key", &short][..], &["--key", OWN, "--secondary-key", &short]] {
                let text = refused(&[keys, &place, &["--public"]].concat());
                assert!(text.contains("fewer than 16 bytes") && text.contains(place[0]), "{text}");
                assert!(text.contains(keys[keys.len() - 2]) && !text.contains(&short), "{text}");
            }
        }
        assert!(validated(&["--key", "a", "--secondary-key", "b"]).is_ok());
    }

    #[test]
    fn an_empty_key_is_an_error() {
        assert!(refused(&["--key", ""]).contains("is empty"));
        assert!(refused(&["--secondary-key", "a;b"]).contains("semicolon"));
    }

    #[test]
    fn errors_about_keys_do_not_show_them() {
        assert!(!refused(&["--key", "my secret"]).contains("my secret"));
    }
}
