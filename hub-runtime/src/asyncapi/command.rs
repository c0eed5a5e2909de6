//! The command `asyncapi` of an app.

use std::{ffi::OsString, io, path::PathBuf};

use super::{AsyncApi, without_schema};
use crate::{
    HubApp,
    host::command_line::{AppRoutes, Command, CommandError},
    start_line::announce,
};

pub(crate) const COMMAND: Command = Command {
    name: "asyncapi",
    arguments: "PATH [--title TITLE] [--version VERSION] [--check]",
    help: "Writes an AsyncAPI document of the hubs to the file PATH.

Options:
  --title TITLE      the title (default: the names of the hubs)
  --version VERSION  the version of the app (default: 0.0.0)
  --check            writes nothing; fails and prints the difference if the file is not current",
    run,
};

/// The parsed arguments.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    path: PathBuf,
    title: Option<String>,
    version: Option<String>,
    check: bool,
}

impl Arguments {
    fn of(arguments: &[OsString]) -> Result<Self, CommandError> {
        let (mut path, mut title, mut version, mut check) = (None, None, None, false);
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy();
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (&*text, None),
            };
            let target = match name {
                "--title" => &mut title,
                "--version" => &mut version,
                "--check" if value.is_none() => {
                    check = true;
                    continue;
                }
                _ if path.is_none() && !text.starts_with('-') => {
                    path = Some(PathBuf::from(argument));
                    continue;
                }
                _ => return Err(CommandError::Usage(format!("unexpected argument `{text}`"))),
            };
            let next = || arguments.next().map(|value| value.to_string_lossy().into_owned());
            let Some(value) = value.or_else(next) else {
                return Err(CommandError::Usage(format!("`{name}` needs a value")));
            };
            *target = Some(value);
        }
        let path = path.ok_or_else(|| CommandError::Usage("PATH is missing".to_owned()))?;
        Ok(Self { path, title, version, check })
    }

    fn document(&self, app: &HubApp) -> AsyncApi {
        let mut document = app.asyncapi();
        if let Some(title) = &self.title {
            document = document.title(title);
        }
        if let Some(version) = &self.version {
            document = document.version(version);
        }
        document
    }
}

/// Writes or compares the file, and prints what was done.
fn run(app: &HubApp, arguments: &[OsString], _: AppRoutes) -> Result<(), CommandError> {
    let arguments = Arguments::of(arguments)?;
    let document = arguments.document(app);
    let Arguments { path, check, .. } = arguments;
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
        let wanted = |check| Arguments { path: "a.json".into(), title: None, version: None, check };

        assert_eq!(parsed(&["a.json"]).unwrap(), wanted(false));
        assert_eq!(parsed(&["a.json", "--check"]).unwrap(), wanted(true));
        assert_eq!(parsed(&["--check", "a.json"]).unwrap(), wanted(true));
        let info = Arguments {
            title: Some("A chat".to_owned()),
            version: Some("1=2".to_owned()),
            ..wanted(true)
        };
        let all = ["--title", "A chat", "a.json", "--version=1=2", "--check"];
        assert_eq!(parsed(&all).unwrap(), info);
    }

    #[test]
    fn invalid_arguments_are_refused_with_the_reason() {
        for (arguments, reason) in [
            (&["--check"][..], "PATH is missing"),
            (&["a.json", "b.json"], "unexpected argument `b.json`"),
            (&["a.json", "--chek"], "unexpected argument `--chek`"),
            (&["a.json", "--check=1"], "unexpected argument `--check=1`"),
            (&["a.json", "--title"], "`--title` needs a value"),
        ] {
            let Err(CommandError::Usage(text)) = parsed(arguments) else { panic!("{arguments:?}") };
            assert_eq!(text, reason);
        }
    }
}
