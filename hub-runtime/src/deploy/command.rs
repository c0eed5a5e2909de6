//! The argument `deploy-files` of an app.

use std::{ffi::OsString, io, path::PathBuf};

use crate::{HubApp, host::DEPLOY_FILES, start_line::announce};

/// The parsed arguments of `deploy-files`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    folder: PathBuf,
    signalr_triggers: bool,
}

impl Command {
    /// Parses the arguments of the process, without the name of the program. Returns `None` if the first
    /// argument is not `deploy-files`.
    ///
    /// # Errors
    /// When an argument is unknown. The text of the error is the usage.
    pub(crate) fn of(arguments: impl IntoIterator<Item = OsString>) -> io::Result<Option<Self>> {
        let mut arguments = arguments.into_iter();
        if arguments.next().is_none_or(|first| first != DEPLOY_FILES) {
            return Ok(None);
        }
        let (mut folder, mut signalr_triggers) = (None, false);
        for argument in arguments {
            match argument.to_str() {
                Some("--signalr-triggers") => signalr_triggers = true,
                text if folder.is_none() && text.is_none_or(|text| !text.starts_with('-')) => {
                    folder = Some(PathBuf::from(argument));
                }
                _ => {
                    let text = format!("usage: {DEPLOY_FILES} [FOLDER] [--signalr-triggers]");
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
                }
            }
        }
        Ok(Some(Self { folder: folder.unwrap_or_else(|| PathBuf::from(".")), signalr_triggers }))
    }

    /// Writes the files and prints their paths.
    pub(crate) fn execute(&self, app: &HubApp, own_routes: bool) -> io::Result<()> {
        let mut deployment = app.deployment();
        deployment.own_routes = own_routes;
        deployment.signalr_triggers = self.signalr_triggers;
        for path in deployment.write(&self.folder)? {
            announce(&format!("Wrote    {}", path.display()));
        }
        for name in deployment.left_over(&self.folder)? {
            announce(&format!(
                "Left     {name}: not a function of a hub; delete it if it is unused"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(arguments: &[&str]) -> io::Result<Option<Command>> {
        Command::of(arguments.iter().map(OsString::from))
    }

    #[test]
    fn only_the_first_argument_can_be_deploy_files() {
        assert_eq!(command(&[]).unwrap(), None);
        assert_eq!(command(&["serve", DEPLOY_FILES]).unwrap(), None);
        let asked = command(&[DEPLOY_FILES]).unwrap().unwrap();
        assert_eq!(asked, Command { folder: ".".into(), signalr_triggers: false });
    }

    #[test]
    fn folder_and_form_are_accepted_in_any_order() {
        let wanted = Command { folder: "out".into(), signalr_triggers: true };

        assert_eq!(command(&[DEPLOY_FILES, "out", "--signalr-triggers"]).unwrap().unwrap(), wanted);
        assert_eq!(command(&[DEPLOY_FILES, "--signalr-triggers", "out"]).unwrap().unwrap(), wanted);
    }

    #[test]
    fn unknown_arguments_are_refused() {
        for unknown in [&[DEPLOY_FILES, "--triggers"][..], &[DEPLOY_FILES, "a", "b"]] {
            assert!(command(unknown).unwrap_err().to_string().starts_with("usage: "));
        }
    }
}
