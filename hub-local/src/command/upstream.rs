//! `hub-local upstream`: writes and shows `settings.json`.

use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use hub_local::Settings;

use super::{Failure, output, reload::describe};

#[derive(Debug, Subcommand)]
pub(super) enum UpstreamCommand {
    /// Write a settings.json that sends all events to a Functions app on this machine
    Init {
        /// Folder to write to
        #[arg(short, long, value_name = "FOLDER", default_value = ".")]
        output: PathBuf,
        /// Overwrite an existing file without confirmation
        #[arg(long)]
        force: bool,
    },
    /// Show the templates of settings.json in matching order
    List {
        /// Settings file, or folder with a settings.json
        #[arg(short, long, value_name = "FILE OR FOLDER", default_value = ".")]
        config: PathBuf,
    },
}

pub(super) fn run(command: &UpstreamCommand) -> Result<(), Failure> {
    match command {
        UpstreamCommand::Init { output, force } => init(output, *force),
        UpstreamCommand::List { config } => list(config),
    }
}

fn init(folder: &Path, force: bool) -> Result<(), Failure> {
    let file = folder.join("settings.json");
    let shown = file.display();
    if file.exists() && !force && !overwrites(&file)? {
        return Err(Failure::Failed(format!("{shown} already exists and was not changed")));
    }
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, Settings::EXAMPLE))
        .map_err(|error| Failure::Failed(format!("cannot write {shown}: {error}")))?;
    output::print(format_args!("Wrote {shown}; edit its UrlTemplate, then run `hub-local start`."));
    Ok(())
}

/// Asks for confirmation on a terminal; fails without one.
fn overwrites(file: &Path) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        let file = file.display();
        return Err(Failure::Failed(format!("{file} already exists; use --force to overwrite it")));
    }
    let _ = write!(io::stdout(), "{} already exists. Overwrite it? [y/N] ", file.display());
    io::stdout().flush().map_err(Failure::failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Failure::failed)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn list(config: &Path) -> Result<(), Failure> {
    let file = Settings::file_of(config);
    let settings = Settings::read(&file).map_err(|error| Failure::Failed(describe(&error)))?;
    for warning in &settings.warnings {
        output::note(format_args!("warning: {warning}"));
    }
    if settings.templates.is_empty() {
        output::print(format_args!(
            "{} has no templates: no events are delivered.",
            file.display()
        ));
    }
    for (number, template) in settings.templates.iter().enumerate() {
        output::print(format_args!("{}. {template}\n   {}", number + 1, template.rules()));
    }
    Ok(())
}
