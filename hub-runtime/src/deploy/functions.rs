//! `host.json` and each `function.json`.

use std::collections::BTreeMap;

use hub_core::Category;
use serde_json::{Value, json};

use super::{Deployment, HubSummary};

/// The function that upstream requests are forwarded to.
pub(super) const UPSTREAM: &str = "signalr";
/// The function for every other request of an app with routes of its own.
const REST: &str = "app";
/// The longest name that a function may have.
const MAX_NAME: usize = 127;

pub(super) fn host_json(deployment: &Deployment) -> Value {
    let mut host = json!({
        "version": "2.0",
        "customHandler": {
            "description": {"defaultExecutablePath": deployment.executable},
            // Requests arrive as they were sent: path, headers, body.
            "enableForwardingHttpRequest": true,
        },
        // The paths are those that the app has everywhere else.
        "extensions": {"http": {"routePrefix": ""}},
    });
    if deployment.signalr_triggers {
        host["extensionBundle"] = json!({
            "id": "Microsoft.Azure.Functions.ExtensionBundle",
            "version": "[4.*, 5.0.0)",
        });
    }
    host
}

/// What `func start` needs on the developer's machine.
pub(super) fn local_settings() -> Value {
    json!({
        "IsEncrypted": false,
        "Values": {
            "AzureWebJobsDisableHomepage": "true",
            "AzureWebJobsStorage": "",
            "FUNCTIONS_WORKER_RUNTIME": "custom",
        },
    })
}

/// Every function by its name.
pub(super) fn functions(deployment: &Deployment) -> BTreeMap<String, Value> {
    let mut functions = BTreeMap::new();
    for hub in &deployment.hubs {
        if hub.negotiates {
            let route = in_prefix(deployment, &format!("{}/negotiate", hub.name));
            let negotiate = http("anonymous", &["post", "options"], &route);
            insert(&mut functions, &format!("{}-negotiate", hub.name), negotiate);
        }
        if deployment.signalr_triggers {
            triggers(&mut functions, hub);
        }
    }
    if !deployment.signalr_triggers {
        // The signature is what protects it; the key keeps others from costing anything.
        let route = in_prefix(deployment, UPSTREAM_ROUTE);
        insert(&mut functions, UPSTREAM, http("function", &["post"], &route));
    }
    if deployment.own_routes {
        let methods = ["get", "head", "post", "put", "patch", "delete", "options"];
        insert(&mut functions, REST, http("anonymous", &methods, "{*path}"));
    }
    functions
}

/// Where the app takes upstream requests on this host: what begins with `runtime` is the host's own.
pub(super) const UPSTREAM_ROUTE: &str = "api/signalr";

fn triggers(functions: &mut BTreeMap<String, Value>, hub: &HubSummary) {
    for method in &hub.methods {
        let category = method.category.wire_name();
        let name = match method.category {
            Category::Message => format!("{}-{}", hub.name, method.name),
            Category::Connected | Category::Disconnected => {
                format!("{}-{category}-{}", hub.name, method.name)
            }
        };
        // No `parameterNames`: with them the host refuses calls that leave out an optional argument, in
        // words that name no argument.
        let trigger = json!({
            "type": "signalRTrigger",
            "direction": "in",
            "name": "invocation",
            "hubName": hub.wire_name,
            "category": category,
            "event": method.name,
            "connectionStringSetting": hub.connection,
        });
        insert(functions, &name, json!({"bindings": [trigger]}));
    }
}

/// A function whose requests are forwarded: exactly one trigger and one output.
fn http(level: &str, methods: &[&str], route: &str) -> Value {
    json!({"bindings": [
        {
            "type": "httpTrigger",
            "direction": "in",
            "name": "request",
            "authLevel": level,
            "methods": methods,
            "route": route,
        },
        {"type": "http", "direction": "out", "name": "response"},
    ]})
}

fn in_prefix(deployment: &Deployment, route: &str) -> String {
    match deployment.prefix.as_str() {
        "" => route.to_owned(),
        prefix => format!("{prefix}/{route}"),
    }
}

/// Adds a function under a name that the host accepts, and that no other one has in any case.
fn insert(functions: &mut BTreeMap<String, Value>, wanted: &str, function: Value) {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let base: String = wanted.chars().map(allowed).take(MAX_NAME - 4).collect();
    let mut name = base.clone();
    let mut count = 1;
    while functions.keys().any(|taken| taken.eq_ignore_ascii_case(&name)) {
        count += 1;
        name = format!("{base}-{count}");
    }
    functions.insert(name, function);
}
