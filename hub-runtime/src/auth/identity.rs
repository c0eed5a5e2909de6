//! Tokens of Microsoft Entra through `azure_identity`, over the app's own HTTP client.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    cloud::CustomConfiguration,
    credentials::{Secret as AzureSecret, TokenCredential},
    error::ErrorKind,
    http::{
        AsyncRawResponse, Body, ClientOptions, HttpClient, Request as AzureRequest, StatusCode,
        Transport as AzureTransport, headers::Headers,
    },
};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use bytes::Bytes;
use hub_net::host::is_loopback;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{AccessToken, TokenSource, TokenSourceError, entra::SIGN_IN_TIMEOUT};
use crate::{
    config::{
        endpoint::{Identity, UserAssigned},
        env::{self, Variables},
    },
    rest::transport::Transport,
};

/// The metadata service of virtual machines.
const METADATA: &str = "http://169.254.169.254";
/// The timeout of the first token request to a managed identity if `IDENTITY_ENDPOINT` is not set. The
/// request then goes to the metadata service, which exists only on virtual machines.
const GUESS_TIMEOUT: Duration = Duration::from_secs(3);
/// The timeout of all sources together. It ends before that of a sign-in, so that the error names the sources.
const CHAIN_TIMEOUT: Duration = SIGN_IN_TIMEOUT.saturating_sub(Duration::from_secs(1));

/// The token source of an identity. Platforms provide their settings in the environment variables of the
/// process (`variables`).
pub(crate) fn source(
    identity: &Identity,
    variables: &impl Variables,
    transport: &Arc<dyn Transport>,
) -> Result<Arc<dyn TokenSource>, String> {
    let http = Http::new(transport, variables);
    let credential = match identity {
        Identity::Source(source) => return Ok(Arc::clone(source)),
        Identity::Chain { client_id } => return chain(client_id.clone(), variables, &http),
        Identity::Managed(who) => managed(who.clone(), &http),
        Identity::Workload { tenant_id, client_id } => {
            workload(tenant_id.clone(), client_id.clone(), &http)
        }
        Identity::App { tenant_id, client_id, client_secret } => {
            app(tenant_id, client_id.clone(), client_secret.expose().to_owned(), &http)
        }
    };
    let credential = credential.map_err(|error| error.to_string())?;
    let link = Link { name: "identity", credential, guess: false };
    Ok(Arc::new(Chain::of(vec![link], Vec::new(), &http)))
}

type Made = azure_core::Result<Arc<dyn TokenCredential>>;

fn managed(who: Option<UserAssigned>, http: &Http) -> Made {
    let user_assigned_id = who.map(|who| match who {
        UserAssigned::ClientId(id) => UserAssignedId::ClientId(id),
        UserAssigned::ResourceId(id) => UserAssignedId::ResourceId(id),
    });
    let client_options = http.options();
    let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
    Ok(ManagedIdentityCredential::new(Some(options))?)
}

fn app(tenant_id: &str, client_id: String, secret: String, http: &Http) -> Made {
    let options = ClientSecretCredentialOptions { client_options: http.options() };
    let secret = AzureSecret::new(secret);
    Ok(ClientSecretCredential::new(tenant_id, client_id, secret, Some(options))?)
}

fn workload(tenant_id: Option<String>, client_id: Option<String>, http: &Http) -> Made {
    let client_options = http.options();
    let options = WorkloadIdentityCredentialOptions {
        credential_options: ClientAssertionCredentialOptions { client_options },
        client_id,
        tenant_id,
        ..WorkloadIdentityCredentialOptions::default()
    };
    Ok(WorkloadIdentityCredential::new(Some(options))?)
}

