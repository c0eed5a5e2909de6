//! Settings of an identity that do not fit each other or the service.

use super::*;

#[test]
fn identity_settings_without_a_service_are_problems() {
    for key in
        ["credential", "clientId", "managedIdentityResourceId", "clientSecret", "clientEndpoint"]
    {
        let name = format!("AzureSignalRConnectionString__{key}");
        let said = problems(&[(&name, "managedidentity")]);
        let text = format!(
            "{name} has no effect without AzureSignalRConnectionString__serviceUri, the URL of the service"
        );
        assert_eq!(said, [text]);
    }
}

#[test]
fn identity_settings_that_contradict_each_other_are_problems() {
    let uri = ("AzureSignalRConnectionString__serviceUri", "https://x.service.signalr.net");
    let credential = "AzureSignalRConnectionString__credential";
    for (kind, key) in [
        ("managedidentity", "tenantId"),
        ("ManagedIdentity", "clientSecret"),
        ("workloadidentity", "managedIdentityResourceId"),
        ("workloadidentity", "clientSecret"),
    ] {
        let name = format!("AzureSignalRConnectionString__{key}");
        let text = format!(
            "{name} does not fit {credential}={}: remove one of them",
            kind.to_ascii_lowercase()
        );
        assert_eq!(problems(&[uri, (credential, kind), (&name, "x")]), [text]);
    }
    let resource = ("AzureSignalRConnectionString__managedIdentityResourceId", "x");
    let secret = ("AzureSignalRConnectionString:clientSecret", "s");
    assert_eq!(
        problems(&[uri, resource, secret]),
        [
            "AzureSignalRConnectionString:clientSecret does not fit AzureSignalRConnectionString__managedIdentityResourceId: remove one of them"
        ]
    );
}

#[test]
fn the_tenant_of_upstream_tokens_fits_every_identity() {
    let tenant = ("AzureSignalRConnectionString__tenantId", "t-1");
    let audience = ("AzureSignalRConnectionString__upstreamAudience", "api://chat");
    let uri = ("AzureSignalRConnectionString__serviceUri", "https://x.service.signalr.net");
    let credential = ("AzureSignalRConnectionString__credential", "managedidentity");

    for service in [&[(NAME, STRING)][..], &[uri], &[uri, credential]] {
        let signalr = from(&[service, &[tenant, audience]].concat()).unwrap();
        assert!(signalr.connection.unused.is_empty());
    }
}

#[test]
fn identity_settings_beside_a_connection_string_are_checked_and_unused() {
    let wrong = ("AzureSignalRConnectionString__credential", "managed");
    assert!(problems(&[(NAME, STRING), wrong])[0].contains("credential is not a credential"));

    let unused = from(&[
        (NAME, STRING),
        ("AzureSignalRConnectionString__serviceUri", "https://y.service.signalr.net"),
        ("AzureSignalRConnectionString__clientId", "id"),
    ]);

    let unused = unused.unwrap().connection.unused;
    let because =
        "is not used, because the connection string AzureSignalRConnectionString takes precedence";
    assert_eq!(
        unused.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            format!("AzureSignalRConnectionString__serviceUri {because}"),
            format!("AzureSignalRConnectionString__clientId {because}"),
        ]
    );
}
