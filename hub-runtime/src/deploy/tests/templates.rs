//! The templates: their names resolve, their parameters are passed, and the app reads the settings that they set.

use super::{super::azure::fill, bicep::Template, *};
use crate::config::{
    Settings,
    endpoint::{Credential, Identity, UserAssigned},
    signalr::Plan,
};

/// The templates, with the files that name their parameters.
fn templates() -> [(Deployment, &'static str); 4] {
    [
        (deployment(), "azure"),
        (deployment().function_json(), "azure"),
        (deployment().signalr_triggers(), "azure"),
        (deployment().container_apps(), "container-apps"),
    ]
}

fn parsed(deployment: &Deployment, folder: &str) -> Template {
    Template::parse(&content(deployment, &format!("{folder}/main.bicep")))
}

#[test]
fn every_name_in_the_templates_is_declared_and_used() {
    for (deployment, folder) in templates() {
        let template = parsed(&deployment, folder);

        assert_eq!(template.problems, [""; 0], "{deployment:?}");
        for kind in &template.types {
            let version = kind.split_once('@');
            assert!(
                version.is_none_or(|(_, version)| version.len() == "2024-03-01".len()),
                "{kind} is no stable version"
            );
        }
    }
}

#[test]
fn secrets_are_secure_parameters_without_a_default() {
    let (functions, app) =
        (parsed(&deployment(), "azure"), parsed(&deployment().container_apps(), "container-apps"));

    assert_eq!(
        functions.secure,
        ["claimsKey", "settings", "upstreamKey"].map(str::to_owned).into()
    );
    assert_eq!(app.secure, ["claimsKey", "settings", "upstreamCode"].map(str::to_owned).into());
    assert_eq!(functions.required, ["claimsKey", "name"].map(str::to_owned).into());
    assert_eq!(app.required, ["claimsKey", "name", "upstreamCode"].map(str::to_owned).into());
}

/// The parameters of each deployment in the steps.
fn given(steps: &str) -> Vec<BTreeSet<String>> {
    let deployments = steps.lines().filter_map(|line| Some(line.split_once("--parameters ")?.1));
    let name = |pair: &str| Some(pair.split_once('=')?.0.to_owned());
    deployments.map(|parameters| parameters.split(' ').filter_map(name).collect()).collect()
}

#[test]
fn the_steps_pass_every_required_parameter_and_no_unknown_one() {
    for (deployment, folder) in templates() {
        let template = parsed(&deployment, folder);
        let given = given(&content(&deployment, &format!("{folder}/steps.md")));

        assert_eq!(given.len(), 2);
        for parameters in &given {
            assert!(parameters.is_superset(&template.required), "{parameters:?}");
            for name in parameters {
                assert_eq!(
                    template.declared.get(name).map(String::as_str),
                    Some("param"),
                    "{name}"
                );
            }
        }
        let later: BTreeSet<_> = given[1].difference(&given[0]).map(String::as_str).collect();
        let only_later = if folder == "azure" { "upstreamKey" } else { "image" };
        assert_eq!(later, [only_later].into());
    }
}

#[test]
fn access_keys_are_disabled_unless_a_parameter_asks_for_them() {
    for (deployment, folder) in templates() {
        let bicep = content(&deployment, &format!("{folder}/main.bicep"));

        let default = deployment.form() == Form::SignalRTriggers;
        assert!(bicep.contains(&format!("\nparam useAccessKey bool = {default}\n")), "{bicep}");
        assert!(bicep.contains("disableLocalAuth: !useAccessKey\n"));
        assert!(bicep.contains("'7e4f1700-ea5a-4f59-8f37-079cfe29dce3'"));
        assert!(bicep.contains("resource signalrAccess 'Microsoft.Authorization/roleAssignments@"));
        for (at, _) in bicep.match_indices("signalr.listKeys()") {
            let before = &bicep[..at];
            let branch = before.rfind("? [").max(before.rfind(": ["));
            assert!(before[..branch.unwrap()].trim_end().ends_with("useAccessKey"), "{before}");
        }
    }
}

#[test]
fn a_signalr_trigger_needs_the_access_key_and_the_template_gives_the_reason() {
    let triggers = deployment().signalr_triggers();

    let (bicep, steps) =
        (content(&triggers, "azure/main.bicep"), content(&triggers, "azure/steps.md"));

    assert!(bicep.contains("Must be true: without an access key"));
    assert!(steps.contains("The template uses the access key of the service."));
    assert!(!steps.contains("hub-runtime/identity"));
    assert!(content(&deployment(), "azure/steps.md").contains("--features hub-runtime/identity"));
}

/// The settings of the app in a template, by name: the expressions of their values.
fn settings_of(bicep: &str) -> Vec<(String, String)> {
    let lines: Vec<_> = bicep.lines().map(str::trim).collect();
    let pairs = lines.windows(2).filter_map(|pair| {
        let name = pair[0].strip_prefix("name: '")?.strip_suffix('\'')?;
        let value =
            pair[1].strip_prefix("value: ").or_else(|| pair[1].strip_prefix("secretRef: "))?;
        Some((name.to_owned(), value.to_owned()))
    });
    pairs.filter(|(name, _)| name.contains("SignalR") || name.starts_with("HUB_")).collect()
}

/// What Azure makes of an expression.
fn evaluated(expression: &str) -> &str {
    match expression {
        "'https://${signalr.properties.hostName}'" => "https://x.service.signalr.net",
        "'${upstreamAudience},${replace(upstreamAudience, 'api://', '')}'" => "api://app,app",
        "subscription().tenantId" => "6e9c1f1e-6d7b-4c0e-9d5a-0f4f6c1f9a11",
        "signalr.identity.principalId" => "0a1b2c3d-0000-4000-8000-000000000001",
        "identity.properties.clientId" => "0a1b2c3d-0000-4000-8000-000000000002",
        "claimsKey" | "'claims'" => "0123456789abcdef0123456789abcdef",
        "'code'" | "empty(upstreamKey) ? guid('upstream', claimsKey) : upstreamKey" => {
            "abcdef0123456789abcdef0123456789"
        }
        "'signalr'" | "signalr.listKeys().primaryConnectionString" => {
            "Endpoint=https://x.service.signalr.net;AccessKey=0123456789abcdef;Version=1.0;"
        }
        literal => literal.trim_matches('\''),
    }
}

#[test]
fn the_app_reads_the_settings_of_the_templates() {
    for (deployment, folder) in templates() {
        let bicep = content(&deployment, &format!("{folder}/main.bicep"));
        let all = settings_of(&bicep);
        let is_key = |name: &str| matches!(name, "AzureSignalRConnectionString" | "FeedSignalR");
        let of_identity = |name: &str| {
            ["__serviceUri", "__credential", "__clientId"].iter().any(|end| name.ends_with(end))
        };
        let settings = |keep: &dyn Fn(&str) -> bool| -> Settings {
            let kept = all.iter().filter(|(name, _)| keep(name));
            kept.map(|(name, value)| (name.as_str(), evaluated(value))).collect()
        };

        let identity = SignalR::from_settings(settings(&|name| !is_key(name))).unwrap();
        let key = SignalR::from_settings(settings(&|name| !of_identity(name))).unwrap();

        let names = ["AzureSignalRConnectionString", "FeedSignalR"];
        for (signalr, has_key) in [(&identity, false), (&key, true)] {
            assert!(signalr.unread(&names).is_empty());
            for name in names {
                let connection = signalr.connection(name).unwrap();
                assert!(connection.unused.is_empty(), "{:?}", connection.unused);
                assert!(connection.claims_key.is_some());
                let tokens = connection.upstream_tokens.as_ref().unwrap();
                assert_eq!(tokens.audiences, ["api://app", "app"]);
                assert_eq!(tokens.client_ids, ["0a1b2c3d-0000-4000-8000-000000000001"]);
                let Plan::Service(endpoints) = &connection.plan else { panic!("{name}") };
                assert_eq!(endpoints[0].access_key().is_some(), has_key);
                if let Credential::Identity(who) = &endpoints[0].credential {
                    let user_assigned = "0a1b2c3d-0000-4000-8000-000000000002";
                    match (folder, who) {
                        ("azure", Identity::Managed(None)) => {}
                        (_, Identity::Managed(Some(UserAssigned::ClientId(id)))) => {
                            assert_eq!(id, user_assigned);
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn an_app_without_hubs_fills_no_settings() {
    let builder = HubApp::builder().signalr(SignalR::from_connection_string(SERVICE).unwrap());
    let mut empty = builder.hub(Feed).build().unwrap().deployment();
    empty.hubs.clear();

    assert_eq!(fill("a\n  @@X@@\nb", "@@X@@", &empty, &[]), "a\n\nb");
}
