//! The files of a deployment to Azure, written from the hubs themselves.
//!
//! `<the app> deploy-files FOLDER` writes them: [`HubApp::run`] knows the argument, and nothing else leads
//! there. The files hold no secret; keys reach them as parameters of the deployment.

mod azure;
mod command;
mod functions;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use http::Uri;
use hub_core::{Category, mounted::MethodInfo};
use serde_json::Value;

pub(crate) use self::command::Command;
use crate::{HubApp, loopback::is_loopback, wire_name::wire_name};

/// What `deploy-files` writes: the functions of the hubs, the upstream rules, and the template with the
/// service.
#[derive(Clone, Debug)]
#[must_use = "a deployment does nothing until it is written"]
pub struct Deployment {
    hubs: Vec<HubSummary>,
    origins: Vec<String>,
    prefix: String,
    executable: String,
    own_routes: bool,
    signalr_triggers: bool,
}

/// One file of a [`Deployment`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeploymentFile {
    /// Where it goes, below the folder of the deployment, with `/` between.
    pub path: String,
    /// What it holds.
    pub content: String,
    /// Whether one that is there already is left alone: it may hold settings of the developer's.
    pub keep: bool,
}

/// What a deployment needs to know of a hub.
#[derive(Clone, Debug)]
struct HubSummary {
    /// As clients name it.
    name: String,
    /// As the service names it.
    wire_name: String,
    /// The setting with the connection string of its service.
    connection: &'static str,
    negotiates: bool,
    methods: Vec<MethodInfo>,
}

impl HubSummary {
    fn has(&self, category: Category) -> bool {
        self.methods.iter().any(|method| method.category == category)
    }
}

impl HubApp {
    /// The files that put this app on Azure: `host.json` and each `function.json`, the upstream rules, a
    /// Bicep template, and the steps. The command `deploy-files` of an app that calls [`Self::run`] writes
    /// the same.
    pub fn deployment(&self) -> Deployment {
        let hubs = self.inner.hubs.all().into_iter().map(|mount| HubSummary {
            name: wire_name(mount.hub.name()),
            wire_name: mount.wire_name.to_string(),
            connection: mount.hub.connection(),
            negotiates: mount.hub.negotiates(),
            methods: mount.hub.methods().to_vec(),
        });
        // A page on the developer's machine is none of the deployment's.
        let origins = self.inner.negotiate.cors.origins.iter();
        Deployment {
            hubs: hubs.collect(),
            origins: origins.filter(|origin| !is_loopback_origin(origin)).cloned().collect(),
            prefix: self.inner.routes.prefix().trim_start_matches('/').to_owned(),
            executable: executable(),
            own_routes: false,
            signalr_triggers: false,
        }
    }
}

fn is_loopback_origin(origin: &str) -> bool {
    let uri: Option<Uri> = origin.parse().ok();
    uri.is_some_and(|uri| uri.host().is_some_and(is_loopback))
}

/// The name of the running program.
fn executable() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_stem().map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().into_owned())
}

impl Deployment {
    /// The name of the program that the Functions host starts; that of the running one without this.
    pub fn executable(mut self, name: impl Into<String>) -> Self {
        self.executable = name.into();
        self
    }

    /// The app has routes beside those of its hubs, so every other request goes to it, too.
    pub fn own_routes(mut self) -> Self {
        self.own_routes = true;
        self
    }

    /// One function with a `signalRTrigger` for each event, instead of one that the whole upstream
    /// request is forwarded to. Forwarding is the simpler and more exact form: the host neither decodes
    /// arguments nor results.
    pub fn signalr_triggers(mut self) -> Self {
        self.signalr_triggers = true;
        self
    }

    /// Every file, in the order of their paths.
    #[must_use]
    pub fn files(&self) -> Vec<DeploymentFile> {
        let mut files = BTreeMap::new();
        files.insert("host.json".to_owned(), json(&functions::host_json(self)));
        for (name, function) in functions::functions(self) {
            files.insert(format!("{name}/function.json"), json(&function));
        }
        files.insert("azure/upstream.json".to_owned(), json(&azure::upstream(self)));
        files.insert("azure/main.bicep".to_owned(), azure::bicep(self));
        files.insert("azure/steps.md".to_owned(), azure::steps(self));
        let settings = "local.settings.json".to_owned();
        files.insert(settings.clone(), json(&functions::local_settings()));
        let file = |(path, content)| DeploymentFile { keep: path == settings, path, content };
        files.into_iter().map(file).collect()
    }

    /// Writes every file below `folder`, and says which. Other files are left alone.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: impl AsRef<Path>) -> io::Result<Vec<PathBuf>> {
        let mut written = Vec::new();
        for file in self.files() {
            let path = folder.as_ref().join(&file.path);
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

    /// Functions in `folder` that no hub of this app asks for any more.
    fn left_over(&self, folder: &Path) -> io::Result<Vec<String>> {
        let wanted = functions::functions(self);
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().join("function.json").exists() && !wanted.contains_key(&name) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

fn json(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests;
