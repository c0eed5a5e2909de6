use hub_core::client_access::EMULATOR_KEY;

use super::{
    endpoint::{Credential, EndpointPlan, Identity},
    rest::RestSettings,
    *,
};

mod identity;

const STRING: &str = "Endpoint=https://x.service.signalr.net;AccessKey=k;Version=1.0;";
const NAME: &str = "AzureSignalRConnectionString";

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| (*name, *value)).collect()
}

fn from(pairs: &[(&str, &str)]) -> Result<SignalR, ConfigError> {
    SignalR::from_settings(settings(pairs))
}

fn or_local(pairs: &[(&str, &str)]) -> Result<SignalR, ConfigError> {
    SignalR::from_settings_or_local(settings(pairs))
}

fn endpoints(signalr: &SignalR) -> &[EndpointPlan] {
    match &signalr.connection.plan {
        Plan::Service(endpoints) => endpoints,
        other => panic!("{other:?}"),
    }
}

fn missing(signalr: &SignalR) -> String {
    match &signalr.connection.plan {
        Plan::Missing(problem) => problem.to_string(),
        other => panic!("{other:?}"),
    }
}

fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    let error = or_local(pairs).unwrap_err();
    error.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn without_a_setting_the_embedded_service_is_used_if_allowed() {
    assert!(matches!(or_local(&[]).unwrap().connection.plan, Plan::Local(_)));
    assert_eq!(
        missing(&from(&[]).unwrap()),
        "no SignalR service: set the variable AzureSignalRConnectionString to the connection string of the service, or AzureSignalRConnectionString__serviceUri to its URL"
    );
}

#[test]
fn a_connection_string_takes_precedence_over_the_embedded_service() {
    assert_eq!(endpoints(&or_local(&[(NAME, STRING)]).unwrap()).len(), 1);
}

#[test]
fn connection_strings_of_app_service_are_read() {
    for name in [
        "ConnectionStrings:AzureSignalRConnectionString",
        "ConnectionStrings__AzureSignalRConnectionString",
        "CUSTOMCONNSTR_AzureSignalRConnectionString",
        "azuresignalrconnectionstring",
    ] {
        assert_eq!(endpoints(&from(&[(name, STRING)]).unwrap()).len(), 1, "{name}");
    }
}

#[test]
fn every_cloud_host_refuses_the_embedded_service() {
    for host in [
        "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_CUSTOMHANDLER_PORT",
        "WEBSITE_INSTANCE_ID",
        "AWS_LAMBDA_RUNTIME_API",
        "KUBERNETES_SERVICE_HOST",
        "K_SERVICE",
        "CONTAINER_APP_NAME",
        "ECS_CONTAINER_METADATA_URI_V4",
        "FLY_APP_NAME",
        "DYNO",
    ] {
        let shown = missing(&or_local(&[(host, "x")]).unwrap());

        assert!(
            shown.starts_with(&format!(
                "no SignalR service: {host} is set, so this is a cloud host"
            ))
        );
    }
}

#[test]
fn a_local_functions_host_is_not_a_cloud_host() {
    let local = or_local(&[
        ("FUNCTIONS_WORKER_RUNTIME", "Custom"),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
    ]);
    let file = r#"{"Values":{"FUNCTIONS_WORKER_RUNTIME":"Custom"}}"#;
    let from_file = settings(&[]).with_local_settings(file).unwrap();

    assert!(matches!(local.unwrap().connection.plan, Plan::Local(_)));
    let from_file = SignalR::from_settings_or_local(from_file).unwrap();
    assert!(matches!(from_file.connection.plan, Plan::Local(_)));
}

