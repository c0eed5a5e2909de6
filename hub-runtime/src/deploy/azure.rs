//! The upstream rules, the Bicep template and the steps.

use std::collections::BTreeSet;

use hub_core::{
    Category,
    upstream::{CONNECTED, CONNECTIONS, DISCONNECTED, MESSAGES, WEBHOOK_PATH},
};
use serde_json::{Value, json};

use super::{Deployment, functions};

const BICEP: &str = include_str!("main.bicep");
const STEPS: &str = include_str!("steps.md");

/// The upstream rules in the format of the service. The template replaces `{origin}` and `{key}`.
///
/// Each hub receives `connected`, even if it has no method for this event, because filters of the hub
/// check every connection. With triggers, each hub with such filters does. All messages are forwarded, so that the app responds to an unknown method with
/// an error that lists the methods of the hub.
///
/// Source: <https://learn.microsoft.com/azure/azure-signalr/concept-upstream>.
pub(super) fn upstream(deployment: &Deployment) -> Value {
    let url = match deployment.signalr_triggers {
        true => format!("{{origin}}{WEBHOOK_PATH}?code={{key}}"),
        false => {
            format!("{{origin}}{}/{}?code={{key}}", prefix(deployment), functions::UPSTREAM_ROUTE)
        }
    };
    let mut rules = Vec::new();
    for hub in &deployment.hubs {
        let mut rule = |category: &str, event: &str| {
            rules.push(json!({
                "urlTemplate": url,
                "hubPattern": hub.wire_name,
                "categoryPattern": category,
                "eventPattern": event,
            }));
        };
        let connected = !deployment.signalr_triggers || hub.judges_connections;
        let events = match (connected, hub.has(Category::Disconnected)) {
            (true, true) => Some("*"),
            (true, false) => Some(CONNECTED),
            (false, true) => Some(DISCONNECTED),
            (false, false) => None,
        };
        match (hub.has(Category::Message), events) {
            (true, Some("*")) => rule("*", "*"),
            (has_messages, events) => {
                if has_messages {
                    rule(MESSAGES, "*");
                }
                if let Some(events) = events {
                    rule(CONNECTIONS, events);
                }
            }
        }
    }
    Value::Array(rules)
}

fn prefix(deployment: &Deployment) -> String {
    match deployment.prefix.as_str() {
        "" => String::new(),
        prefix => format!("/{prefix}"),
    }
}

pub(super) fn bicep(deployment: &Deployment) -> String {
    let origins: String = deployment
        .origins
        .iter()
        .map(|origin| format!("\n  '{}'", origin.replace('\'', "\\'").replace("${", "\\${")))
        .collect();
    let origins = if origins.is_empty() { String::new() } else { format!("{origins}\n") };
    // The template creates one service: all connection settings refer to it.
    let settings: BTreeSet<_> = deployment.hubs.iter().map(|hub| hub.connection).collect();
    let settings: Vec<_> = settings.into_iter().map(setting).collect();
    BICEP.replace("@@ORIGINS@@", &origins).replace("@@SETTINGS@@", settings.join("\n").trim())
}

/// An app setting with the connection string of the service.
fn setting(name: &str) -> String {
    let indent = " ".repeat(10);
    format!(
        "{indent}{{\n{indent}  name: '{name}'\n{indent}  value: signalr.listKeys().primaryConnectionString\n{indent}}}"
    )
}

pub(super) fn steps(deployment: &Deployment) -> String {
    let query = match deployment.signalr_triggers {
        true => "az functionapp keys list --resource-group \"$group\" --name \"$app\" --query systemKeys.signalr_extension --output tsv".to_owned(),
        false => format!(
            "az functionapp function keys list --resource-group \"$group\" --name \"$app\" --function-name {} --query default --output tsv",
            functions::UPSTREAM
        ),
    };
    STEPS.replace("@@EXECUTABLE@@", &deployment.executable).replace("@@KEY@@", &query)
}
