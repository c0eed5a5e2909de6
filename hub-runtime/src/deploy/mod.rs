//! Generates the files of a deployment to Azure Functions or Azure Container Apps from the hubs.
//!
//! [`HubApp::run`] writes these files if the arguments of the process are `deploy-files FOLDER`. The files
//! contain no secrets; keys are parameters of the deployment.

mod azure;
mod command;
mod container_app;
mod function_app;
mod functions;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use http::Uri;
use hub_core::{Category, mounted::MethodInfo};
use serde_json::Value;

pub(crate) use self::command::COMMAND;
pub use crate::function::Function;
use hub_net::host::is_loopback;

use crate::{HubApp, wire_name::wire_name};

/// The files that developers change.
const LOCAL_SETTINGS: &str = "local.settings.json";
const DOCKERFILE: &str = "container-apps/Dockerfile";
const DOCKERIGNORE: &str = "container-apps/Dockerfile.dockerignore";

/// The output of `deploy-files`: the files of a host of the app, upstream rules, and a template with the service.
#[derive(Clone, Debug)]
#[must_use = "a deployment does nothing until it is written"]
pub struct Deployment {
    hubs: Vec<HubSummary>,
    origins: Vec<String>,
    prefix: String,
    executable: String,
    own_routes: bool,
    wanted: Form,
    /// The functions of the app itself.
    functions: Vec<Function>,
}

/// The host, and how it is told the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Azure Functions, with the routes in `host.json`.
    Routes,
    /// Azure Functions, with a `function.json` for each route.
    FunctionJson,
    /// Azure Functions, with a `function.json` for each event.
    SignalRTriggers,
    /// Azure Container Apps, which has no functions.
    ContainerApp,
}

/// One file of a [`Deployment`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeploymentFile {
    /// The path relative to the folder of the deployment, with `/` as the separator.
    pub path: String,
    /// The content.
    pub content: String,
    /// Whether an existing file is not overwritten, because it may contain settings of the developer.
    pub keep: bool,
}

/// The parts of a hub that the files depend on.
#[derive(Clone, Debug)]
struct HubSummary {
    /// The name in URLs of clients.
    name: String,
    /// The name at the service.
    wire_name: String,
    /// The setting with the connection string of the hub's service.
    connection: &'static str,
    negotiates: bool,
    /// Whether the hub has a `refresh`.
    refreshes: bool,
    /// Whether filters or a method can refuse a connection.
    judges_connections: bool,
    methods: Vec<MethodInfo>,
}

impl HubSummary {
    fn has(&self, category: Category) -> bool {
        self.methods.iter().any(|method| method.category == category)
    }
}

impl HubApp {
    /// Returns the files to deploy this app to Azure Functions: `host.json`, upstream rules, a Bicep template, and the
    /// steps. [`Self::run`] writes the same files for the argument `deploy-files`.
    pub fn deployment(&self) -> Deployment {
        let hubs = self.inner.hubs.all().into_iter().map(|mount| HubSummary {
            name: wire_name(mount.hub.name()),
            wire_name: mount.wire_name.to_string(),
            connection: mount.hub.connection(),
            negotiates: mount.hub.negotiates(),
            refreshes: mount.hub.refreshes(),
            judges_connections: mount.hub.judges_connections(),
            methods: mount.hub.methods().to_vec(),
        });
        // Origins on loopback with a port are for development. Native shells use loopback origins without a port.
        let origins = self.inner.negotiate.cors.origins.iter();
        Deployment {
            hubs: hubs.collect(),
            origins: origins
                .filter(|origin| !is_development_origin(origin))
                .map(str::to_owned)
                .collect(),
            prefix: self.inner.routes.prefix().trim_start_matches('/').to_owned(),
            executable: executable(),
            own_routes: false,
            wanted: Form::Routes,
            functions: self.inner.functions.clone(),
        }
    }
}

fn is_development_origin(origin: &str) -> bool {
    let uri: Option<Uri> = origin.parse().ok();
    uri.is_some_and(|uri| uri.port().is_some() && uri.host().is_some_and(is_loopback))
}

/// The name of the running program.
fn executable() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_stem().map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().into_owned())
}

impl Deployment {
    /// Sets the name of the program that the Functions host starts. Defaults to the running program.
    pub fn executable(mut self, name: impl Into<String>) -> Self {
        self.executable = name.into();
        self
    }

    /// Adds a function that forwards all other requests, for an app with its own routes. Only for
    /// [`Self::function_json`] and [`Self::signalr_triggers`]: other deployments pass on every request.
    pub fn own_routes(mut self) -> Self {
        self.own_routes = true;
        self
    }

    /// Generates one `function.json` for each route, instead of routes in `host.json`. An app with functions of its own
    /// ([`HubAppBuilder::function`](crate::HubAppBuilder::function)) always has this form, because the Functions host does
    /// not start with both.
    pub fn function_json(mut self) -> Self {
        self.wanted = Form::FunctionJson;
        self
    }

    /// Generates one function with a `signalRTrigger` for each event, instead of one HTTP function for all
    /// upstream requests. Prefer the HTTP function: the host then does not decode arguments and results.
    pub fn signalr_triggers(mut self) -> Self {
        self.wanted = Form::SignalRTriggers;
        self
    }

