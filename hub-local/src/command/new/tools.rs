//! Whether the tools of a language are on this machine. Only their versions are asked for.

use std::{
    io::Read as _,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use super::languages::Language;

/// A version check that takes longer counts as no answer.
const TIMEOUT: Duration = Duration::from_secs(5);

type Version = (u32, u32);

/// What an app needs on the machine of a developer.
struct Tool {
    /// The programs that can have it; the first that answers counts.
    programs: &'static [&'static str],
    minimum: Version,
    name: &'static str,
    source: &'static str,
}

fn tool(language: Language) -> Tool {
    match language {
        Language::Rust => Tool {
            programs: &["cargo"],
            minimum: (1, 95),
            name: "Rust",
            source: "install it from https://rustup.rs, or run `rustup update stable`",
        },
        Language::Node => Tool {
            programs: &["node"],
            minimum: (20, 12),
            name: "Node.js",
            source: "install it from https://nodejs.org",
        },
        Language::Python => Tool {
            programs: &["python3", "python", "py"],
            minimum: (3, 10),
            name: "Python",
            source: "install it from https://www.python.org",
        },
    }
}

/// A warning if the tool of a language is missing or too old. `ask` returns the output of `PROGRAM --version`.
pub(super) fn missing(language: Language, ask: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let Tool { programs, minimum: (major, minor), name, source } = tool(language);
    let program = programs[0];
    let answers = programs.iter().filter_map(|program| parse(&ask(program)?));
    match answers.max() {
        Some(found) if found >= (major, minor) => None,
        Some((older, part)) => Some(format!(
            "`{program}` is version {older}.{part}, but the app needs {name} {major}.{minor} or newer: {source}"
        )),
        None => Some(format!(
            "`{program}` was not found, but the app needs {name} {major}.{minor} or newer: {source}"
        )),
    }
}

/// The version in `cargo 1.95.0 (…)`, `v20.20.2` or `Python 3.11.7`.
fn parse(output: &str) -> Option<Version> {
    output.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches('v').split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}

/// The output of `PROGRAM --version`; `None` if there is no such program or it does not answer.
pub(super) fn version(program: &str) -> Option<String> {
    let mut child = Command::new(program)
        .arg("--version")
        // Otherwise rustup may download the toolchain of a rust-toolchain.toml.
        .env("RUSTUP_AUTO_INSTALL", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let started = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() < TIMEOUT => sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => {
                let _ = child.kill().and_then(|()| child.wait());
                return None;
            }
        }
    };
    let mut text = String::new();
    child.stdout.take()?.take(4096).read_to_string(&mut text).ok()?;
    status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(language: Language, output: Option<&str>) -> Option<String> {
        missing(language, &|_| output.map(str::to_owned))
    }

    #[test]
    fn a_missing_tool_is_named_with_its_source() {
        for (language, start, source) in [
            (Language::Rust, "`cargo` was not found", "https://rustup.rs"),
            (Language::Node, "`node` was not found", "https://nodejs.org"),
            (Language::Python, "`python3` was not found", "https://www.python.org"),
        ] {
            let text = warning(language, None).unwrap();
            assert!(text.starts_with(start) && text.contains(source), "{text}");
        }
    }

    #[test]
    fn an_old_tool_is_named_with_both_versions() {
        for (language, output, versions) in [
            (
                Language::Rust,
                "cargo 1.94.1 (abc 2026-01-01)",
                "is version 1.94, but the app needs Rust 1.95 or newer",
            ),
            (
                Language::Node,
                "v20.11.0\n",
                "is version 20.11, but the app needs Node.js 20.12 or newer",
            ),
            (
                Language::Python,
                "Python 3.9.2",
                "is version 3.9, but the app needs Python 3.10 or newer",
            ),
        ] {
            let text = warning(language, Some(output)).unwrap();
            assert!(text.contains(versions), "{text}");
        }
    }

    #[test]
    fn a_tool_of_the_minimum_version_is_enough() {
        let enough = ["cargo 1.95.0 (abc)", "cargo 1.96.0-nightly (abc)", "cargo 2.0.0"];
        assert!(enough.iter().all(|output| warning(Language::Rust, Some(output)).is_none()));
        assert_eq!(warning(Language::Node, Some("v24.0.0")), None);
        assert_eq!(warning(Language::Python, Some("Python 3.13.0rc1")), None);
    }

    #[test]
    fn the_newest_python_counts() {
        let ask = |program: &str| match program {
            "python" => Some("Python 3.12.1".to_owned()),
            _ => Some("Python 3.8.0".to_owned()),
        };
        assert_eq!(missing(Language::Python, &ask), None);
    }

    #[test]
    fn programs_that_do_not_answer_have_no_version() {
        assert_eq!(version("there-is-no-such-program"), None);
        #[cfg(unix)]
        assert_eq!(version("false"), None);
    }

    #[test]
    fn the_minimum_of_rust_is_that_of_this_project() {
        assert_eq!(parse(env!("CARGO_PKG_RUST_VERSION")), Some(tool(Language::Rust).minimum));
    }
}
