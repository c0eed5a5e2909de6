//! The command `deploy-files` of an app.

use std::{ffi::OsString, path::PathBuf};

use hub_core::names::nearest;

use super::Deployment;
use crate::{
    HubApp,
    host::command_line::{AppRoutes, Command, CommandError},
    start_line::announce,
};

pub(crate) const COMMAND: Command = Command {
    name: "deploy-files",
    arguments: "[FOLDER] [--container-apps | --function-json | --signalr-triggers]",
    help: "Writes the files of a deployment to Azure to FOLDER (default: the working directory).

Without an option, the files are for Azure Functions, with the routes in host.json.

Options:
  --container-apps    the files of Azure Container Apps, in the folder container-apps
  --function-json     Azure Functions, with a function.json for each route
  --signalr-triggers  Azure Functions, with a signalRTrigger for each event, instead of one HTTP function",
    run,
};

/// A change of the deployment.
type Apply = fn(Deployment) -> Deployment;

/// The options, which exclude each other.
const OPTIONS: [(&str, Apply); 3] = [
    ("--container-apps", Deployment::container_apps),
    ("--function-json", Deployment::function_json),
    ("--signalr-triggers", Deployment::signalr_triggers),
];

/// The parsed arguments.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    folder: PathBuf,
    /// The index in [`OPTIONS`].
    option: Option<usize>,
}

impl Arguments {
    fn of(arguments: &[OsString]) -> Result<Self, CommandError> {
        let (mut folder, mut option) = (None, None);
        for argument in arguments {
            let text = argument.to_str();
            let known = OPTIONS.iter().position(|(name, _)| text == Some(*name));
            match (known, option) {
                (Some(known), Some(given)) if known != given => {
                    let [given, known] = [given, known].map(|index: usize| OPTIONS[index].0);
                    let problem = format!("`{given}` and `{known}` exclude each other");
                    return Err(CommandError::Usage(problem));
                }
                (Some(_), _) => option = known,
                (None, _) if folder.is_none() && text.is_none_or(|text| !text.starts_with('-')) => {
                    folder = Some(PathBuf::from(argument));
                }
                (None, _) => {
                    let shown = argument.to_string_lossy();
                    let meant = nearest(&shown, OPTIONS.map(|(name, _)| name));
                    let meant = meant.map(|known| format!("; did you mean `{known}`?"));
                    let problem =
                        format!("unexpected argument `{shown}`{}", meant.unwrap_or_default());
                    return Err(CommandError::Usage(problem));
                }
            }
        }
        Ok(Self { folder: folder.unwrap_or_else(|| PathBuf::from(".")), option })
    }
}

/// Writes the files and prints their paths.
fn run(app: &HubApp, arguments: &[OsString], routes: AppRoutes) -> Result<(), CommandError> {
    let Arguments { folder, option } = Arguments::of(arguments)?;
    let mut deployment = app.deployment();
    if let Some(option) = option {
        deployment = OPTIONS[option].1(deployment);
    }
    deployment.own_routes = routes == AppRoutes::Own;
    for path in deployment.write(&folder).map_err(CommandError::Failed)? {
        announce(&format!("Wrote    {}", path.display()));
    }
    for name in deployment.left_over(&folder).map_err(CommandError::Failed)? {
        announce(&format!("Left     {name}: not a function of a hub; delete it if it is unused"));
    }
    for note in deployment.notes() {
        announce(&format!("Note     {note}"));
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
    fn folder_and_option_are_accepted_in_any_order() {
        for (index, (option, _)) in OPTIONS.iter().enumerate() {
            let wanted = || Arguments { folder: "out".into(), option: Some(index) };

            assert_eq!(parsed(&["out", option]).unwrap(), wanted());
            assert_eq!(parsed(&[option, "out", option]).unwrap(), wanted());
        }
        let default = Arguments { folder: ".".into(), option: None };
        assert_eq!(parsed(&[]).unwrap(), default);
    }

    #[test]
    fn unknown_arguments_and_options_that_exclude_each_other_are_refused() {
        for (arguments, problem) in [
            (&["--triggers"][..], "unexpected argument `--triggers`"),
            (
                &["--container-app"],
                "unexpected argument `--container-app`; did you mean `--container-apps`?",
            ),
            (&["a", "b"], "unexpected argument `b`"),
            (
                &["--function-json", "a", "--container-apps"],
                "`--function-json` and `--container-apps` exclude each other",
            ),
        ] {
            let Err(CommandError::Usage(text)) = parsed(arguments) else { panic!("{problem}") };
            assert_eq!(text, problem);
        }
    }
}
