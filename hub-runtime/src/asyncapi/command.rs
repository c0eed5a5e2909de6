//! The command `asyncapi` of an app.

use std::{ffi::OsString, io, path::PathBuf};

use super::without_schema;
use crate::{
    HubApp,
    host::command_line::{AppRoutes, Command, CommandError},
    start_line::announce,
};

pub(crate) const COMMAND: Command = Command {
    name: "asyncapi",
    arguments: "PATH [--check]",
    help: "Writes an AsyncAPI document of the hubs to the file PATH.

Options:
  --check  writes nothing; fails and prints the difference if the file is not current",
    run,
};

/// The parsed arguments.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    path: PathBuf,
    check: bool,
}

impl Arguments {
    fn of(arguments: &[OsString]) -> Result<Self, CommandError> {
        let (mut path, mut check) = (None, false);
        for argument in arguments {
            match &*argument.to_string_lossy() {
                "--check" => check = true,
                text if path.is_none() && !text.starts_with('-') => {
                    path = Some(PathBuf::from(argument));
                }
                text => {
                    return Err(CommandError::Usage(format!("unexpected argument `{text}`")));
                }
            }
        }
        let path = path.ok_or_else(|| CommandError::Usage("PATH is missing".to_owned()))?;
        Ok(Self { path, check })
    }
}

/// Writes or compares the file, and prints what was done.
fn run(app: &HubApp, arguments: &[OsString], _: AppRoutes) -> Result<(), CommandError> {
    let Arguments { path, check } = Arguments::of(arguments)?;
    let document = app.asyncapi();
    let shown = path.display();
    for name in document.types_without_schema() {
        eprintln!("warning: {}", without_schema(name));
    }
    if !check {
        let changed = document.write(&path).map_err(CommandError::Failed)?;
        announce(&format!("{} {shown}", if changed { "Wrote   " } else { "Current " }));
        return Ok(());
    }
    let Some(diff) = document.diff(&path).map_err(CommandError::Failed)? else {
        announce(&format!("Current  {shown}"));
        return Ok(());
    };
    announce(diff.trim_end());
    let text = format!("`{shown}` is not current: run the command without --check");
    Err(CommandError::Failed(io::Error::other(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Arguments, CommandError> {
        Arguments::of(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_accepted_in_any_order() {
        let wanted = |check| Arguments { path: "a.json".into(), check };

        assert_eq!(parsed(&["a.json"]).unwrap(), wanted(false));
        assert_eq!(parsed(&["a.json", "--check"]).unwrap(), wanted(true));
        assert_eq!(parsed(&["--check", "a.json"]).unwrap(), wanted(true));
    }

    #[test]
    fn invalid_arguments_are_refused_with_the_reason() {
        for (arguments, reason) in [
            (&["--check"][..], "PATH is missing"),
            (&["a.json", "b.json"], "unexpected argument `b.json`"),
            (&["a.json", "--chek"], "unexpected argument `--chek`"),
        ] {
            let Err(CommandError::Usage(text)) = parsed(arguments) else { panic!("{arguments:?}") };
            assert_eq!(text, reason);
        }
    }
}
