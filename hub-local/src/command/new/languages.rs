//! The languages of apps.

use std::{fmt, fs, path::Path};

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
    /// itself, so that no code of the package can set the variable.
    pub(super) fn of_package(package: Option<&str>, program: Option<&Path>) -> Self {
        let prefix = program.and_then(Path::parent).and_then(Path::parent);
        match package {
            Some("npm") => Self::Node,
            Some("pypi") => Self::Python,
            _ if prefix.is_some_and(has_python_package) => Self::Python,
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

/// Whether Python's package of this command is installed below a folder, in whose folder for programs the command is.
fn has_python_package(prefix: &Path) -> bool {
    // Virtual environments, which pipx and uv make too, have a `pyvenv.cfg`.
    prefix.join("pyvenv.cfg").is_file() || has_wheel(prefix) || {
        // `pip install --user`, and systems without an environment: `lib/python3.13/site-packages` on Linux,
        // `lib64` on Fedora and openSUSE, `lib/python/site-packages` and `lib/python3.13/site-packages` on macOS,
        // `dist-packages` on Debian. On Windows `site-packages` and `Lib\site-packages`.
        let folders = ["lib", "lib64"].map(|it| fs::read_dir(prefix.join(it)));
        let below = folders.into_iter().flatten().flatten().flatten();
        let libraries = below.map(|it| it.path()).chain([prefix.to_owned(), prefix.join("Lib")]);
        let kinds = ["site-packages", "dist-packages"];
        libraries.flat_map(|it| kinds.map(|kind| it.join(kind))).any(|it| has_wheel(&it))
    }
}

/// Whether the metadata of the wheel is in a folder for packages; `pip install --target` makes such a folder, too.
fn has_wheel(packages: &Path) -> bool {
    let entries = fs::read_dir(packages).into_iter().flatten().flatten();
    entries.filter_map(|it| it.file_name().into_string().ok()).any(|name| {
        name.strip_prefix("hub_local-").is_some_and(|version| version.ends_with(".dist-info"))
    })
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
