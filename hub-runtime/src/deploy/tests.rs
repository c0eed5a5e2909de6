use std::collections::BTreeSet;

use hub_core::{HubResult, NegotiateRequest, Negotiation, SignedIn};
use hub_macros::serverless_hub;
use serde_json::json;

use super::*;
use crate::SignalR;

mod bicep;
mod forms;
mod templates;

const SERVICE: &str =
    "Endpoint=http://127.0.0.1:1;AccessKey=0123456789abcdef0123456789abcdef;Version=1.0;";

struct Board;

#[serverless_hub(crate = crate)]
impl Board {
    async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn on_disconnected(&self) {}

    async fn draw_line(&self, _x: u8) {}

    /// A method with the name of another function.
    #[hub(rename = "connections-disconnected")]
    async fn confusing(&self) {}
}

struct Feed;

#[serverless_hub(connection = "FeedSignalR", crate = crate)]
impl Feed {
    #[hub(rename = "größe")]
    async fn size(&self) {}
}

fn app() -> HubApp {
    let signalr = SignalR::from_connection_string(SERVICE).unwrap();
    let builder = HubApp::builder().signalr(signalr).hub(Feed).hub(Board);
    builder
        .allow_origin("https://it's.example")
        .allow_origin("http://localhost:3000")
        .build()
        .unwrap()
}

fn deployment() -> Deployment {
    app().deployment().executable("board")
}

fn content(deployment: &Deployment, path: &str) -> String {
    let file = deployment.files().into_iter().find(|file| file.path == path);
    file.unwrap_or_else(|| panic!("no {path}")).content
}

fn value(deployment: &Deployment, path: &str) -> Value {
    serde_json::from_str(&content(deployment, path)).unwrap()
}

fn functions_of(deployment: &Deployment) -> BTreeSet<String> {
    let files = deployment.files().into_iter();
    files.filter_map(|file| Some(file.path.strip_suffix("/function.json")?.to_owned())).collect()
}

#[test]
fn with_function_json_each_hub_that_negotiates_has_a_function_and_all_share_the_upstream() {
    let deployment = deployment().function_json();

    assert_eq!(
        functions_of(&deployment),
        ["api-board-negotiate", "board-negotiate", "signalr"].map(str::to_owned).into()
    );
    assert_eq!(
        value(&deployment, "board-negotiate/function.json"),
        json!({"bindings": [
            {
                "type": "httpTrigger", "direction": "in", "name": "request", "authLevel": "anonymous",
                "methods": ["post", "options"], "route": "board/negotiate",
            },
            {"type": "http", "direction": "out", "name": "response"},
        ]})
    );
}

#[test]
fn the_app_handles_every_path_of_its_functions() {
    let (app, deployment) = (app(), deployment().function_json());

    for function in functions_of(&deployment) {
        let function = value(&deployment, &format!("{function}/function.json"));
        let path = format!("/{}", function["bindings"][0]["route"].as_str().unwrap());

        let route = app.inner.routes.of(&http::Method::POST, &path);

        assert_ne!(route, crate::routes::Route::Unknown, "{path}");
    }
}

#[test]
fn with_function_json_the_upstream_needs_the_hosts_key_and_is_forwarded_whole() {
    let deployment = deployment().function_json();

    let bindings = value(&deployment, "signalr/function.json");
    let host = value(&deployment, "host.json");

    assert_eq!(bindings["bindings"][0]["authLevel"], "function");
    assert_eq!(host["customHandler"]["enableForwardingHttpRequest"], true);
    assert_eq!(host["customHandler"].get("http"), None);
    assert_eq!(host["extensions"]["http"]["routePrefix"], "");
    assert!(content(&deployment, "azure/steps.md").contains("--function-name signalr "));
    assert!(content(&deployment, "azure/steps.md").contains(" host.json */function.json\n"));
}

#[test]
fn the_rules_contain_the_events_of_the_hubs() {
    let url = "{origin}/api/signalr?code={key}";

    let rules = value(&deployment(), "azure/upstream.json");

    assert_eq!(
        rules,
        json!([
            {"urlTemplate": url, "hubPattern": "board", "categoryPattern": "*", "eventPattern": "*"},
            {"urlTemplate": url, "hubPattern": "feed", "categoryPattern": "messages", "eventPattern": "*"},
            {"urlTemplate": url, "hubPattern": "feed", "categoryPattern": "connections", "eventPattern": "connected"},
        ])
    );
}

