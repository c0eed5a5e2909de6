//! The tables of `docs/settings.md` have the names and the defaults of the code.

use std::{collections::BTreeSet, fs, path::Path};

use hub_core::setting_names::{
    APP, BELOW_CONNECTION, BELOW_ENDPOINT, CONNECTION_STRING_PREFIXES, ENDPOINTS,
};

use crate::{
    build::embedded,
    config::{Settings, SignalR, env},
    host,
    rest::RestOptions,
};

/// A row of a table of settings: the names, and the cell with the default.
type Row = (Vec<String>, String);

/// The rows of all tables of settings.
fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let page = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let (mut rows, mut default_column) = (Vec::new(), None);
    for line in page.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        match cells.as_slice() {
            ["", "Setting", ..] => {
                default_column = Some(cells.iter().position(|cell| *cell == "Default"));
            }
            ["", first, ..] if !first.starts_with("---") => {
                let Some(column) = default_column else { continue };
                let default = column.map(|at| cells[at].to_owned()).unwrap_or_default();
                rows.push((names(first), default));
            }
            [_] => default_column = None,
            _ => {}
        }
    }
    rows
}

/// The names in a cell, without values; `…` stands for the first part of the name before.
fn names(cell: &str) -> Vec<String> {
    let spans = cell.split('`').skip(1).step_by(2);
    let names = spans.map(|span| span.split('=').next().unwrap_or_default());
    names.map(|name| name.replace('…', ENDPOINTS)).collect()
}

/// The default of a setting on the page.
fn default_of(name: &str) -> String {
    let row = rows().into_iter().find(|(names, _)| names.iter().any(|it| it == name));
    row.unwrap_or_else(|| panic!("docs/settings.md has no row with {name}")).1
}

#[test]
fn the_page_has_the_settings_that_are_read_and_no_others() {
    let read = CONNECTION_STRING_PREFIXES[..2].iter().map(|prefix| prefix.replace(':', "__"));
    let connection =
        read.chain([String::new()]).map(|prefix| format!("{prefix}<name>")).collect::<Vec<_>>();
    let below = |parent: &str, keys: &[&str]| -> Vec<String> {
        keys.iter().map(|key| format!("{parent}__{key}")).collect()
    };
    let endpoint = format!("{ENDPOINTS}__<endpoint>");
    let of_hosts = [
        env::PORT,
        env::APP_SERVICE_AUTH,
        env::FUNCTIONS_PORT,
        env::OLD_FUNCTIONS_PORT,
        env::LAMBDA_RUNTIME_API,
        env::FUNCTIONS_ENVIRONMENT,
    ];
    let own = of_hosts.iter().chain(&env::FUNCTIONS).chain(&env::CLOUD_HOSTS).chain(&APP);
    let expected: BTreeSet<_> = connection
        .into_iter()
        .chain(below("<name>", &BELOW_CONNECTION))
        .chain([endpoint.clone()])
        .chain(below(&endpoint, &["primary", "secondary", "serviceUri"]))
        .chain(below(&endpoint, &BELOW_ENDPOINT))
        .chain(own.map(|name| (*name).to_owned()))
        .collect();

    let found: BTreeSet<_> = rows().into_iter().flat_map(|(names, _)| names).collect();

    let missing: Vec<_> = expected.difference(&found).collect();
    let unknown: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "docs/settings.md lacks {missing:?}, and has {unknown:?}, which nothing reads"
    );
}

#[test]
fn the_defaults_of_the_page_are_those_of_the_code() {
    let names = APP.iter().filter(|name| name.starts_with("AzureSignalR"));
    let pairs: Vec<_> = names.map(|name| (*name, default_of(name).replace('`', ""))).collect();
    assert_eq!(pairs.len(), 5);
    assert!(pairs.iter().all(|(_, default)| !default.is_empty()), "{pairs:?}");
    let service = "Endpoint=https://x.service.signalr.net;AccessKey=k;Version=1.0;";
    let pairs = pairs.iter().map(|(name, default)| (*name, default.as_str()));
    let settings: Settings = pairs.chain([(env::CONNECTION_STRING, service)]).collect();

    let rest = SignalR::from_settings(settings).unwrap().rest.options(None, None, false);

    let RestOptions { timeout, retries, .. } = RestOptions::default();
    assert_eq!((rest.timeout, rest.retries), (timeout, retries));
    assert_eq!(default_of(env::PORT), host::DEFAULT_PORT.to_string());
    let port = embedded::DEFAULT_PORT;
    assert_eq!(default_of(env::LOCAL_PORT), format!("{port}, or a free port if {port} is in use"));
}
