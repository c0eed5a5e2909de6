//! `local.settings.json` of the Azure Functions Core Tools.

use std::collections::BTreeMap;

use hub_core::{names, relaxed_json};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::SettingProblem;

/// The keys of the file that are read.
const KEYS: [&str; 4] = ["IsEncrypted", "Values", "ConnectionStrings", "Host"];

/// The content of the file.
#[derive(Debug)]
pub(crate) struct LocalSettings {
    pub(crate) values: Vec<(String, String)>,
    /// The origins in `Host.CORS`.
    pub(crate) origins: Vec<String>,
}

/// Parses the file as the Functions Core Tools do: with comments and trailing commas, and without regard to
/// the case of its keys.
pub(crate) fn parse(json: &str) -> Result<LocalSettings, SettingProblem> {
    let mut file: Map<String, Value> = serde_json::from_str(&relaxed_json::to_plain(json))
        .map_err(|error| problem(format!("is not a settings file: {error}")))?;
    if take(&mut file, "IsEncrypted")?.unwrap_or(false) {
        let text =
            "is encrypted: run `func settings decrypt`, or set the variables in the environment";
        return Err(problem(text.to_owned()));
    }
    let file_values: BTreeMap<String, Value> = take(&mut file, "Values")?.unwrap_or_default();
    let connection_strings: BTreeMap<String, Value> =
        take(&mut file, "ConnectionStrings")?.unwrap_or_default();
    let mut host: Map<String, Value> = take(&mut file, "Host")?.unwrap_or_default();
    let origins: String = take(&mut host, "CORS")?.unwrap_or_default();
    for key in file.keys() {
        if let Some(known) = names::nearest(key, KEYS) {
            return Err(problem(format!("has an unknown key {key}; did you mean {known}?")));
        }
    }
    let mut values = Vec::new();
    for (name, value) in file_values {
        values.push((name.clone(), text(&format!("Values.{name}"), value)?));
    }
    for (name, value) in connection_strings {
        // A string, or an object with the string and the name of a database driver.
        let value = match value {
            Value::Object(mut entry) => entry.remove("ConnectionString").unwrap_or(Value::Null),
            value => value,
        };
        let value = text(&format!("ConnectionStrings.{name}"), value)?;
        values.push((format!("ConnectionStrings:{name}"), value));
    }
    let origins = origins.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    Ok(LocalSettings { values, origins: origins.map(str::to_owned).collect() })
}

fn text(name: &str, value: Value) -> Result<String, SettingProblem> {
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err(problem(format!(
            "has a value at {name} that is not a string: write names with `:` instead of nested objects"
        ))),
    }
}

/// Removes the value of a key in any case. `null` counts as missing.
fn take<T: DeserializeOwned>(
    object: &mut Map<String, Value>,
    key: &str,
) -> Result<Option<T>, SettingProblem> {
    let written = object.keys().find(|written| written.eq_ignore_ascii_case(key)).cloned();
    let value = written.and_then(|written| object.remove(&written));
    let value = value.map(serde_json::from_value::<Option<T>>).transpose();
    value
        .map(Option::flatten)
        .map_err(|error| problem(format!("has a value at {key} that cannot be used: {error}")))
}

fn problem(problem: String) -> SettingProblem {
    SettingProblem::File { problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_connection_strings_and_origins_are_read() {
        let parsed = parse(
            r#"{
                "IsEncrypted": false,
                "Values": { "FUNCTIONS_WORKER_RUNTIME": "Custom", "A:b": "1", "Flag": true },
                "ConnectionStrings": { "Chat": "Endpoint=x", "Old": { "ConnectionString": "y", "ProviderName": "p" } },
                "Host": { "LocalHttpPort": 7071, "CORS": "http://localhost:8080, https://app.example", "CORSCredentials": true }
            }"#,
        )
        .unwrap();

        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            parsed.values,
            [
                pair("A:b", "1"),
                pair("FUNCTIONS_WORKER_RUNTIME", "Custom"),
                pair("Flag", "true"),
                pair("ConnectionStrings:Chat", "Endpoint=x"),
                pair("ConnectionStrings:Old", "y"),
            ]
        );
        assert_eq!(parsed.origins, ["http://localhost:8080", "https://app.example"]);
    }

    #[test]
    fn comments_trailing_commas_and_keys_in_any_case_are_accepted() {
        let json = r#"{
            // Written by `func init`.
            "isEncrypted": false, /* not yet */
            "values": { "A": "http://x//y", "B": ",}", },
            "host": { "cors": "http://localhost:8080", },
        }"#;

        let parsed = parse(json).unwrap();

        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(parsed.values, [pair("A", "http://x//y"), pair("B", ",}")]);
        assert_eq!(parsed.origins, ["http://localhost:8080"]);
    }

    #[test]
    fn an_error_after_a_comment_has_the_position_in_the_file() {
        let error = parse("{ /* two\nlines */ \"Values\": { \"A\" } }").unwrap_err().to_string();

        assert!(error.ends_with("at line 2 column 26"), "{error}");
    }

    #[test]
    fn a_byte_order_mark_and_an_empty_file_are_accepted() {
        assert!(parse("\u{feff}{}").unwrap().values.is_empty());
    }

    #[test]
    fn errors_name_the_setting_or_the_problem() {
        let error = |json| parse(json).unwrap_err().to_string();

        assert_eq!(
            error(r#"{"IsEncrypted":true}"#),
            "local.settings.json is encrypted: run `func settings decrypt`, or set the variables in the environment"
        );
        assert!(
            error(r#"{"Values":{"A":{"b":"1"}}}"#).contains("at Values.A that is not a string")
        );
        assert_eq!(
            error(r#"{"Value":{"A":"1"}}"#),
            "local.settings.json has an unknown key Value; did you mean Values?"
        );
        assert!(error(r#"{"Values":["A"]}"#).contains("has a value at Values that cannot be used"));
        assert!(error("7").starts_with("local.settings.json is not a settings file: "));
    }
}
