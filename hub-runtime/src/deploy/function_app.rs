//! The Bicep template and the steps of Azure Functions.

use super::{
    Deployment, Form,
    azure::{self, CREDENTIAL, SERVICE_URI, Setting, UPSTREAM_TOKENS},
    functions,
};

const BICEP: &str = include_str!("function_app.bicep");
const STEPS: &str = include_str!("function_app.md");
const SIGN_IN: &str = "The app signs in to the service with its managed identity, and the access keys of the service are disabled. Without an access key the service
does not sign its calls: the app verifies the key in their URL. To use the access key, add the parameter `useAccessKey=true` to every
deployment of the template. A new role takes effect after some minutes; until then negotiate requests fail, and the log of the app has
`the service does not allow this`.";
const TRIGGERS_NEED_KEY: &str = "The template uses the access key of the service. Without it, the calls of a `signalRTrigger` contain nothing that the app can verify.";

pub(super) fn bicep(deployment: &Deployment) -> String {
    let needs_key = deployment.form() == Form::SignalRTriggers;
    let why = match needs_key {
        true => {
            "Must be true: without an access key, the calls of a signalRTrigger contain nothing that the app can verify, so it refuses them."
        }
        false => {
            "If false, the app signs in with its managed identity, and access keys are disabled."
        }
    };
    let mut bicep = BICEP
        .replace("@@ORIGINS@@", &azure::origins(deployment))
        .replace("@@ACCESS_KEY_HELP@@", why)
        .replace("@@ACCESS_KEY@@", if needs_key { "true" } else { "false" });
    for (placeholder, settings) in [
        (
            "@@KEY_SETTINGS@@",
            &[Setting::value("", "signalr.listKeys().primaryConnectionString")][..],
        ),
        ("@@IDENTITY_SETTINGS@@", &[SERVICE_URI, CREDENTIAL]),
        ("@@CLAIMS_SETTINGS@@", &[Setting::value("__claimsKey", "claimsKey")]),
        ("@@TOKEN_SETTINGS@@", UPSTREAM_TOKENS),
    ] {
        bicep = azure::fill(&bicep, placeholder, deployment, settings);
    }
    bicep
}

pub(super) fn steps(deployment: &Deployment) -> String {
    let form = deployment.form();
    let query = match form {
        Form::SignalRTriggers => "az functionapp keys list --resource-group \"$group\" --name \"$app\" --query systemKeys.signalr_extension --output tsv".to_owned(),
        Form::Routes | Form::FunctionJson | Form::ContainerApp => format!(
            "az functionapp function keys list --resource-group \"$group\" --name \"$app\" --function-name {} --query default --output tsv",
            functions::upstream_function(deployment)
        ),
    };
    let files = match form {
        Form::FunctionJson | Form::SignalRTriggers => "host.json */function.json",
        Form::Routes | Form::ContainerApp => "host.json",
    };
    let (sign_in, features) = match form {
        Form::SignalRTriggers => (TRIGGERS_NEED_KEY, ""),
        Form::Routes | Form::FunctionJson | Form::ContainerApp => {
            (SIGN_IN, " --features hub-runtime/identity")
        }
    };
    STEPS
        .replace("@@SIGN_IN@@", sign_in)
        .replace("@@FEATURES@@", features)
        .replace("@@EXECUTABLE@@", &deployment.executable)
        .replace("@@FILES@@", files)
        .replace("@@KEY@@", &query)
}
