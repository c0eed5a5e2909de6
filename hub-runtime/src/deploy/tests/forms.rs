//! Which files each option writes, and what stands in their way.

use std::{fs, path::PathBuf};

use super::*;

/// A folder that is deleted on drop.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("deploy-{name}-{}", std::process::id()));
        // An earlier run may have left the folder behind.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn put(&self, path: &str, content: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn get(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn paths(deployment: &Deployment) -> Vec<String> {
    deployment.files().into_iter().map(|file| file.path).collect()
}

#[test]
fn by_default_the_routes_are_in_host_json_and_the_host_passes_requests_on_as_a_proxy() {
    let deployment = deployment();

    assert_eq!(
        paths(&deployment),
        [
            "azure/main.bicep",
            "azure/steps.md",
            "azure/upstream.json",
            "host.json",
            "local.settings.json"
        ]
    );
    assert_eq!(
        value(&deployment, "host.json"),
        json!({
            "version": "2.0",
            "customHandler": {
                "description": {"defaultExecutablePath": "board"},
                "enableProxyingHttpRequest": true,
                "http": {
                    "enableProxying": true,
                    "defaultAuthorizationLevel": "function",
                    "routes": [
                        {"route": "api/signalr", "authorizationLevel": "function"},
                        {"route": "{*route}", "authorizationLevel": "anonymous"},
                    ],
                },
            },
            "extensions": {"http": {"routePrefix": ""}},
        })
    );
    // The host names the functions of the routes by their position.
    let steps = content(&deployment, "azure/steps.md");
    assert!(steps.contains("--function-name http-handler1 "));
    assert!(steps.contains("\nzip app.zip board host.json\n"));
    assert_eq!(
        value(&deployment, "local.settings.json")["Values"]["FUNCTIONS_WORKER_RUNTIME"],
        "custom"
    );
}

#[test]
fn the_prefix_of_the_app_is_part_of_the_upstream_route_and_url() {
    let builder = HubApp::builder().signalr(SignalR::from_connection_string(SERVICE).unwrap());
    let deployment = builder.hub(Board).route_prefix("/live").build().unwrap().deployment();

    let routes = &value(&deployment, "host.json")["customHandler"]["http"]["routes"];
    assert_eq!(routes[0]["route"], "live/api/signalr");
    let url = |deployment: &Deployment, folder: &str| {
        value(deployment, &format!("{folder}/upstream.json"))[0]["urlTemplate"].clone()
    };
    assert_eq!(url(&deployment, "azure"), "{origin}/live/api/signalr?code={key}");
    assert_eq!(
        url(&deployment.container_apps(), "container-apps"),
        "{origin}/live/runtime/webhooks/signalr?code={key}"
    );
}

#[test]
fn an_app_with_functions_of_its_own_has_function_json_and_is_told_why() {
    let timer = json!({"type": "timerTrigger", "direction": "in", "name": "timer"});
    let deployment = with_function(Function::new("Tick").binding(&timer));

    assert_eq!(functions_of(&deployment), ["Tick", "signalr"].map(str::to_owned).into());
    assert_eq!(value(&deployment, "host.json")["customHandler"].get("http"), None);
    assert_eq!(
        deployment.notes(),
        ["the app has functions of its own (Tick), so each route has a function.json"]
    );
    assert_eq!(deployment.clone().function_json().notes(), [""; 0]);
    assert_eq!(
        deployment.container_apps().notes(),
        ["only Azure Functions calls the functions of the app (Tick)"]
    );
}

#[test]
fn container_apps_get_no_functions_and_their_calls_go_to_the_route_of_the_app() {
    let deployment = deployment().container_apps();

    assert_eq!(
        paths(&deployment),
        ["Dockerfile", "Dockerfile.dockerignore", "main.bicep", "steps.md", "upstream.json"]
            .map(|name| format!("container-apps/{name}"))
    );
    let rules = value(&deployment, "container-apps/upstream.json");
    assert_eq!(rules[0]["urlTemplate"], "{origin}/runtime/webhooks/signalr?code={key}");
    assert_eq!(rules.as_array().unwrap().len(), 3);
    let image = content(&deployment, "container-apps/Dockerfile");
    assert!(image.contains("--package board --features hub-runtime/identity "));
    let bicep = content(&deployment, "container-apps/main.bicep");
    // The default of `PORT`.
    assert!(bicep.contains("targetPort: 7071\n") && image.contains("EXPOSE 7071\n"));
}

#[test]
fn functions_of_an_earlier_run_stop_the_default_form_and_nothing_is_written() {
    let folder = Folder::new("conflict");
    deployment().function_json().write(&folder.0).unwrap();
    folder.put("host.json", "mine");

    let refused = deployment().write(&folder.0).unwrap_err().to_string();

    assert!(
        refused.ends_with(
            " has functions with a function.json (api-board-negotiate, board-negotiate, signalr), and with these the Functions host does not accept the routes in host.json: delete their folders, or add --function-json to write a function.json for each route"
        ),
        "{refused}"
    );
    assert_eq!(folder.get("host.json"), "mine");
    for name in functions_of(&deployment().function_json()) {
        fs::remove_dir_all(folder.0.join(name)).unwrap();
    }
    assert_eq!(deployment().write(&folder.0).unwrap().len(), 4);
}

const KEPT: [&str; 3] =
    ["local.settings.json", "container-apps/Dockerfile", "container-apps/Dockerfile.dockerignore"];

#[test]
fn files_that_developers_change_are_not_overwritten() {
    let folder = Folder::new("kept");
    for path in KEPT {
        folder.put(path, "mine");
    }

    let functions = deployment().write(&folder.0).unwrap();
    let app = deployment().container_apps().write(&folder.0).unwrap();

    assert_eq!((functions.len(), app.len()), (4, 3));
    for path in KEPT {
        assert_eq!(folder.get(path), "mine");
    }
    // Both deployments fit in one folder.
    assert!(folder.get("azure/main.bicep").contains("function app"));
    assert!(folder.get("container-apps/main.bicep").contains("container app"));
    assert_eq!(deployment().container_apps().left_over(&folder.0).unwrap(), [""; 0]);
}
