//! Tokens of Microsoft Entra through `azure_identity`, over the app's own HTTP client.

use std::{
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

use super::{AccessToken, TokenSource, TokenSourceError};
use crate::{
    config::{
        endpoint::{Identity, UserAssigned},
        env::{self, Variables},
    },
    loopback::is_loopback,
    rest::transport::Transport,
};

/// The metadata service of virtual machines.
const METADATA: &str = "http://169.254.169.254";
/// The timeout of the first token request to a managed identity if `IDENTITY_ENDPOINT` is not set. The
/// request then goes to the metadata service, which exists only on virtual machines.
const GUESS_TIMEOUT: Duration = Duration::from_secs(3);

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
    Ok(Arc::new(Chain::of(vec![Link { name: "identity", credential, guess: false }])))
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
    let mut links = Vec::new();
    let mut link = |name, made: Made, guess| {
        let credential = made.map_err(|error| format!("{name}: {error}"))?;
        links.push(Link { name, credential, guess });
        Ok::<_, String>(())
    };
    let app_registration = (
        variables.set("AZURE_TENANT_ID"),
        variables.set("AZURE_CLIENT_ID"),
        variables.set("AZURE_CLIENT_SECRET"),
    );
    if let (Some(tenant), Some(client), Some(secret)) = app_registration {
        link("app registration", app(&tenant, client, secret, http), false)?;
    }
    if variables.set("AZURE_FEDERATED_TOKEN_FILE").is_some() {
        link("workload identity", workload(None, client_id.clone(), http), false)?;
    }
    let shown = variables.set("IDENTITY_ENDPOINT").is_some();
    let who = client_id.map(UserAssigned::ClientId);
    link("managed identity", managed(who, http), !shown)?;
    let developer: Made = DeveloperToolsCredential::new(None).map(|made| made as _);
    link("developer tools", developer, false)?;
    Ok(Arc::new(Chain::of(links)))
}

/// Credentials in order. The first credential that returns a token is used from then on.
struct Chain {
    links: Vec<Link>,
    chosen: AtomicUsize,
}

struct Link {
    name: &'static str,
    credential: Arc<dyn TokenCredential>,
    /// Whether nothing in the environment indicates that this credential works. The first use of such a
    /// credential has a short timeout.
    guess: bool,
}

impl Link {
    async fn token(&self, scope: &str, first: bool) -> Result<AccessToken, String> {
        let scopes = [scope];
        let asked = self.credential.get_token(&scopes, None);
        let token = if self.guess && first {
            let answer = tokio::time::timeout(GUESS_TIMEOUT, asked).await;
            answer.map_err(|_| format!("{}: no answer within {GUESS_TIMEOUT:?}", self.name))?
        } else {
            asked.await
        };
        let token = token.map_err(|error| format!("{}: {error}", self.name))?;
        Ok(AccessToken::new(token.token.secret(), token.expires_on.into()))
    }
}

impl Chain {
    fn of(links: Vec<Link>) -> Self {
        Self { links, chosen: AtomicUsize::new(usize::MAX) }
    }
}

#[async_trait]
impl TokenSource for Chain {
    async fn token(&self, scope: &str) -> Result<AccessToken, TokenSourceError> {
        if let Some(link) = self.links.get(self.chosen.load(Ordering::Relaxed)) {
            return link.token(scope, false).await.map_err(TokenSourceError::new);
        }
        let mut failures = Vec::new();
        for (index, link) in self.links.iter().enumerate() {
            match link.token(scope, true).await {
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

/// The app's HTTP client, for the Azure libraries.
#[derive(Clone, derive_more::Debug)]
#[debug("Http")]
struct Http {
    transport: Arc<dyn Transport>,
    /// The URL of a token service on loopback without TLS. The Azure libraries require an `https` URL, which
    /// is replaced by this URL.
    plain_authority: Option<String>,
    /// Replaces the URL of the metadata service.
    metadata: Option<String>,
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
        let status = StatusCode::from(answer.status().as_u16());
        Ok(AsyncRawResponse::from_bytes(status, headers, answer.into_body()))
    }
}
