//! The languages of apps.

use std::{fmt, path::Path};

use clap::ValueEnum;

/// The language of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Rust,
    Node,
    Python,
}

impl Language {
    /// The language of the package that the command was installed with. `package` is its name in the variable
    /// `HUB_LOCAL_PACKAGE`, `program` is the path of the command without links. The command in a wheel is the program
    /// itself, so that no code of the package can set the variable. Virtual environments, which pipx and uv make too,
    /// have a `pyvenv.cfg`. Elsewhere, no file beside the command tells that it came with a wheel.
    pub(super) fn of_package(package: Option<&str>, program: Option<&Path>) -> Self {
        let environment = program.and_then(Path::parent).and_then(Path::parent);
        match package {
            Some("npm") => Self::Node,
            Some("pypi") => Self::Python,
            _ if environment.is_some_and(|it| it.join("pyvenv.cfg").is_file()) => Self::Python,
            _ => Self::Rust,
        }
    }

    /// The commands that prepare, test and run a new app, in its folder.
    pub(super) fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["cargo test", "cargo run"],
            Self::Node => &["npm install", "npm test", "npm start"],
            Self::Python if cfg!(windows) => &[
                "py -m venv .venv",
                ".venv\\Scripts\\pip install -e \".[dev]\"",
                ".venv\\Scripts\\pytest",
                ".venv\\Scripts\\python -m app",
            ],
            Self::Python => &[
                "python3 -m venv .venv",
                ".venv/bin/pip install -e \".[dev]\"",
                ".venv/bin/pytest",
                ".venv/bin/python -m app",
            ],
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Rust => "Rust",
            Self::Node => "Node",
            Self::Python => "Python",
        })
    }
}
