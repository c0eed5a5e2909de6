//! The page of all commands and options.

use clap::{Arg, ArgAction, Command as Model, CommandFactory as _};

use super::Cli;
use crate::reference_page;

/// A cell of a table: one line, in which `|` has no meaning.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// The spellings of an argument, with its value.
fn spelling(argument: &Arg) -> String {
    let value = argument.get_action().takes_values();
    let names = argument.get_value_names().unwrap_or_default();
    let name = names.first().map_or(argument.get_id().as_str(), |name| name.as_str());
    if argument.is_positional() {
        return code(&name.to_ascii_uppercase());
    }
    let long = argument.get_long().map(|long| format!("--{long}"));
    let long = long.map(|long| if value { format!("{long} {name}") } else { long });
    let short = argument.get_short().map(|short| format!("-{short}"));
    let both: Vec<_> = short.into_iter().chain(long).map(|text| code(&text)).collect();
    both.join(", ")
}

/// The help without `[default: …]`, and this default.
fn help_and_default(argument: &Arg) -> (String, String) {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let help = cell(&help);
    if let Some((text, default)) = help.split_once(" [default: ") {
        return (text.to_owned(), default.trim_end_matches(']').to_owned());
    }
    let values: Vec<_> =
        argument.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
    let is_switch = matches!(argument.get_action(), ArgAction::SetTrue | ArgAction::SetFalse);
    let default =
        if values.is_empty() || is_switch { String::new() } else { code(&values.join(",")) };
    (help, default)
}

fn row(argument: &Arg) -> String {
    let (mut help, default) = help_and_default(argument);
    let possible = argument.get_possible_values();
    if argument.get_action().takes_values() && !possible.is_empty() {
        let values: Vec<_> = possible.iter().map(|value| code(value.get_name())).collect();
        help = format!("{help}: {}", values.join(", "));
    }
    let variable = argument.get_env().map(|name| code(&name.to_string_lossy())).unwrap_or_default();
    format!("| {} | {help} | {default} | {variable} |\n", spelling(argument))
}

/// The section of a command, then those of its subcommands.
fn section(command: &Model, path: &str) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let mut text = format!("## {path}\n\n{}\n", about.trim());
    let mut heading = None;
    let shown = command.get_arguments().filter(|it| !it.is_hide_set() && it.get_id() != "help");
    for argument in shown.filter(|it| it.get_id() != "version") {
        let below = argument.get_help_heading().unwrap_or_default();
        if heading != Some(below) {
            let title = if below.is_empty() { String::new() } else { format!("{below}:\n\n") };
            text +=
                &format!("\n{title}| Option | Meaning | Default | Variable |\n|---|---|---|---|\n");
            heading = Some(below);
        }
        text += &row(argument);
    }
    text += "\n";
    for below in command.get_subcommands().filter(|it| it.get_name() != "help") {
        text += &section(below, &format!("{path} {}", below.get_name()));
    }
    text
}

#[test]
fn the_page_has_every_command_and_option() {
    let mut model = Cli::command();
    model.build();
    let mut page = reference_page::head(
        "Commands of hub-local",
        "the command line in `hub-local/src/command`",
        "--features cli --bin hub-local reference",
    );
    page += "Each command has `--help`. [hub-local](../../hub-local/README.md#commands) describes what the commands do.\n\n";
    page += section(&model, "hub-local").trim_end();
    page += "\n";
    assert!(page.contains("## hub-local start\n") && page.contains("`HUB_LOCAL_KEY`"), "{page}");
    reference_page::check("commands.md", &page);
}
