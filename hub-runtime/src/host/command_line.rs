//! The command line of an app: `--help`, `--version`, and the commands that run in place of the server.

use std::{ffi::OsString, io, path::Path};

use hub_core::names::nearest;

use crate::{HubApp, ServeError, start_line::announce};

/// A command of an app. To add one, add it to [`COMMANDS`].
pub(crate) struct Command {
    /// The first argument of the process.
    pub(crate) name: &'static str,
    /// The further arguments, as the usage shows them.
    pub(crate) arguments: &'static str,
    /// One line about the command, then one line for each option.
    pub(crate) help: &'static str,
    /// Runs the command with its further arguments.
    pub(crate) run: fn(&HubApp, &[OsString], AppRoutes) -> Result<(), CommandError>,
}

/// Whether the app has routes besides those of its hubs.
#[cfg_attr(
    not(feature = "deploy"),
    allow(dead_code, reason = "only `deploy-files` reads the value")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppRoutes {
    Hubs,
    Own,
}

/// Why a command did not run.
#[cfg_attr(
    not(any(feature = "deploy", feature = "schema")),
    allow(dead_code, reason = "no command can fail")
)]
#[derive(Debug)]
pub(crate) enum CommandError {
    /// The further arguments are invalid.
    Usage(String),
    Failed(io::Error),
}

/// Every command, in the order of the help.
const COMMANDS: &[Command] = &[
    #[cfg(feature = "deploy")]
    crate::deploy::COMMAND,
    #[cfg(feature = "schema")]
    crate::typescript::COMMAND,
    #[cfg(feature = "schema")]
    crate::asyncapi::COMMAND,
];

/// Commands that need a disabled feature, with the name of the feature.
const DISABLED: &[(&str, &str)] = &[
    #[cfg(not(feature = "deploy"))]
    ("deploy-files", "deploy"),
    #[cfg(not(feature = "schema"))]
    ("typescript", "schema"),
    #[cfg(not(feature = "schema"))]
    ("asyncapi", "schema"),
];

/// The exit status for invalid arguments, the same as that of `hub-local` and `cargo`.
const USAGE_STATUS: i32 = 2;

/// What the arguments of a process ask for.
enum Request<'a> {
    Serve,
    Print(String),
    Run(&'static Command, &'a [OsString]),
    Invalid(String),
}

/// Handles the arguments of the process. Returns whether the app serves.
///
/// # Errors
/// When a command fails. Invalid arguments end the process.
pub(super) fn handle(app: &HubApp, routes: AppRoutes) -> Result<bool, ServeError> {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let program = Path::new(&program).file_stem().unwrap_or_default().to_string_lossy();
    let arguments: Vec<_> = arguments.collect();
    let problem = match parse(&program, &arguments) {
        Request::Serve => return Ok(true),
        Request::Print(text) => {
            announce(&text);
            return Ok(false);
        }
        Request::Run(command, further) => match (command.run)(app, further, routes) {
            Ok(()) => return Ok(false),
            Err(CommandError::Failed(error)) => return Err(error.into()),
            Err(CommandError::Usage(problem)) => {
                format!("{problem}\n\n{}", usage_of(&program, command))
            }
        },
        Request::Invalid(problem) => problem,
    };
    eprintln!("error: {problem}");
    std::process::exit(USAGE_STATUS)
}

fn parse<'a>(program: &str, arguments: &'a [OsString]) -> Request<'a> {
    let Some((first, further)) = arguments.split_first() else { return Request::Serve };
    let first = first.to_string_lossy();
    let is_help = |text: &str| matches!(text, "-h" | "--help");
    if is_help(&first) || first == "help" {
        return Request::Print(usage(program));
    }
    if matches!(&*first, "-V" | "--version") {
        return Request::Print(format!("{program} (hub-runtime {})", env!("CARGO_PKG_VERSION")));
    }
    if let Some(command) = COMMANDS.iter().find(|command| command.name == first) {
        let asks_help = further.iter().any(|text| text.to_str().is_some_and(is_help));
        return match asks_help {
            true => Request::Print(usage_of(program, command)),
            false => Request::Run(command, further),
        };
    }
    if let Some((name, feature)) = DISABLED.iter().find(|(name, _)| *name == first) {
        return Request::Invalid(format!(
            "`{name}` needs the feature `{feature}` of hub-runtime: enable it in Cargo.toml"
        ));
    }
    let known = COMMANDS.iter().map(|command| command.name).chain(["--help", "--version"]);
    let meant = nearest(&first, known).map(|known| format!("; did you mean `{known}`?"));
    let meant = meant.unwrap_or_default();
    Request::Invalid(format!("unexpected argument `{first}`{meant}\n\n{}", usage(program)))
}

