//! `local.settings.json` of the Azure Functions Core Tools.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::SettingProblem;

/// The content of the file.
#[derive(Debug)]
pub(crate) struct LocalSettings {
    pub(crate) values: Vec<(String, String)>,
    /// The origins in `Host.CORS`.
    pub(crate) origins: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct File {
    is_encrypted: bool,
    values: BTreeMap<String, Value>,
    connection_strings: BTreeMap<String, Value>,
    host: Host,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Host {
    #[serde(rename = "CORS")]
    cors: Option<String>,
}

pub(crate) fn parse(json: &str) -> Result<LocalSettings, SettingProblem> {
    let file: File = serde_json::from_str(json.trim_start_matches('\u{feff}'))
        .map_err(|error| problem(format!("is not a settings file: {error}")))?;
    if file.is_encrypted {
        let text =
            "is encrypted: run `func settings decrypt`, or set the variables in the environment";
        return Err(problem(text.to_owned()));
    }
    let mut values = Vec::new();
    for (name, value) in file.values {
        values.push((name.clone(), text(&format!("Values.{name}"), value)?));
    }
    for (name, value) in file.connection_strings {
        // A string, or an object with the string and the name of a database driver.
        let value = match value {
            Value::Object(mut entry) => entry.remove("ConnectionString").unwrap_or(Value::Null),
            value => value,
        };
        let value = text(&format!("ConnectionStrings.{name}"), value)?;
        values.push((format!("ConnectionStrings:{name}"), value));
    }
    let origins = file.host.cors.unwrap_or_default();
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
        assert!(error("7").starts_with("local.settings.json is not a settings file: "));
    }
}
