//! Validation of the options of `start`.

use std::net::IpAddr;

use hub_core::{Secret, client_access::EMULATOR_KEY};

use super::StartArgs;
use crate::command::Failure;

pub(super) fn validate(arguments: &StartArgs) -> Result<(), Failure> {
    check_key("--key", "HUB_LOCAL_KEY", arguments.key.as_ref())?;
    let secondary_key = arguments.secondary_key.as_ref();
    check_key("--secondary-key", "HUB_LOCAL_SECONDARY_KEY", secondary_key)?;
    check_public(arguments)
}

/// Refuses an empty key. An empty environment variable is a mistake, and the service must not use the
/// well-known key instead.
fn check_key(option: &str, variable: &str, key: Option<&Secret>) -> Result<(), Failure> {
    let Some(key) = key.map(Secret::expose) else { return Ok(()) };
    if key.is_empty() {
        let text = format!("`{option}` (or {variable}) is empty: set a key, or omit the option");
        return Err(Failure::Usage(text));
    }
    if key.chars().any(|it| it == ';' || it.is_whitespace() || it.is_control()) {
        let text = format!(
            "`{option}` (or {variable}) contains white space or a semicolon, which a connection string \
             cannot contain"
        );
        return Err(Failure::Usage(text));
    }
    Ok(())
}

fn check_public(arguments: &StartArgs) -> Result<(), Failure> {
    let is_public =
        |key: &Option<Secret>| key.as_ref().is_some_and(|key| key.expose() == EMULATOR_KEY);
    let uses_public_key =
        arguments.key.is_none() || is_public(&arguments.key) || is_public(&arguments.secondary_key);
    if arguments.public || !uses_public_key {
        return Ok(());
    }
    let refused = match (arguments.ip, &arguments.url) {
        (Some(ip), _) if !ip.to_canonical().is_loopback() => Some(format!("--ip {ip}")),
        (_, Some(url)) if !is_loopback(url) => Some(format!("--url {url}")),
        _ => None,
    };
    match refused {
        None => Ok(()),
        Some(option) => Err(Failure::Usage(format!(
            "`{option}` allows access from other machines with the well-known key: set another key \
             with `--key` or HUB_LOCAL_KEY, or add `--public`"
        ))),
    }
}

fn is_loopback(url: &str) -> bool {
    let url: Option<http::Uri> = url.parse().ok();
    let host = url.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        start: StartArgs,
    }

    fn validated(line: &[&str]) -> Result<(), Failure> {
        let line = ["hub-local"].iter().chain(line);
        validate(&Line::try_parse_from(line).unwrap().start)
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
        let second = ["--ip", "0.0.0.0", "--key", "own", "--secondary-key", EMULATOR_KEY];
        assert!(refused(&second).contains("well-known key"));
    }

    #[test]
    fn a_key_of_ones_own_or_a_word_lets_others_in() {
        assert!(validated(&["--ip", "0.0.0.0", "--key", "own"]).is_ok());
        assert!(validated(&["--ip", "0.0.0.0", "--public"]).is_ok());
        assert!(validated(&["--ip", "127.0.0.2"]).is_ok());
        assert!(validated(&["--url", "http://localhost:1"]).is_ok());
        assert!(validated(&["--url", "http://[::1]:1"]).is_ok());
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