#[test]
fn with_triggers_each_event_has_a_function_of_its_own() {
    let deployment = deployment().signalr_triggers();

    let functions = functions_of(&deployment);

    let wanted = [
        "api-board-negotiate",
        "board-negotiate",
        "board-drawLine",
        "board-connections-disconnected",
        "board-connections-disconnected-2",
        "feed-gr__e",
    ];
    assert_eq!(functions, wanted.map(str::to_owned).into());
    assert_eq!(
        value(&deployment, "feed-gr__e/function.json")["bindings"][0],
        json!({
            "type": "signalRTrigger", "direction": "in", "name": "invocation", "hubName": "feed",
            "category": "messages", "event": "größe",
            "connectionStringSetting": "FeedSignalR",
        })
    );
    let rules = value(&deployment, "azure/upstream.json");
    assert_eq!(rules[0]["urlTemplate"], "{origin}/runtime/webhooks/signalr?code={key}");
    assert!(content(&deployment, "azure/steps.md").contains("systemKeys.signalr_extension"));
    assert!(value(&deployment, "host.json")["extensionBundle"].is_object());
}

#[test]
fn own_routes_of_the_app_get_a_catch_all_function() {
    let deployment = deployment().function_json().own_routes();

    assert_eq!(value(&deployment, "app/function.json")["bindings"][0]["route"], "{*path}");
}

#[test]
fn the_template_is_serverless_and_names_the_allowed_origins() {
    for (deployment, folder) in
        [(deployment(), "azure"), (deployment().container_apps(), "container-apps")]
    {
        let bicep = content(&deployment, &format!("{folder}/main.bicep"));

        assert!(bicep.contains("value: 'Serverless'"));
        assert!(bicep.contains(r"'https://it\'s.example'"));
        assert!(bicep.contains("loadJsonContent('upstream.json')"));
        assert!(bicep.contains("name: 'AzureSignalRConnectionString'"));
        assert!(bicep.contains("name: 'FeedSignalR__serviceUri'"));
        assert!(!bicep.contains("localhost"));
    }
}

#[test]
fn no_placeholder_of_the_templates_remains() {
    let all = [
        deployment(),
        deployment().own_routes().signalr_triggers(),
        deployment().function_json(),
        deployment().container_apps(),
    ];
    for file in all.iter().flat_map(Deployment::files) {
        assert!(!file.content.contains("@@"), "{}", file.path);
    }
}

#[test]
fn the_only_hub_negotiates_at_every_path_that_pages_of_functions_use() {
    let builder = HubApp::builder().signalr(SignalR::from_connection_string(SERVICE).unwrap());
    let deployment = builder.hub(Board).build().unwrap().deployment().function_json();

    let negotiates = functions_of(&deployment).into_iter().filter(|name| name != "signalr");
    let routes: BTreeSet<_> = negotiates
        .map(|name| {
            value(&deployment, &format!("{name}/function.json"))["bindings"][0]["route"].clone()
        })
        .map(|route| route.as_str().unwrap().to_owned())
        .collect();

    let wanted = ["api/board/negotiate", "api/negotiate", "board/negotiate", "negotiate"];
    assert_eq!(routes, wanted.map(str::to_owned).into());
}

struct Session;

#[serverless_hub(crate = crate)]
impl Session {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn refresh(&self) -> HubResult<Negotiation> {
        self.negotiate().await
    }

    async fn on_refreshed(&self) {}
}

#[test]
fn a_hub_with_refresh_has_a_function_for_each_path_and_no_trigger_for_the_event() {
    let signalr = SignalR::from_connection_string(SERVICE).unwrap();
    let app = HubApp::builder().signalr(signalr).hub(Board).hub(Session).build().unwrap();
    let all = functions_of(&app.deployment().signalr_triggers());

    let of_session: BTreeSet<_> = all.into_iter().filter(|name| name.contains("session")).collect();

    let wanted =
        ["api-session-negotiate", "api-session-refresh", "session-negotiate", "session-refresh"];
    assert_eq!(of_session, wanted.map(str::to_owned).into());
}

