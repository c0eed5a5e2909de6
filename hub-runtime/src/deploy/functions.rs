//! `host.json` and each `function.json`.
//!
//! The routes of `host.json` need no `function.json`: the host makes a function of each route. It does not start if there are
//! both. With `enableProxyingHttpRequest` it passes requests on as a proxy; without it, it calls `POST /http-handler1` with a JSON
//! payload. Sources: `HttpWorkerFunctionProvider`, `HttpWorkerOptions`, `DefaultHttpWorkerService` and
//! `HostConfigurationProfile` of azure-functions-host.

use std::collections::BTreeMap;

use hub_core::{Category, upstream::CONNECTED};
use serde_json::{Value, json};

use super::{Deployment, Form, HubSummary};

/// The function that upstream requests are forwarded to.
const UPSTREAM: &str = "signalr";
/// The name that the host gives to the function of the first route in `host.json`.
const FIRST_ROUTE: &str = "http-handler1";
/// The function for every other request of an app with routes of its own.
const REST: &str = "app";
/// The maximum length of the name of a function, in characters.
const MAX_NAME: usize = 127;

pub(super) fn host_json(deployment: &Deployment) -> Value {
    let form = deployment.form();
    let mut handler = json!({
        "description": {"defaultExecutablePath": deployment.executable},
    });
    match form {
        Form::Routes | Form::ContainerApp => {
            // A proxy: path, headers and bodies reach the app unchanged, also bodies without a length.
            handler["enableProxyingHttpRequest"] = json!(true);
            handler["http"] = json!({
                // The name in Microsoft's page about self-hosted MCP servers. No known host reads it, and hosts ignore
                // unknown names.
                "enableProxying": true,
                "defaultAuthorizationLevel": "function",
                // In this order: the host uses the first route that fits.
                "routes": [
                    // The app authenticates calls. The key stops other requests before they cause costs.
                    {"route": in_prefix(deployment, UPSTREAM_ROUTE), "authorizationLevel": "function"},
                    {"route": "{*route}", "authorizationLevel": "anonymous"},
                ],
            });
        }
        // Forwards path, headers and body unchanged, but drops bodies without a length.
        Form::FunctionJson | Form::SignalRTriggers => {
            handler["enableForwardingHttpRequest"] = json!(true);
        }
    }
    let mut host = json!({
        "version": "2.0",
        "customHandler": handler,
        // The same paths as on other hosts; the default prefix is `api`.
        "extensions": {"http": {"routePrefix": ""}},
    });
    if form == Form::SignalRTriggers || !deployment.functions.is_empty() {
        host["extensionBundle"] = json!({
            "id": "Microsoft.Azure.Functions.ExtensionBundle",
            "version": "[4.*, 5.0.0)",
        });
    }
    host
}

/// The name of the function that upstream requests are forwarded to.
pub(super) fn upstream_function(deployment: &Deployment) -> &'static str {
    match deployment.form() {
        Form::Routes | Form::ContainerApp => FIRST_ROUTE,
        Form::FunctionJson | Form::SignalRTriggers => UPSTREAM,
    }
}

/// `local.settings.json`: settings for `func start`.
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

/// The functions that need a `function.json`, by name.
pub(super) fn functions(deployment: &Deployment) -> BTreeMap<String, Value> {
    let uses_triggers = match deployment.form() {
        Form::Routes | Form::ContainerApp => return BTreeMap::new(),
        Form::FunctionJson => false,
        Form::SignalRTriggers => true,
    };
    let own = deployment.functions.iter().map(|it| (it.name().to_owned(), it.json()));
    let mut functions: BTreeMap<_, _> = own.collect();
    for hub in &deployment.hubs {
        for (name, route) in client_routes(deployment, hub) {
            let function = http("anonymous", &["post", "options"], &in_prefix(deployment, &route));
            insert(&mut functions, &name, function);
        }
        if uses_triggers {
            triggers(&mut functions, hub);
        }
    }
    if !uses_triggers {
        // As in the routes of `host.json`.
        let route = in_prefix(deployment, UPSTREAM_ROUTE);
        insert(&mut functions, UPSTREAM, http("function", &["post"], &route));
    }
    if deployment.own_routes {
        let methods = ["get", "head", "post", "put", "patch", "delete", "options"];
        insert(&mut functions, REST, http("anonymous", &methods, "{*path}"));
    }
    functions
}

/// Names and routes of the functions through which clients of a hub negotiate and refresh. The URL in a client is `https://<app>/<hub>`
/// or, in pages for Microsoft's libraries, `https://<app>/api` or `https://<app>/api/<hub>`. A path without a hub belongs to the
/// only hub.
fn client_routes(deployment: &Deployment, hub: &HubSummary) -> Vec<(String, String)> {
    let name = &hub.name;
    let (negotiate, refresh) =
        (hub.negotiates.then_some("negotiate"), hub.refreshes.then_some("refresh"));
    let mut routes = Vec::new();
    for last in [negotiate, refresh].into_iter().flatten() {
        routes.push((format!("{name}-{last}"), format!("{name}/{last}")));
        routes.push((format!("api-{name}-{last}"), format!("api/{name}/{last}")));
        // `api/negotiate` is already the first route of a hub with the name `api`.
        if deployment.hubs.len() == 1 && name != "api" {
            routes.push((format!("api-{last}"), format!("api/{last}")));
            routes.push((last.to_owned(), last.to_owned()));
        }
    }
    routes
}

/// The route of upstream requests. The host reserves routes that begin with `runtime`.
pub(super) const UPSTREAM_ROUTE: &str = "api/signalr";

fn triggers(functions: &mut BTreeMap<String, Value>, hub: &HubSummary) {
    let named = hub.methods.iter().filter(|method| !method.fallback);
    // The app itself reports `refreshed`.
    let named = named.filter(|method| method.category != Category::Refreshed);
    let mut events: Vec<_> = named.map(|method| (method.category, method.name)).collect();
    // Filters of the app and the block check connections of a hub without `on_connected`, too.
    if hub.judges_connections && !hub.has(Category::Connected) {
        events.push((Category::Connected, CONNECTED));
    }
    for (kind, event) in events {
        let category = kind.wire_name();
        let name = match kind {
            Category::Message => format!("{}-{event}", hub.name),
            Category::Connected | Category::Disconnected | Category::Refreshed => {
                format!("{}-{category}-{event}", hub.name)
            }
        };
        // No `parameterNames`: with this setting, the host refuses calls without an optional argument,
        // and the error does not name the argument.
        let trigger = json!({
            "type": "signalRTrigger",
            "direction": "in",
            "name": "invocation",
            "hubName": hub.wire_name,
            "category": category,
            "event": event,
            "connectionStringSetting": hub.connection,
        });
        insert(functions, &name, json!({"bindings": [trigger]}));
    }
}

/// A function with forwarded requests. The host forwards only with exactly one HTTP trigger and one HTTP
/// output.
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

pub(super) fn in_prefix(deployment: &Deployment, route: &str) -> String {
    match deployment.prefix.as_str() {
        "" => route.to_owned(),
        prefix => format!("{prefix}/{route}"),
    }
}

/// Adds a function under a valid and unique name. Names are case-insensitive.
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