#[test]
fn all_problems_are_listed_with_their_setting_and_valid_values() {
    let found = problems(&[
        (NAME, "AccessKey=k;Version=1.0"),
        ("AzureSignalRConnectionString:claimsKey", "short"),
        ("AzureSignalRConnectionString__applicationName", "1x"),
        ("HUB_LOCAL_PORT", "eighty"),
        ("HUB_LOCAL_URL", "here"),
        ("AzureSignalRHttpClientTimeout", "100"),
        ("AzureSignalRRetry__MaxRetries", "many"),
        ("AzureSignalRRetry:Mode", "Linear"),
        ("Azure__SignalR__Endpoints__west__secundary", STRING),
    ]);

    assert_eq!(
        found,
        [
            "HUB_LOCAL_PORT is not a port: it must be a number from 0 to 65535",
            "HUB_LOCAL_URL is not the URL of a host: it must be like http://host:port, without a path",
            "AzureSignalRConnectionString is not a usable connection string: Connection string missing required properties endpoint.",
            "Azure__SignalR__Endpoints__west__secundary is not an endpoint setting: its name must end with primary or secondary (the value is a connection string) or, for an endpoint with a serviceUri, with one of type, clientEndpoint, serverEndpoint, credential, clientId, managedIdentityResourceId, tenantId, clientSecret",
            "AzureSignalRConnectionString__applicationName is not a valid prefix of hub names: a hub name starts with a letter and has at most 128 letters, digits or any of _ ` , . [ ]",
            "AzureSignalRConnectionString:claimsKey is too short: a claims key has at least 32 bytes",
            "AzureSignalRHttpClientTimeout is not a duration: it must be like 00:01:40 (hours, minutes, seconds) or 00:00:00.800",
            "AzureSignalRRetry__MaxRetries is not a number from 0 to 100",
            "AzureSignalRRetry:Mode is not a mode: use Fixed or Exponential",
        ]
    );
}

#[test]
fn several_problems_are_shown_as_a_list() {
    let error = or_local(&[("HUB_LOCAL_PORT", "x"), ("HUB_LOCAL_URL", "x")]).unwrap_err();

    let shown = error.to_string();
    assert!(shown.starts_with("the settings cannot be used:\n  - HUB_LOCAL_PORT is"), "{shown}");
    assert!(shown.contains("\n  - HUB_LOCAL_URL is"), "{shown}");
}

#[test]
fn timeouts_and_retries_are_read() {
    let rest = from(&[
        ("AzureSignalRHttpClientTimeout", "00:00:10"),
        ("AzureSignalRRetry__MaxRetries", "5"),
        ("AzureSignalRRetry__Delay", "00:00:00.8"),
        ("AzureSignalRRetry__MaxDelay", "00:01:00"),
        ("AzureSignalRRetry__Mode", "fixed"),
    ])
    .unwrap()
    .rest;

    assert_eq!(
        rest,
        RestSettings {
            timeout: Some(std::time::Duration::from_secs(10)),
            max_retries: Some(5),
            delay: Some(std::time::Duration::from_millis(800)),
            max_delay: Some(std::time::Duration::from_secs(60)),
            mode: Some(rest::RetryMode::Fixed),
        }
    );
}

#[test]
fn an_endpoint_with_an_identity_needs_only_its_url() {
    let signalr = from(&[("AzureSignalRConnectionString__serviceUri", "https://x.net/")]).unwrap();

    let [only] = endpoints(&signalr) else { panic!() };
    assert_eq!(only.endpoint, "https://x.net");
    assert!(matches!(only.credential, Credential::Identity(Identity::Chain { client_id: None })));
}

#[test]
fn a_connection_string_takes_precedence_over_a_service_uri() {
    let uri = ("AzureSignalRConnectionString__serviceUri", "https://other.net");
    let signalr = from(&[(NAME, STRING), uri]).unwrap();

    let [only] = endpoints(&signalr) else { panic!() };
    assert_eq!(only.endpoint, "https://x.service.signalr.net");
}

fn identity(more: &[(&str, &str)]) -> Result<String, ConfigError> {
    let mut pairs = vec![(format!("{NAME}__serviceUri"), "https://x.net".to_owned())];
    pairs.extend(more.iter().map(|(key, value)| (format!("{NAME}__{key}"), (*value).to_owned())));
    let signalr = SignalR::from_settings(pairs.into_iter().collect())?;
    let [only] = endpoints(&signalr) else { panic!() };
    let Credential::Identity(identity) = &only.credential else { panic!() };
    Ok(match identity {
        Identity::Chain { client_id } => format!("chain {client_id:?}"),
        Identity::Managed(who) => format!("managed {who:?}"),
        Identity::Workload { tenant_id, client_id } => {
            format!("workload {tenant_id:?} {client_id:?}")
        }
        Identity::App { tenant_id, client_id, client_secret } => {
            format!("app {tenant_id} {client_id} {}", client_secret.expose())
        }
        Identity::Source(_) => "source".to_owned(),
    })
}

