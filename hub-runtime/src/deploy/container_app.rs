//! The Bicep template, the steps and the image of Azure Container Apps.

use super::{
    Deployment,
    azure::{self, CREDENTIAL, SERVICE_URI, Setting, UPSTREAM_TOKENS},
};

const BICEP: &str = include_str!("container_app.bicep");
const STEPS: &str = include_str!("container_app.md");
const DOCKERFILE: &str = include_str!("container_app.Dockerfile");
const DOCKERIGNORE: &str = include_str!("container_app.dockerignore");

pub(super) fn bicep(deployment: &Deployment) -> String {
    let mut bicep = BICEP.replace("@@ORIGINS@@", &azure::origins(deployment));
    let client_id = Setting::value("__clientId", "identity.properties.clientId");
    for (placeholder, settings) in [
        ("@@KEY_SETTINGS@@", &[Setting::secret("", "'signalr'")][..]),
        ("@@IDENTITY_SETTINGS@@", &[SERVICE_URI, CREDENTIAL, client_id]),
        ("@@CLAIMS_SETTINGS@@", &[Setting::secret("__claimsKey", "'claims'")]),
        ("@@TOKEN_SETTINGS@@", UPSTREAM_TOKENS),
    ] {
        bicep = azure::fill(&bicep, placeholder, deployment, settings);
    }
    bicep
}

pub(super) fn steps() -> String {
    STEPS.to_owned()
}

pub(super) fn dockerignore() -> String {
    DOCKERIGNORE.to_owned()
}

pub(super) fn dockerfile(deployment: &Deployment) -> String {
    DOCKERFILE.replace("@@EXECUTABLE@@", &deployment.executable)
}
