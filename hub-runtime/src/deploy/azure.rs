//! The parts that the templates of all hosts share: upstream rules, origins and settings.

use std::collections::BTreeSet;

use hub_core::{
    Category,
    upstream::{CONNECTED, CONNECTIONS, DISCONNECTED, MESSAGES, WEBHOOK_PATH},
};
use serde_json::{Value, json};

use super::{Deployment, Form, functions};

/// The upstream rules in the format of the service. The template replaces `{origin}` and `{key}`.
///
/// Each hub receives `connected`, even if it has no method for this event, because filters of the hub
/// check every connection. With triggers, each hub with such filters does. All messages are forwarded, so that the app responds to an unknown method with
/// an error that lists the methods of the hub.
///
/// Source: <https://learn.microsoft.com/azure/azure-signalr/concept-upstream>.
pub(super) fn upstream(deployment: &Deployment) -> Value {
    let form = deployment.form();
    let path = match form {
        Form::SignalRTriggers => WEBHOOK_PATH.to_owned(),
        Form::Routes | Form::FunctionJson => {
            format!("/{}", functions::in_prefix(deployment, functions::UPSTREAM_ROUTE))
        }
        Form::ContainerApp => {
            format!("/{}", functions::in_prefix(deployment, WEBHOOK_PATH.trim_start_matches('/')))
        }
    };
    let url = format!("{{origin}}{path}?code={{key}}");
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
        let connected = form != Form::SignalRTriggers || hub.judges_connections;
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

/// The elements of the default of `allowedOrigins`.
pub(super) fn origins(deployment: &Deployment) -> String {
    let origins: String = deployment
        .origins
        .iter()
        .map(|origin| format!("\n  '{}'", origin.replace('\'', "\\'").replace("${", "\\${")))
        .collect();
    if origins.is_empty() { String::new() } else { format!("{origins}\n") }
}

/// A setting below the name of each connection: the end of its name, the property of the template and the expression.
pub(super) struct Setting {
    pub(super) suffix: &'static str,
    pub(super) property: &'static str,
    pub(super) expression: &'static str,
}

impl Setting {
    pub(super) const fn value(suffix: &'static str, expression: &'static str) -> Self {
        Self { suffix, property: "value", expression }
    }

    pub(super) const fn secret(suffix: &'static str, expression: &'static str) -> Self {
        Self { suffix, property: "secretRef", expression }
    }
}

/// The settings of a service without an access key. The template creates one service: all connections refer to it.
pub(super) const SERVICE_URI: Setting =
    Setting::value("__serviceUri", "'https://${signalr.properties.hostName}'");
pub(super) const CREDENTIAL: Setting = Setting::value("__credential", "'managedidentity'");

/// The settings of Microsoft Entra tokens of upstream calls. A token of version 2 names the application without `api://`.
pub(super) const UPSTREAM_TOKENS: &[Setting] = &[
    Setting::value(
        "__upstreamAudience",
        "'${upstreamAudience},${replace(upstreamAudience, 'api://', '')}'",
    ),
    Setting::value("__upstreamTenantId", "subscription().tenantId"),
    Setting::value("__upstreamClientId", "signalr.identity.principalId"),
];

/// Replaces the placeholder, which is alone on its line, by these settings of each connection.
pub(super) fn fill(
    template: &str,
    placeholder: &str,
    deployment: &Deployment,
    settings: &[Setting],
) -> String {
    let Some(line) = template.lines().find(|line| line.trim() == placeholder) else {
        return template.to_owned();
    };
    let indent = &line[..line.len() - placeholder.len()];
    let connections: BTreeSet<_> = deployment.hubs.iter().map(|hub| hub.connection).collect();
    let mut filled = Vec::new();
    for connection in connections {
        for Setting { suffix, property, expression } in settings {
            filled.push(format!(
                "{indent}{{\n{indent}  name: '{connection}{suffix}'\n{indent}  {property}: {expression}\n{indent}}}"
            ));
        }
    }
    template.replace(line, &filled.join("\n"))
}