#[test]
fn every_kind_of_identity_has_its_settings() {
    let managed = ("credential", "ManagedIdentity");

    assert_eq!(identity(&[managed]).unwrap(), "managed None");
    assert_eq!(identity(&[managed, ("clientId", "c")]).unwrap(), "managed Some(ClientId(\"c\"))");
    assert_eq!(
        identity(&[managed, ("managedIdentityResourceId", "/r")]).unwrap(),
        "managed Some(ResourceId(\"/r\"))"
    );
    assert_eq!(
        identity(&[("tenantId", "t"), ("clientId", "c"), ("clientSecret", "s")]).unwrap(),
        "app t c s"
    );
    assert_eq!(
        identity(&[("credential", "workloadidentity"), ("tenantId", "t")]).unwrap(),
        "workload Some(\"t\") None"
    );
    assert_eq!(identity(&[("clientId", "c")]).unwrap(), "chain Some(\"c\")");
}

#[test]
fn an_incomplete_identity_is_refused_with_the_missing_settings() {
    let error = |more: &[_]| identity(more).unwrap_err().to_string();

    assert_eq!(
        error(&[("tenantId", "t"), ("clientId", "c")]),
        "AzureSignalRConnectionString__clientSecret is missing: an app registration needs tenantId, clientId and clientSecret"
    );
    assert_eq!(
        error(&[("clientId", "c"), ("managedIdentityResourceId", "/r")]),
        "AzureSignalRConnectionString__managedIdentityResourceId is set together with clientId: set one of them to select a user-assigned identity"
    );
    assert!(error(&[("credential", "magic")]).starts_with(
        "AzureSignalRConnectionString__credential is not a credential: use managedidentity or workloadidentity"
    ));
}

#[test]
fn additional_endpoints_are_read_in_every_spelling() {
    let signalr = from(&[
        (NAME, STRING),
        ("Azure__SignalR__Endpoints__a", "Endpoint=https://a.net;AccessKey=k"),
        ("Azure:SignalR:Endpoints:b:secondary", "Endpoint=https://b.net;AccessKey=k"),
        ("Azure__SignalR__Endpoints__c__primary", "Endpoint=https://c.net;AccessKey=k"),
        ("Azure__SignalR__Endpoints__d__serviceUri", "https://d.net"),
        ("Azure__SignalR__Endpoints__d__type", "Secondary"),
        ("Azure__SignalR__Endpoints__d__credential", "managedidentity"),
    ])
    .unwrap();

    let shown: Vec<_> = endpoints(&signalr)
        .iter()
        .map(|it| (it.name.as_str(), it.endpoint.host().unwrap(), it.role))
        .collect();
    assert_eq!(
        shown,
        [
            (NAME, "x.service.signalr.net", EndpointRole::Primary),
            ("a", "a.net", EndpointRole::Primary),
            ("b", "b.net", EndpointRole::Secondary),
            ("c", "c.net", EndpointRole::Primary),
            ("d", "d.net", EndpointRole::Secondary),
        ]
    );
}

#[test]
fn additional_endpoints_need_no_default_connection() {
    let one = [("Azure__SignalR__Endpoints__a", STRING)];

    assert_eq!(endpoints(&from(&one).unwrap()).len(), 1);
}

#[test]
fn a_hub_uses_the_settings_of_its_own_connection() {
    let signalr = or_local(&[
        (NAME, STRING),
        ("Game", "Endpoint=https://game.net;AccessKey=k"),
        ("Game__applicationName", "Team"),
        ("Game__Endpoints__b", "Endpoint=https://b.net;AccessKey=k"),
    ])
    .unwrap();

    let game = signalr.connection("Game").unwrap();
    let Plan::Service(endpoints) = &game.plan else { panic!() };
    assert_eq!(endpoints.len(), 2);
    assert_eq!(game.application.as_deref(), Some("team"));
    assert!(matches!(signalr.connection("Other").unwrap().plan, Plan::Local(_)));
    assert_eq!(signalr.connection(NAME).unwrap().application, None);
}