    /// Generates the files for Azure Container Apps, in the folder `container-apps`: upstream rules, a Bicep template, a
    /// Dockerfile with its list of ignored files, and the steps.
    pub fn container_apps(mut self) -> Self {
        self.wanted = Form::ContainerApp;
        self
    }

    fn form(&self) -> Form {
        match self.wanted {
            Form::Routes if !self.functions.is_empty() => Form::FunctionJson,
            wanted => wanted,
        }
    }

    /// Returns all files, sorted by path.
    #[must_use]
    pub fn files(&self) -> Vec<DeploymentFile> {
        let mut files = BTreeMap::new();
        match self.form() {
            Form::Routes | Form::FunctionJson | Form::SignalRTriggers => {
                files.insert("host.json".to_owned(), json(&functions::host_json(self)));
                for (name, function) in functions::functions(self) {
                    files.insert(format!("{name}/function.json"), json(&function));
                }
                files.insert("azure/upstream.json".to_owned(), json(&azure::upstream(self)));
                files.insert("azure/main.bicep".to_owned(), function_app::bicep(self));
                files.insert("azure/steps.md".to_owned(), function_app::steps(self));
                files.insert(LOCAL_SETTINGS.to_owned(), json(&functions::local_settings()));
            }
            Form::ContainerApp => {
                let path = |name: &str| format!("container-apps/{name}");
                files.insert(path("upstream.json"), json(&azure::upstream(self)));
                files.insert(path("main.bicep"), container_app::bicep(self));
                files.insert(path("steps.md"), container_app::steps());
                files.insert(DOCKERFILE.to_owned(), container_app::dockerfile(self));
                files.insert(DOCKERIGNORE.to_owned(), container_app::dockerignore());
            }
        }
        let keep = |path: &str| matches!(path, LOCAL_SETTINGS | DOCKERFILE | DOCKERIGNORE);
        let file =
            |(path, content): (String, String)| DeploymentFile { keep: keep(&path), path, content };
        files.into_iter().map(file).collect()
    }

    /// Writes the files to `folder` and returns the paths of the written files. Other files stay unchanged.
    ///
    /// # Errors
    /// When a file cannot be written, a function cannot be deployed, the triggers cannot call a hub's fallback, or
    /// `folder` has functions with which the host does not start.
    pub fn write(&self, folder: impl AsRef<Path>) -> io::Result<Vec<PathBuf>> {
        let folder = folder.as_ref();
        let problem = match self.problem() {
            Some(problem) => Some(problem),
            None => self.conflict(folder)?,
        };
        if let Some(problem) = problem {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let mut written = Vec::new();
        for file in self.files() {
            let path = folder.join(&file.path);
            if file.keep && path.exists() {
                continue;
            }
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, file.content)?;
            written.push(path);
        }
        Ok(written)
    }

    fn problem(&self) -> Option<String> {
        let fallback = |hub: &&HubSummary| hub.methods.iter().any(|method| method.fallback);
        if self.wanted == Form::SignalRTriggers
            && let Some(hub) = self.hubs.iter().find(fallback)
        {
            return Some(format!(
                "a signalRTrigger receives one event, so it cannot call the fallback of the hub {}: deploy without --signalr-triggers, or write a method for each event",
                hub.name
            ));
        }
        self.functions.iter().find_map(Function::problem)
    }

    /// The Functions host does not start if `host.json` has routes and there is a `function.json`.
    fn conflict(&self, folder: &Path) -> io::Result<Option<String>> {
        if self.form() != Form::Routes || !folder.exists() {
            return Ok(None);
        }
        let functions = functions_in(folder)?;
        Ok((!functions.is_empty()).then(|| {
            format!(
                "{} has functions with a function.json ({}), and with these the Functions host does not accept the routes in host.json: delete their folders, or add --function-json to write a function.json for each route",
                folder.display(),
                functions.join(", ")
            )
        }))
    }

    /// Returns the functions in `folder` that do not belong to this app.
    fn left_over(&self, folder: &Path) -> io::Result<Vec<String>> {
        if self.form() == Form::ContainerApp {
            return Ok(Vec::new());
        }
        let wanted = functions::functions(self);
        let mut names = functions_in(folder)?;
        names.retain(|name| !wanted.contains_key(name));
        Ok(names)
    }

    /// What a developer must know about the files.
    fn notes(&self) -> Vec<String> {
        let own: Vec<_> = self.functions.iter().map(Function::name).collect();
        let own = own.join(", ");
        match self.form() {
            _ if own.is_empty() => Vec::new(),
            Form::FunctionJson if self.wanted == Form::Routes => vec![format!(
                "the app has functions of its own ({own}), so each route has a function.json"
            )],
            Form::ContainerApp => {
                vec![format!("only Azure Functions calls the functions of the app ({own})")]
            }
            Form::Routes | Form::FunctionJson | Form::SignalRTriggers => Vec::new(),
        }
    }
}

/// The sorted names of the folders with a `function.json`.
fn functions_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().join("function.json").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn json(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests;