fn usage(program: &str) -> String {
    let mut text = format!("Usage: {program} [COMMAND]\n\nWithout a command, serves the app.\n");
    if !COMMANDS.is_empty() {
        text.push_str("\nCommands:\n");
    }
    for Command { name, arguments, help, .. } in COMMANDS {
        let first = help.lines().next().unwrap_or_default();
        text.push_str(&format!("  {name} {arguments}\n      {first}\n"));
    }
    text.push_str(
        "\nOptions:\n  -h, --help     print this text, or that of a command\n  -V, --version  print the version\n\nSettings are environment variables: PORT, AzureSignalRConnectionString, HUB_LOCAL_PORT and\nothers: ",
    );
    text.push_str(concat!(env!("CARGO_PKG_HOMEPAGE"), "settings.html"));
    text
}

fn usage_of(program: &str, command: &Command) -> String {
    let Command { name, arguments, help, .. } = command;
    format!("Usage: {program} {name} {arguments}\n\n{help}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<String, String> {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        match parse("chat", &arguments) {
            Request::Serve => Ok("serve".to_owned()),
            Request::Print(text) => Ok(text),
            Request::Run(command, further) => Ok(format!("{} {further:?}", command.name)),
            Request::Invalid(problem) => Err(problem),
        }
    }

    #[test]
    fn without_arguments_the_app_serves() {
        assert_eq!(parsed(&[]).as_deref(), Ok("serve"));
    }

    #[test]
    fn help_and_version_are_printed() {
        for help in ["--help", "-h", "help"] {
            assert!(parsed(&[help]).unwrap().starts_with("Usage: chat [COMMAND]"), "{help}");
        }
        for version in ["--version", "-V"] {
            assert!(parsed(&[version]).unwrap().starts_with("chat (hub-runtime "), "{version}");
        }
    }

    #[test]
    fn unknown_arguments_are_refused_with_the_nearest_one_and_the_usage() {
        for (unknown, meant) in
            [("--hepl", "; did you mean `--help`?"), ("serve", ""), ("--port=80", ""), ("", "")]
        {
            let problem = parsed(&[unknown, "x"]).unwrap_err();
            let begin = format!("unexpected argument `{unknown}`{meant}\n\nUsage: chat [COMMAND]");
            assert!(problem.starts_with(&begin), "{problem}");
        }
    }

    #[test]
    #[cfg(feature = "deploy")]
    fn a_command_has_its_own_help_and_gets_its_arguments() {
        let help = parsed(&["deploy-files", "out", "--help"]).unwrap();

        assert!(
            help.starts_with("Usage: chat deploy-files [FOLDER] [--container-apps | --function-json | --signalr-triggers]\n\nWrites")
        );
        assert!(parsed(&["--help"]).unwrap().contains("  deploy-files [FOLDER]"));
        assert_eq!(parsed(&["deploy-files", "x"]).as_deref(), Ok(r#"deploy-files ["x"]"#));
        assert!(parsed(&["deploy-file"]).unwrap_err().contains("did you mean `deploy-files`?"));
    }

    #[test]
    #[cfg(not(feature = "deploy"))]
    fn a_command_of_a_disabled_feature_names_the_feature() {
        let text =
            "`deploy-files` needs the feature `deploy` of hub-runtime: enable it in Cargo.toml";

        assert_eq!(parsed(&["deploy-files"]), Err(text.to_owned()));
    }
}