/// App registration and workload identity if the environment configures them, then managed identity and
/// developer tools.
fn chain(
    client_id: Option<String>,
    variables: &impl Variables,
    http: &Http,
) -> Result<Arc<dyn TokenSource>, String> {
    let (mut links, mut skipped) = (Vec::new(), Vec::new());
    // A source that the environment shows but that cannot be used does not stop the sources after it.
    let mut link = |name, made: Made, guess| match made {
        Ok(credential) => links.push(Link { name, credential, guess }),
        Err(error) => skipped.push(format!("{name}: {error}")),
    };
    let app_registration = (
        variables.set("AZURE_TENANT_ID"),
        variables.set("AZURE_CLIENT_ID"),
        variables.set("AZURE_CLIENT_SECRET"),
    );
    if let (Some(tenant), Some(client), Some(secret)) = app_registration {
        link("app registration", app(&tenant, client, secret, http), false);
    }
    if variables.set("AZURE_FEDERATED_TOKEN_FILE").is_some() {
        link("workload identity", workload(None, client_id.clone(), http), false);
    }
    let shown = variables.set("IDENTITY_ENDPOINT").is_some();
    let who = client_id.map(UserAssigned::ClientId);
    link("managed identity", managed(who, http), !shown);
    let developer: Made = DeveloperToolsCredential::new(None).map(|made| made as _);
    link("developer tools", developer, false);
    if links.is_empty() {
        return Err(skipped.join("; "));
    }
    for problem in &skipped {
        tracing::info!(problem, "a source of Microsoft Entra tokens is skipped");
    }
    Ok(Arc::new(Chain::of(links, skipped, http)))
}

/// Credentials in order. The first credential that returns a token is used from then on.
struct Chain {
    links: Vec<Link>,
    /// The problems of the sources that cannot be used.
    skipped: Vec<String>,
    chosen: AtomicUsize,
    last_answer: LastAnswer,
}

struct Link {
    name: &'static str,
    credential: Arc<dyn TokenCredential>,
    /// Whether nothing in the environment indicates that this credential works. The first use of such a
    /// credential has a short timeout.
    guess: bool,
}

impl Link {
    async fn token(&self, scope: &str, limit: Duration) -> Result<AccessToken, Failure> {
        let scopes = [scope];
        let asked = self.credential.get_token(&scopes, None);
        let token = tokio::time::timeout(limit, asked).await.map_err(|_| Failure::Late)?;
        let token = token.map_err(|error| Failure::Refused(error.to_string()))?;
        Ok(AccessToken::new(token.token.secret(), token.expires_on.into()))
    }
}

enum Failure {
    Refused(String),
    Late,
}

impl Chain {
    fn of(links: Vec<Link>, skipped: Vec<String>, http: &Http) -> Self {
        let chosen = AtomicUsize::new(usize::MAX);
        Self { links, skipped, chosen, last_answer: Arc::clone(&http.last_answer) }
    }

    /// A token of this link before `deadline`, or the problem.
    async fn ask(
        &self,
        link: &Link,
        scope: &str,
        first: bool,
        deadline: Instant,
    ) -> Result<AccessToken, String> {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = if link.guess && first { left.min(GUESS_TIMEOUT) } else { left };
        *self.last_answer.lock() = None;
        link.token(scope, limit).await.map_err(|failure| match failure {
            Failure::Refused(problem) => format!("{}: {problem}", link.name),
            // The library repeats its requests and does not show the responses.
            Failure::Late => match self.last_answer.lock().take() {
                Some(answer) => {
                    format!(
                        "{}: no token within {limit:?}; the last response was {answer}",
                        link.name
                    )
                }
                None => format!("{}: no answer within {limit:?}", link.name),
            },
        })
    }
}

#[async_trait]
impl TokenSource for Chain {
    async fn token(&self, scope: &str) -> Result<AccessToken, TokenSourceError> {
        let deadline = Instant::now() + CHAIN_TIMEOUT;
        if let Some(link) = self.links.get(self.chosen.load(Ordering::Relaxed)) {
            let asked = self.ask(link, scope, false, deadline).await;
            return asked.map_err(TokenSourceError::new);
        }
        let mut failures = self.skipped.clone();
        for (index, link) in self.links.iter().enumerate() {
            match self.ask(link, scope, true, deadline).await {
                Ok(token) => {
                    tracing::info!(source = link.name, "signed in with Microsoft Entra");
                    self.chosen.store(index, Ordering::Relaxed);
                    return Ok(token);
                }
                Err(failure) => failures.push(failure),
            }
        }
        Err(TokenSourceError::new(failures.join("; ")))
    }
}

/// The last response with an error status: its status and the beginning of its body.
type LastAnswer = Arc<Mutex<Option<String>>>;
/// The part of a body that an error shows.
const MAX_SHOWN_CHARS: usize = 200;

