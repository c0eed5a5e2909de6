//! The command `typescript` of an app.

use std::{ffi::OsString, io, path::PathBuf};

use super::{TypeScript, without_schema};
use crate::{
    HubApp,
    host::command_line::{AppRoutes, Command, CommandError},
    start_line::announce,
};

pub(crate) const COMMAND: Command = Command {
    name: "typescript",
    arguments: "PATH [--protocol json|messagepack] [--js] [--check]",
    help: "Writes typed functions for the pages of the app to the file PATH.

Options:
  --protocol PROTOCOL  the protocol of the connections: json (default) or messagepack
  --js                 JavaScript in PATH, and its types in a file beside it that ends in .d.ts
  --check              writes nothing; fails and prints the difference if the file is not current",
    run,
};

/// The parsed arguments.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    path: PathBuf,
    messagepack: bool,
    javascript: bool,
    check: bool,
}

impl Arguments {
    fn of(arguments: &[OsString]) -> Result<Self, CommandError> {
        let usage = |text: String| Err(CommandError::Usage(text));
        let (mut path, mut messagepack, mut javascript, mut check) = (None, false, false, false);
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy();
            let protocol = match &*text {
                "--protocol" => match arguments.next() {
                    Some(protocol) => Some(protocol.to_string_lossy()),
                    None => {
                        return usage("`--protocol` needs a value: json or messagepack".to_owned());
                    }
                },
                _ => text.strip_prefix("--protocol=").map(Into::into),
            };
            match (&*text, protocol.as_deref()) {
                (_, Some("json")) => messagepack = false,
                (_, Some("messagepack")) => messagepack = true,
                (_, Some(other)) => {
                    return usage(format!("unknown protocol `{other}`: json or messagepack"));
                }
                ("--js", _) => javascript = true,
                ("--check", _) => check = true,
                (text, _) if path.is_none() && !text.starts_with('-') => {
                    path = Some(PathBuf::from(argument));
                }
                (text, _) => return usage(format!("unexpected argument `{text}`")),
            }
        }
        match path {
            Some(path) => Ok(Self { path, messagepack, javascript, check }),
            None => usage("PATH is missing".to_owned()),
        }
    }

    fn module(&self, app: &HubApp) -> TypeScript {
        let mut module = app.typescript();
        if self.messagepack {
            module = module.messagepack();
        }
        if self.javascript {
            module = module.javascript();
        }
        module
    }
}

/// Writes or compares the file, and prints what was done.
fn run(app: &HubApp, arguments: &[OsString], _: AppRoutes) -> Result<(), CommandError> {
    let arguments = Arguments::of(arguments)?;
    let module = arguments.module(app);
    let path = arguments.path.display();
    for name in module.types_without_schema() {
        eprintln!("warning: {}", without_schema(name));
    }
    if !arguments.check {
        let changed = module.write(&arguments.path).map_err(CommandError::Failed)?;
        announce(&format!("{} {path}", if changed { "Wrote   " } else { "Current " }));
        return Ok(());
    }
    let differences = module.differences(&arguments.path).map_err(CommandError::Failed)?;
    if differences.is_empty() {
        announce(&format!("Current  {path}"));
        return Ok(());
    }
    for (_, text) in &differences {
        announce(text.trim_end());
    }
    let stale: Vec<_> =
        differences.iter().map(|(path, _)| format!("`{}`", path.display())).collect();
    let verb = if stale.len() == 1 { "is" } else { "are" };
    let text =
        format!("{} {verb} not current: run the command without --check", stale.join(" and "));
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
        let wanted = |messagepack| Arguments {
            path: "a.js".into(),
            messagepack,
            javascript: true,
            check: true,
        };

        let all = ["--check", "--protocol", "messagepack", "a.js", "--js"];
        assert_eq!(parsed(&all).unwrap(), wanted(true));
        assert_eq!(parsed(&["a.js", "--js", "--protocol=json", "--check"]).unwrap(), wanted(false));
    }

    #[test]
    fn invalid_arguments_are_refused_with_the_reason() {
        for (arguments, reason) in [
            (&[][..], "PATH is missing"),
            (&["a.ts", "b.ts"], "unexpected argument `b.ts`"),
            (&["a.ts", "--chek"], "unexpected argument `--chek`"),
            (&["a.ts", "--protocol"], "`--protocol` needs a value: json or messagepack"),
            (&["a.ts", "--protocol=xml"], "unknown protocol `xml`: json or messagepack"),
        ] {
            let Err(CommandError::Usage(text)) = parsed(arguments) else { panic!("{arguments:?}") };
            assert_eq!(text, reason);
        }
    }
}