struct Rest;

#[serverless_hub(crate = crate)]
impl Rest {
    #[hub(fallback)]
    async fn anything(&self) {}
}

#[test]
fn a_fallback_is_not_deployed_as_a_trigger() {
    let builder = HubApp::builder().signalr(SignalR::from_connection_string(SERVICE).unwrap());
    let deployment = builder.hub(Rest).build().unwrap().deployment();
    let folder = std::env::temp_dir().join(format!("fallback-{}", std::process::id()));

    let refused = deployment.clone().signalr_triggers().write(&folder).unwrap_err();

    assert!(
        refused
            .to_string()
            .ends_with("deploy without --signalr-triggers, or write a method for each event")
    );
    assert!(!folder.exists());
    assert_eq!(functions_of(&deployment.signalr_triggers()), BTreeSet::new());
}

fn with_function(function: Function) -> Deployment {
    let builder = HubApp::builder().signalr(SignalR::from_connection_string(SERVICE).unwrap());
    builder.hub(Feed).function(function).build().unwrap().deployment()
}

#[cfg(feature = "functions-bindings")]
#[test]
fn functions_of_the_app_are_written_with_their_bindings() {
    use crate::bindings::{SignalRConnectionInfoBinding, SignalROutputBinding};

    let timer = json!({"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 * * * * *"});
    let tick = Function::new("Tick")
        .binding(&timer)
        .binding(&SignalRConnectionInfoBinding::new("info", "feed"))
        .binding(&SignalROutputBinding::new("signalRMessages", "feed"));

    let deployment = with_function(tick);

    assert_eq!(
        value(&deployment, "Tick/function.json"),
        json!({"bindings": [
            timer,
            {"type": "signalRConnectionInfo", "direction": "in", "name": "info", "hubName": "feed"},
            {"type": "signalR", "direction": "out", "name": "signalRMessages", "hubName": "feed"},
        ]})
    );
    // The host loads the bindings of SignalR from the bundle.
    assert!(value(&deployment, "host.json")["extensionBundle"].is_object());
    assert_eq!(deployment.problem(), None);
}

#[test]
fn a_function_that_the_host_cannot_load_is_not_written() {
    let timer = json!({"type": "timerTrigger", "direction": "in", "name": "timer"});
    for (function, problem) in [
        (Function::new("a/b").binding(&timer), "a name is a letter"),
        (Function::new("Tick"), "it has no trigger"),
        (Function::new("Tick").binding(&BTreeMap::from([((1, 2), 3)])), "a binding is not JSON"),
    ] {
        let text = with_function(function).problem().unwrap();

        assert!(text.contains(problem), "{text}");
    }
}

struct Guarded;

#[serverless_hub(crate = crate)]
#[filter(SignedIn)]
impl Guarded {
    async fn draw_line(&self, _x: u8) {}
}

#[test]
fn filters_of_a_block_and_of_the_app_get_a_trigger_and_a_rule_for_connected() {
    let builder =
        || HubApp::builder().signalr(SignalR::from_connection_string(SERVICE).unwrap()).hub(Feed);
    let of_block = builder().hub(Guarded).build().unwrap().deployment().signalr_triggers();
    let of_app = builder().filter(SignedIn).build().unwrap().deployment().signalr_triggers();

    for (deployment, hub) in [(&of_block, "guarded"), (&of_app, "feed")] {
        let function = value(deployment, &format!("{hub}-connections-connected/function.json"));
        let trigger = &function["bindings"][0];
        assert_eq!(
            (&trigger["hubName"], &trigger["category"], &trigger["event"]),
            (&json!(hub), &json!("connections"), &json!("connected"))
        );
        let rules = value(deployment, "azure/upstream.json");
        let is_wanted = |rule: &Value| {
            rule["hubPattern"] == hub
                && rule["categoryPattern"] == "connections"
                && rule["eventPattern"] == "connected"
        };
        assert!(rules.as_array().unwrap().iter().any(is_wanted), "{rules}");
    }
    assert!(!functions_of(&of_block).contains("feed-connections-connected"));
}
