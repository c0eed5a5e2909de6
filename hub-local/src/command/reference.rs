//! The page of all commands and options.

use std::{collections::BTreeSet, fs, path::Path};

use clap::{Arg, ArgAction, Command as Model, CommandFactory as _};
use hub_core::setting_names::{COMMAND, LOAD, NPM_BINARY, PACKAGE};

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

/// The paragraphs below the options in the help of a command, without its examples.
fn notes(command: &Model) -> String {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let paragraphs = help.split("\n\n").filter(|it| !it.is_empty() && !it.starts_with("Examples:"));
    paragraphs.map(|it| format!("\n{it}\n")).collect()
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
    text += &notes(command);
    text += "\n";
    for below in command.get_subcommands().filter(|it| it.get_name() != "help") {
        text += &section(below, &format!("{path} {}", below.get_name()));
    }
    text
}

/// The variables of the options of a command and its subcommands.
fn variables(command: &Model) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(Arg::get_env);
    let own = own.map(|name| name.to_string_lossy().into_owned());
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

#[test]
fn the_variables_of_the_options_are_the_known_settings() {
    let of_packages = [NPM_BINARY, PACKAGE];
    let known = COMMAND.iter().chain(&LOAD).filter(|name| !of_packages.contains(name));

    assert_eq!(variables(&Cli::command()), known.map(|name| (*name).to_owned()).collect());
}

/// The long options of a command and its subcommands, such as `--port`.
fn options(command: &Model) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(Arg::get_long).map(|long| format!("--{long}"));
    own.chain(command.get_subcommands().flat_map(options)).collect()
}

#[test]
fn the_options_that_the_pages_name_exist() {
    const PAGES: [&str; 5] = [
        "hub-local/README.md",
        "docs/reference/causes.md",
        "docs/inspect.md",
        "docs/proxies.md",
        "docs/delivery.md",
    ];
    let of_other_programs =
        ["--format", "--health-cmd", "--prefix", "--read-only", "--target", "--ulimit", "--user"];
    let mut model = Cli::command();
    model.build(); // adds --help and --version
    let known = options(&model);

    for page in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{page}: {error}"));
        let spans = text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("--"));
        let names = spans.map(|span| span.split([' ', '=']).next().unwrap_or_default());
        let is_wrong = |name: &&str| !known.contains(*name) && !of_other_programs.contains(name);
        let unknown: BTreeSet<_> = names.filter(is_wrong).collect();

        assert_eq!(unknown, BTreeSet::new(), "{page} names options that no command has");
    }
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
