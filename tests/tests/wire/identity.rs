//! Signing in with Microsoft Entra: the built program against a token service, a metadata service, a key set
//! and a SignalR service on loopback.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use hub_core::{
    Secret,
    seal::{self, Identity, SealKey},
    token,
};
use serde_json::Value;
use test_support::{FakeResponse, FakeService, RecordedRequest, http_client, response};

const CLAIMS_KEY: &str = "a claims key of at least thirty-two bytes";
const TEMPORARY_KEY: &str = "the temporary key of the service, 32 b";
const FIRST: &str = include_str!("../../../hub-runtime/src/auth/samples/first.jwt");
const OTHER_ISSUER: &str = include_str!("../../../hub-runtime/src/auth/samples/issuer.jwt");
const KEYS: &str = include_str!("../../../hub-runtime/src/auth/samples/jwks-first.json");

/// A fake of all Azure services that the app calls. `gives_keys` is whether the app's role may get
/// temporary keys.
async fn azure(gives_keys: bool) -> FakeService {
    let first = AtomicBool::new(true);
    FakeService::start(move |request| respond(request, gives_keys, &first)).await
}

fn respond(request: &RecordedRequest, gives_keys: bool, first: &AtomicBool) -> FakeResponse {
    let token = r#"{"token_type":"Bearer","expires_in":"86400","expires_on":"4102444800","access_token":"entra","resource":"https://signalr.azure.com"}"#;
    match request.path() {
        "/msi/token" | "/metadata/identity/oauth2/token" => response(200, "", token),
        "/tenant-1/oauth2/v2.0/token" => {
            let token = token.replace("\"86400\"", "86400");
            response(200, "", token)
        }
        "/keys" => response(200, "", KEYS),
        _ if request.token() != "entra" => response(401, "", ""),
        "/api/v1/auth/accessKey" if gives_keys => {
            assert!(first.swap(false, Ordering::SeqCst), "the key is fetched once");
            response(200, "", format!(r#"{{"AccessKey":"{TEMPORARY_KEY}","KeyId":"key-1"}}"#))
        }
        "/api/v1/auth/accessKey" => response(403, "", ""),
        "/api/hubs/loop/:generateToken" => response(200, "", r#"{"token":"made-by-the-service"}"#),
        _ => response(202, "", ""),
    }
}

/// The running program. Dropping the value kills it.
struct AppProcess {
    child: Child,
    address: String,
}

impl AppProcess {
    fn start(azure: &FakeService, variables: &[(&str, &str)]) -> Self {
        let mut child = command(azure, variables).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            Some(line.strip_prefix("App")?.trim().strip_prefix("http://")?.to_owned())
        });
        Self { child, address: address.expect("the app prints its address") }
    }

    /// Sends a POST request and returns the status and the body of the response.
    async fn post(&self, target: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let response =
            http_client::send(&self.address, "POST", target, headers, body.as_bytes()).await;
        (response.status, response.text().to_owned())
    }

    async fn negotiate(&self, query: &str) -> (u16, Value) {
        let (status, body) = self.post(&format!("/loop/negotiate?{query}"), &[], "").await;
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// Invokes `announce` as the service would.
    async fn announce(&self, query: &str, more: &[(&str, &str)]) -> (u16, String) {
        let admin = Identity {
            hub: "loop".to_owned(),
            user_id: Some("ada".to_owned()),
            issued_at: 0,
            claims: [("role".to_owned(), "admin".to_owned())].into_iter().collect(),
        };
        let sealed = seal::seal(&admin, &SealKey::derive(&CLAIMS_KEY.into()));
        let claims = format!("shub: {sealed}");
        let mut headers = vec![
            ("X-ASRS-Connection-Id", "c1"),
            ("X-ASRS-Hub", "loop"),
            ("X-ASRS-Category", "messages"),
            ("X-ASRS-Event", "announce"),
            ("X-ASRS-User-Id", "ada"),
            ("X-ASRS-User-Claims", &claims),
            ("Content-Type", "application/json"),
        ];
        headers.extend(more);
        let body = r#"{"type":1,"invocationId":"7","target":"announce","arguments":[]}"#;
        self.post(&format!("/runtime/webhooks/signalr{query}"), &headers, body).await
    }
}

impl Drop for AppProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with only these environment variables. `{azure}` in a value stands for the base URL
/// of the fake services.
fn command(azure: &FakeService, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_identity-app"));
    command.env_clear().env("PORT", "0").current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("AzureSignalRConnectionString__serviceUri", &azure.base);
    for (name, value) in variables {
        command.env(name, value.replace("{azure}", &azure.base));
    }
    command
}

const SEALS: (&str, &str) = ("AzureSignalRConnectionString__claimsKey", CLAIMS_KEY);
const CODE: (&str, &str) = ("HUB_UPSTREAM_CODE", "c0de");
const MANAGED: (&str, &str) = ("AzureSignalRConnectionString__credential", "managedidentity");
const APP_SERVICE: [(&str, &str); 2] =
    [("IDENTITY_ENDPOINT", "{azure}/msi/token"), ("IDENTITY_HEADER", "proof")];

fn request_to(azure: &FakeService, path: &str) -> RecordedRequest {
    azure.requests().iter().find(|request| request.path() == path).expect("a request").clone()
}

#[tokio::test]
async fn a_managed_identity_negotiates_with_a_temporary_key_and_seals_with_the_claims_key() {
    let azure = azure(true).await;
    let app = AppProcess::start(&azure, &[SEALS, CODE, MANAGED, APP_SERVICE[0], APP_SERVICE[1]]);

    let (status, redirect) = app.negotiate("role=admin").await;
    let (again, _) = app.negotiate("").await;

    assert_eq!((status, again), (200, 200), "{redirect}");
    let made = redirect["accessToken"].as_str().unwrap();
    let claims = token::verify(made, &[Secret::from(TEMPORARY_KEY)], 0, u64::MAX / 2).unwrap();
    assert_eq!(claims["asrs.s.uid"], "ada");
    let opened =
        seal::open(claims["shub"].as_str().unwrap(), &[SealKey::derive(&CLAIMS_KEY.into())]);
    assert!(opened.unwrap().claims.has("role", "admin"));
    // {"typ":"JWT","alg":"HS256","kid":"key-1"}
    assert!(made.starts_with("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6ImtleS0xIn0."), "{made}");
    let asked = request_to(&azure, "/msi/token");
    assert!(asked.target.contains("resource=https%3A%2F%2Fsignalr.azure.com"), "{}", asked.target);
    assert_eq!(asked.headers["x-identity-header"], "proof");
}

#[tokio::test]
async fn a_user_assigned_identity_is_named_to_the_metadata_service() {
    let azure = azure(true).await;
    let client = ("AzureSignalRConnectionString__clientId", "client-1");
    let metadata = ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "{azure}");
    let app = AppProcess::start(&azure, &[SEALS, CODE, MANAGED, client, metadata]);

    assert_eq!(app.negotiate("").await.0, 200);

    let asked = request_to(&azure, "/metadata/identity/oauth2/token");
    assert!(asked.target.contains("client_id=client-1"), "{}", asked.target);
    assert_eq!(asked.headers["metadata"], "true");
}

#[tokio::test]
async fn an_app_registration_sends_with_its_token_and_is_called_with_the_code() {
    let azure = azure(true).await;
    let app = AppProcess::start(
        &azure,
        &[
            SEALS,
            CODE,
            ("AzureSignalRConnectionString__tenantId", "tenant-1"),
            ("AzureSignalRConnectionString__clientId", "client-1"),
            ("AzureSignalRConnectionString__clientSecret", "secret"),
            ("AZURE_AUTHORITY_HOST", "{azure}"),
        ],
    );

    let (refused, _) = app.announce("", &[]).await;
    let (status, body) = app.announce("?code=c0de", &[]).await;

    assert_eq!(refused, 401);
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""result":true"#), "{body}");
    assert_eq!(request_to(&azure, "/api/hubs/loop/:send").token(), "entra");
    assert_eq!(request_to(&azure, "/tenant-1/oauth2/v2.0/token").method, "POST");
}

#[tokio::test]
async fn upstream_calls_are_verified_by_their_token() {
    let azure = azure(true).await;
    let app = AppProcess::start(
        &azure,
        &[
            SEALS,
            MANAGED,
            APP_SERVICE[0],
            APP_SERVICE[1],
            ("AzureSignalRConnectionString__upstreamAudience", "api://chat"),
            ("AzureSignalRConnectionString__upstreamTenantId", "tenant-1"),
            ("AzureSignalRConnectionString__upstreamClientId", "service-1"),
            ("AzureSignalRConnectionString__upstreamKeys", "{azure}/keys"),
        ],
    );
    let bearer = async |token: &str| {
        app.announce("", &[("Authorization", &format!("Bearer {token}"))]).await.0
    };

    assert_eq!(bearer(FIRST).await, 200);
    assert_eq!(bearer(OTHER_ISSUER).await, 401);
    assert_eq!(app.announce("", &[]).await.0, 401);
}

/// Prepends a directory with an `az` that is signed in to the search path.
fn azure_cli() -> (&'static str, String) {
    use std::os::unix::fs::PermissionsExt;

    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("azure-cli");
    std::fs::create_dir_all(&directory).unwrap();
    let script = "#!/bin/sh\necho '{\"accessToken\":\"entra\",\"expires_on\":4102444800,\"tokenType\":\"Bearer\"}'\n";
    let az = directory.join("az");
    std::fs::write(&az, script).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    ("PATH", format!("{}:/usr/bin:/bin", directory.display()))
}

#[tokio::test]
async fn a_source_that_cannot_be_used_is_skipped_and_the_azure_cli_signs_in() {
    let path = azure_cli();
    let unsupported = [
        // Cloud Shell and Azure Arc, whose managed identities azure_identity does not support.
        vec![("MSI_ENDPOINT", "http://127.0.0.1:1")],
        vec![("IDENTITY_ENDPOINT", "http://127.0.0.1:1"), ("IMDS_ENDPOINT", "http://127.0.0.1:1")],
        // A workload identity without AZURE_CLIENT_ID.
        vec![("AZURE_FEDERATED_TOKEN_FILE", "/nowhere"), ("MSI_ENDPOINT", "http://127.0.0.1:1")],
    ];
    for mut variables in unsupported {
        let shown = format!("{variables:?}");
        variables.extend([SEALS, CODE, (path.0, path.1.as_str())]);
        let azure = azure(true).await;
        let app = AppProcess::start(&azure, &variables);

        let (status, redirect) = app.negotiate("").await;

        assert_eq!(status, 200, "{shown}: {redirect}");
        assert_eq!(request_to(&azure, "/api/v1/auth/accessKey").token(), "entra", "{shown}");
    }
}

#[tokio::test]
async fn without_a_role_for_keys_the_service_makes_tokens_only_where_unsealed_ones_are_accepted() {
    let azure = azure(false).await;
    let variables =
        [SEALS, CODE, MANAGED, APP_SERVICE[0], APP_SERVICE[1], ("ACCEPT_UNSEALED", "1")];
    let app = AppProcess::start(&azure, &variables);
    let careful = AppProcess::start(&azure, &variables[..5]);

    let (status, redirect) = app.negotiate("").await;
    let (refused, _) = app.negotiate("role=admin").await;
    let (refused_too, _) = careful.negotiate("").await;

    assert_eq!(status, 200);
    assert_eq!(redirect["accessToken"], "made-by-the-service");
    let asked = request_to(&azure, "/api/hubs/loop/:generateToken");
    assert_eq!(
        asked.target,
        "/api/hubs/loop/:generateToken?api-version=2022-11-01&userId=ada&minutesToExpire=60"
    );
    assert_eq!((refused, refused_too), (500, 500));
}

#[tokio::test]
async fn without_a_claims_key_and_proof_of_upstream_calls_the_app_refuses_to_start() {
    let azure = azure(true).await;

    let output = command(&azure, &[MANAGED]).output().unwrap();

    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("set AzureSignalRConnectionString__claimsKey to a secret"), "{text}");
    assert!(text.contains("set AzureSignalRConnectionString__upstreamAudience"), "{text}");
    assert!(text.contains("or set HUB_UPSTREAM_CODE"), "{text}");
}