/// The app's HTTP client, for the Azure libraries.
#[derive(Clone)]
struct Http {
    last_answer: LastAnswer,
    transport: Arc<dyn Transport>,
    /// The URL of a token service on loopback without TLS. The Azure libraries require an `https` URL, which
    /// is replaced by this URL.
    plain_authority: Option<String>,
    /// Replaces the URL of the metadata service.
    metadata: Option<String>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    fn new(transport: &Arc<dyn Transport>, variables: &impl Variables) -> Self {
        let without_slash = |url: String| url.trim_end_matches('/').to_owned();
        let authority = variables.set(env::AUTHORITY_HOST).map(without_slash);
        let on_loopback = |url: &String| {
            let uri: Option<http::Uri> = url.strip_prefix("http://").and_then(|_| url.parse().ok());
            uri.is_some_and(|uri| uri.host().is_some_and(is_loopback))
        };
        Self {
            last_answer: LastAnswer::default(),
            transport: Arc::clone(transport),
            plain_authority: authority.filter(on_loopback),
            metadata: variables.set("AZURE_POD_IDENTITY_AUTHORITY_HOST").map(without_slash),
        }
    }

    fn options(&self) -> ClientOptions {
        let client: Arc<dyn HttpClient> = Arc::new(self.clone());
        let cloud = self.plain_authority.as_ref().map(|authority| {
            let mut custom = CustomConfiguration::default();
            custom.authority_host = authority.replacen("http://", "https://", 1);
            Arc::new(custom.into())
        });
        let transport = Some(AzureTransport::new(client));
        ClientOptions { transport, cloud, ..ClientOptions::default() }
    }

    fn address(&self, url: &str) -> String {
        let plain = self.plain_authority.as_ref();
        let secure = plain.map(|plain| plain.replacen("http://", "https://", 1));
        if let (Some(plain), Some(rest)) = (plain, secure.and_then(|it| url.strip_prefix(&it)))
            && rest.starts_with('/')
        {
            return format!("{plain}{rest}");
        }
        match (&self.metadata, url.strip_prefix(METADATA)) {
            (Some(other), Some(rest)) => format!("{other}{rest}"),
            _ => url.to_owned(),
        }
    }
}

#[async_trait]
impl HttpClient for Http {
    async fn execute_request(
        &self,
        request: &AzureRequest,
    ) -> azure_core::Result<AsyncRawResponse> {
        let malformed = |error| azure_core::Error::new(ErrorKind::DataConversion, error);
        let mut built = http::Request::builder()
            .method(request.method().as_ref())
            .uri(self.address(request.url().as_str()));
        for (name, value) in request.headers().iter() {
            built = built.header(name.as_str(), value.as_str());
        }
        let body = match request.body() {
            Body::Bytes(bytes) => bytes.clone(),
            Body::SeekableStream(_) => Bytes::new(),
        };
        let answer = self.transport.call(built.body(body).map_err(malformed)?).await;
        let answer = answer.map_err(|error| azure_core::Error::new(ErrorKind::Io, error))?;
        let mut headers = Headers::new();
        for (name, value) in answer.headers() {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        if !answer.status().is_success() {
            let body = String::from_utf8_lossy(answer.body());
            let body: String = body.chars().take(MAX_SHOWN_CHARS).collect();
            *self.last_answer.lock() =
                Some(format!("{} {body}", answer.status()).trim().to_owned());
        }
        let status = StatusCode::from(answer.status().as_u16());
        Ok(AsyncRawResponse::from_bytes(status, headers, answer.into_body()))
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use hub_core::SendError;

    use super::*;

    /// A metadata service that answers with this status.
    struct Metadata(u16);

    #[async_trait]
    impl Transport for Metadata {
        async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
            assert_eq!(request.uri().host(), Some("169.254.169.254"));
            let body = Bytes::from_static(br#"{"error":"Identity not found"}"#);
            Ok(Response::builder().status(self.0).body(body).unwrap())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_metadata_service_ends_the_sign_in_within_nine_seconds_with_its_status() {
        for status in [404, 410, 429, 500] {
            let transport: Arc<dyn Transport> = Arc::new(Metadata(status));
            let source = source(&Identity::Managed(None), &|_: &str| None, &transport).unwrap();
            let started = Instant::now();

            let error = source.token("https://signalr.azure.com/.default").await.unwrap_err();

            assert!(started.elapsed() < SIGN_IN_TIMEOUT, "{:?}", started.elapsed());
            let text = format!("identity: no token within 8s; the last response was {status} ");
            assert!(error.to_string().starts_with(&text), "{error}");
            assert!(error.to_string().ends_with("Identity not found\"}"), "{error}");
        }
    }
}
