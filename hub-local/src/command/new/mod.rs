//! `hub-local new`: writes a small app.

mod dependencies;
mod folder;
mod languages;
mod name;
mod templates;
mod tools;
mod write;

use std::path::PathBuf;

use clap::Args;
use hub_core::setting_names::PACKAGE;

use self::{dependencies::Dependencies, folder::Folder, languages::Language, name::Name};
use super::{Failure, output};

const EXAMPLES: &str = "\
Examples:
  hub-local new my-app
  hub-local new my-app --lang node
  mkdir my-app && cd my-app && hub-local new .

The app has a hub, a page, tests, a Dockerfile, a CI file and a README. Nothing is overwritten.

Exit codes: 0 success, 1 failure, 2 invalid command line.";

/// Options of `new`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct NewArgs {
    /// Folder of the app: a new one, or an empty one. Its name is the name of the app
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Language of the app [default: rust; node if the npm package starts the command, python if the command came with the Python package]
    #[arg(short, long, value_name = "LANGUAGE")]
    lang: Option<Language>,
    /// Name of the app, if it is not that of the folder
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Take this project from a path instead of a registry: a checkout (rust), a file of `npm pack` or the folder of a package
    /// (node; can be repeated), a wheel (python)
    #[arg(long, value_name = "PATH")]
    path: Vec<PathBuf>,
}

/// Writes the app and prints the next commands.
pub(super) fn run(arguments: &NewArgs) -> Result<(), Failure> {
    let language = arguments.lang.unwrap_or_else(|| {
        // On macOS, the path of a command that was started by a link is that of the link, as pipx makes it.
        let program = std::env::current_exe().and_then(std::fs::canonicalize).ok();
        Language::of_package(std::env::var(PACKAGE).ok().as_deref(), program.as_deref())
    });
    let text = create(arguments, language)?;
    if let Some(warning) = tools::missing(language, &tools::version) {
        output::note(format_args!("warning: {warning}"));
    }
    output::print(text.trim_end());
    Ok(())
}

/// Writes the app. Returns the text for the user.
fn create(arguments: &NewArgs, language: Language) -> Result<String, Failure> {
    let folder = Folder::check(&arguments.folder).map_err(Failure::Failed)?;
    let name = match &arguments.name {
        Some(name) => name,
        None => folder.name().map_err(Failure::Usage)?,
    };
    let name = Name::check(name, language).map_err(Failure::Usage)?;
    let dependencies = Dependencies::of(language, &arguments.path).map_err(Failure::Failed)?;
    let files = templates::files(language, &name, &dependencies, folder.is_below_manifest());
    write::write(&folder, &files).map_err(Failure::Failed)?;
    Ok(next(language, &folder, files.len()))
}

/// The text after the app is written.
fn next(language: Language, folder: &Folder, files: usize) -> String {
    let enter = folder.enter();
    let commands = enter.iter().map(String::as_str).chain(language.commands().iter().copied());
    let commands: String = commands.map(|command| format!("  {command}\n")).collect();
    let shown = folder.shown();
    format!(
        "Created an app in {language} with {files} files: {shown}\n\nNext:\n{commands}\nThen open http://127.0.0.1:7071 in two tabs. README.md says what to change.\n"
    )
}

#[cfg(test)]
mod tests;