#[test]
fn a_connection_string_in_code_applies_to_every_hub() {
    let signalr = SignalR::from_connection_string(STRING).unwrap();

    assert!(matches!(signalr.connection("Game").unwrap().plan, Plan::Service(_)));
}

#[test]
fn the_well_known_key_is_for_loopback_only() {
    let with = |host| format!("Endpoint=http://{host};AccessKey={EMULATOR_KEY};Version=1.0;");
    let refused = |text: &str| {
        let error = SignalR::from_connection_string(text).unwrap_err();
        matches!(error.problems(), [SettingProblem::WellKnownKey { .. }])
    };

    assert!(SignalR::from_connection_string(&with("localhost")).is_ok());
    assert!(SignalR::from_connection_string(&with("[::1]")).is_ok());
    assert!(refused(&with("localhost;ServerEndpoint=http://evil.example")));
    assert!(refused(&with("10.0.0.5")));
}

#[test]
fn debug_output_shows_no_key() {
    let signalr = from(&[(NAME, STRING), ("X", "topsecret")]).unwrap().claims_key("k2");

    let shown = format!("{signalr:?}");

    assert!(shown.contains("Secret") && !shown.contains("k2") && !shown.contains("topsecret"));
}

#[test]
fn invalid_upstream_token_settings_are_problems_of_their_setting() {
    let said = |more: &[(&str, &str)]| problems(&[&[(NAME, STRING)], more].concat());
    let audience = ("AzureSignalRConnectionString__upstreamAudience", "api://chat");
    let tenant = ("AzureSignalRConnectionString__upstreamTenantId", "t-1");

    for (other, problem) in [
        (
            ("AzureSignalRConnectionString__upstreamTenantId", "my tenant"),
            "AzureSignalRConnectionString__upstreamTenantId is not a tenant",
        ),
        (("AZURE_TENANT_ID", "../x"), "AZURE_TENANT_ID is not a tenant"),
    ] {
        let said = said(&[audience, other]);
        assert!(said[0].starts_with(problem), "{said:?}");
    }
    for authority in ["http://login.example", "login.example", "ftp://login.example"] {
        let said = said(&[audience, tenant, ("AZURE_AUTHORITY_HOST", authority)]);
        assert!(
            said[0].starts_with("AZURE_AUTHORITY_HOST is not a URL: it must be the https"),
            "{said:?}"
        );
    }
    assert_eq!(
        said(&[("AzureSignalRConnectionString__upstreamAudience", " , "), tenant]),
        [
            "AzureSignalRConnectionString__upstreamAudience has no audience: it must be like api://chat"
        ]
    );
    let client = ("AzureSignalRConnectionString__upstreamClientId", " , ");
    assert_eq!(
        said(&[audience, tenant, client]),
        [
            "AzureSignalRConnectionString__upstreamClientId has no id: it must be the application or object id of the service's identity, like 00000000-0000-0000-0000-000000000000"
        ]
    );
    let tokens = |audience, tenant, client| {
        SignalR::from_connection_string(STRING).unwrap().upstream_tokens(audience, tenant, client)
    };
    assert!(tokens("api://chat", "my tenant", "s-1").is_err());
    assert!(tokens(" ", "t-1", "s-1").is_err());
    assert!(tokens("api://chat", "t-1", "").is_err());
    assert!(tokens("api://chat", "t-1", "s-1").unwrap().connection.upstream_tokens.is_some());
}

#[test]
fn several_services_have_their_ids_in_one_setting() {
    let signalr = from(&[
        (NAME, STRING),
        ("AzureSignalRConnectionString__upstreamAudience", "api://chat"),
        ("AzureSignalRConnectionString__upstreamTenantId", "t-1"),
        ("AzureSignalRConnectionString__upstreamClientId", "west-1, east-1"),
    ]);

    let tokens = signalr.unwrap().connection.upstream_tokens.unwrap();
    assert_eq!(tokens.client_ids, ["west-1", "east-1"]);
}
