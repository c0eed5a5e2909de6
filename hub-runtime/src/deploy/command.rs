//! The command `deploy-files` of an app.

use std::{ffi::OsString, path::PathBuf};

use crate::{
    HubApp,
    host::command_line::{AppRoutes, Command, CommandError},
    start_line::announce,
};

pub(crate) const COMMAND: Command = Command {
    name: "deploy-files",
    arguments: "[FOLDER] [--signalr-triggers]",
    help: "Writes the files of a deployment to Azure Functions to FOLDER (default: the working directory).

Options:
  --signalr-triggers  one function with a signalRTrigger for each event, instead of one HTTP function",
    run,
};

/// The parsed arguments.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    folder: PathBuf,
    signalr_triggers: bool,
}

impl Arguments {
    fn of(arguments: &[OsString]) -> Result<Self, CommandError> {
        let (mut folder, mut signalr_triggers) = (None, false);
        for argument in arguments {
            match argument.to_str() {
                Some("--signalr-triggers") => signalr_triggers = true,
                text if folder.is_none() && text.is_none_or(|text| !text.starts_with('-')) => {
                    folder = Some(PathBuf::from(argument));
                }
                _ => {
                    let shown = argument.to_string_lossy();
                    return Err(CommandError::Usage(format!("unexpected argument `{shown}`")));
                }
            }
        }
        Ok(Self { folder: folder.unwrap_or_else(|| PathBuf::from(".")), signalr_triggers })
    }
}

/// Writes the files and prints their paths.
fn run(app: &HubApp, arguments: &[OsString], routes: AppRoutes) -> Result<(), CommandError> {
    let Arguments { folder, signalr_triggers } = Arguments::of(arguments)?;
    let mut deployment = app.deployment();
    deployment.own_routes = routes == AppRoutes::Own;
    deployment.signalr_triggers = signalr_triggers;
    for path in deployment.write(&folder).map_err(CommandError::Failed)? {
        announce(&format!("Wrote    {}", path.display()));
    }
    for name in deployment.left_over(&folder).map_err(CommandError::Failed)? {
        announce(&format!("Left     {name}: not a function of a hub; delete it if it is unused"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Arguments, CommandError> {
        Arguments::of(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn folder_and_form_are_accepted_in_any_order() {
        let wanted = || Arguments { folder: "out".into(), signalr_triggers: true };

        assert_eq!(parsed(&["out", "--signalr-triggers"]).unwrap(), wanted());
        assert_eq!(parsed(&["--signalr-triggers", "out"]).unwrap(), wanted());
        let default = Arguments { folder: ".".into(), signalr_triggers: false };
        assert_eq!(parsed(&[]).unwrap(), default);
    }

    #[test]
    fn unknown_arguments_are_refused() {
        for (arguments, unknown) in [(&["--triggers"][..], "--triggers"), (&["a", "b"], "b")] {
            let Err(CommandError::Usage(text)) = parsed(arguments) else { panic!("{unknown}") };
            assert_eq!(text, format!("unexpected argument `{unknown}`"));
        }
    }
}
