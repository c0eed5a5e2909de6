//! Opens the embedded service and connects it with the app.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    pin::Pin,
    sync::{Arc, OnceLock, Weak},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hub_core::Secret;
use hub_local::{
    Answer, ClientCall, ClientEvent, EventTap, Inspector, Limits, LocalService,
    LocalServiceBuilder, RecordFile, Upstream, UpstreamError,
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    runtime::Handle,
    task::{AbortHandle, JoinHandle},
};
use tracing::{Dispatch, instrument::WithSubscriber};

use super::BuildError;
use crate::{
    HubApp,
    answer::text,
    auth::SignIn,
    config::{EndpointRole, LocalPlan, env},
    embedded::{Embedded, Start},
    rest::transport::EmbeddedTransport,
    service_group::{ServiceAddress, base_of},
    shared::Inner,
    upstream::{self, InvocationIds, in_process},
};

/// The default port of the service. Microsoft's emulator has the same default port.
pub(crate) const DEFAULT_PORT: u16 = 8888;

/// Called with the headers of each upstream call of the embedded service, after its response.
pub(crate) type AfterCall = Box<dyn Fn(&HeaderMap) + Send + Sync>;

/// The service, bound to its address before the app is built.
pub(crate) struct BoundService {
    runtime: Handle,
    service: LocalService,
    listener: Option<TcpListener>,
    accept: Arc<OnceLock<AbortHandle>>,
    start: Arc<Start>,
    /// The app, set after it is built. Weak, since otherwise app and service would keep each other alive.
    app: Arc<OnceLock<Weak<Inner>>>,
    base: Uri,
    public: Uri,
    key: Secret,
}

/// Binds the listener and creates the service.
pub(crate) fn open(
    plan: &LocalPlan,
    inspector: Option<Option<Inspector>>,
    (record, tap): (Option<PathBuf>, Option<Arc<EventTap>>),
    after_call: Option<AfterCall>,
    operator: Option<Dispatch>,
) -> Result<BoundService, BuildError> {
    let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
    let listener = if plan.in_memory { None } else { Some(listen(plan.port)?) };
    let address = match &listener {
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
        Some(listener) => listener.local_addr().map_err(BuildError::Listen)?,
    };
    let base: Uri = format!("http://{address}")
        .parse()
        .map_err(|error| BuildError::Listen(io::Error::other(error)))?;
    let public = plan.url.clone().unwrap_or_else(|| base.clone());
    let key = plan.key.clone().map_or_else(random_key, Ok)?;
    let app = Arc::default();
    let builder = plan.hosts.iter().fold(LocalService::builder(), LocalServiceBuilder::allow_host);
    let service = plan
        .origins
        .iter()
        .fold(builder, LocalServiceBuilder::allow_origin)
        .key(key.clone())
        .upstream(InProcessUpstream { app: Arc::clone(&app), after_call, operator })
        .limits(Limits::default().max_connection_lifetime(plan.max_connection_lifetime))
        .detailed_errors(true);
    let inspector = inspector.unwrap_or_else(|| inspector_of(plan));
    // A recording hides what the settings of the inspector hide, also without its page.
    let inspector = inspector.or_else(|| record.is_some().then(|| hiding(plan).without_page()));
    let service = inspector.into_iter().fold(service, LocalServiceBuilder::inspector);
    let record = record
        .map(|path| RecordFile::create(&path).map_err(|error| BuildError::Record { path, error }));
    let service = match (record.transpose()?, tap) {
        (Some(file), Some(tap)) => service.record_to((file, tap)),
        (Some(file), None) => service.record(file),
        (None, Some(tap)) => service.record_to(tap),
        (None, None) => service,
    };
    let service =
        plan.url.iter().map(base_of).fold(service, LocalServiceBuilder::public_url).build();
    let set = service.set_public_url(base_of(&public));
    set.map_err(|error| BuildError::Listen(error.into()))?;
    Ok(BoundService {
        runtime,
        service,
        listener,
        accept: Arc::default(),
        start: Arc::default(),
        app,
        base,
        public,
        key,
    })
}

impl BoundService {
    pub(crate) fn address(&self) -> ServiceAddress {
        ServiceAddress {
            name: env::CONNECTION_STRING.to_owned(),
            role: EndpointRole::Primary,
            client_base: base_of(&self.public),
            audience: self.public.clone(),
            rest_base: base_of(&self.base),
            sign_in: SignIn::Key(self.key.clone()),
            transport: Arc::new(EmbeddedTransport(self.service.clone())),
            is_embedded: true,
        }
    }

    pub(crate) fn embedded(&self) -> Embedded {
        Embedded::new(self.service.clone(), Arc::clone(&self.start), Arc::clone(&self.accept))
    }

    /// Connects the service with the app. Clients are accepted from [`Start::now`] on.
    pub(crate) fn serve(self, app: &HubApp) {
        // The cells are set only here, so `set` cannot fail.
        let _ = self.app.set(Arc::downgrade(&app.inner));
        describe(&self.service, &app.inner);
        let Some(listener) = self.listener else { return };
        let mut line = format!("SignalR  {}  (local service, no account)", base_of(&self.public));
        if let Some(url) = self.service.inspector_url() {
            let (page, token) = url.expose().split_once('#').unwrap_or_default();
            // A token that was given is a secret of the operator.
            let token =
                if self.service.has_random_inspector_token() { token } else { "<your token>" };
            line.push_str(&format!("\nInspect  {page}#{token}"));
        }
        let _ = self.start.line.set(line);
        let accepting = accept(&self.runtime, self.service, listener, self.start);
        let _ = self.accept.set(accepting.abort_handle());
    }
}

/// The inspector of the environment: on, unless the service has a public URL or no listener.
fn inspector_of(plan: &LocalPlan) -> Option<Inspector> {
    let settings = &plan.inspector;
    if !settings.is_on.unwrap_or(plan.url.is_none() && !plan.in_memory) {
        return None;
    }
    Some(settings.token.clone().into_iter().fold(hiding(plan), Inspector::token))
}

/// What the settings hide.
fn hiding(plan: &LocalPlan) -> Inspector {
    let settings = &plan.inspector;
    Inspector::new()
        .payloads(!settings.hides_payloads)
        .mask(settings.masks.iter().map(String::as_str))
}

/// Tells the inspector the hubs of the app.
fn describe(service: &LocalService, app: &Arc<Inner>) {
    let app = Arc::downgrade(app);
    service.set_contract(move || {
        let Some(inner) = app.upgrade() else { return Value::Null };
        let contract = HubApp { inner: Arc::clone(&inner) }.contract();
        let mut contract = serde_json::to_value(contract).unwrap_or_default();
        // The service knows the hubs with the prefix of the app.
        let hubs = contract.get_mut("hubs").and_then(Value::as_array_mut);
        for hub in hubs.into_iter().flatten() {
            let mount = hub.get("name").and_then(Value::as_str).and_then(|it| inner.hubs.find(it));
            if let Some(mount) = mount {
                hub["service_name"] = mount.wire_name.to_string().into();
            }
        }
        contract
    });
}

fn accept(
    runtime: &Handle,
    service: LocalService,
    listener: TcpListener,
    start: Arc<Start>,
) -> JoinHandle<()> {
    runtime.spawn(async move {
        start.begun().await;
        if let Err(error) = service.serve(listener).await {
            tracing::error!(%error, "the embedded service stopped accepting clients");
        }
    })
}

/// Binds the configured port. Without a configured port, binds the default port, or any free port if the
/// default port is in use.
fn listen(port: Option<u16>) -> Result<TcpListener, BuildError> {
    let bind = |port| hub_net::listen::listen((Ipv4Addr::LOCALHOST, port).into());
    let bound = match port {
        Some(port) => bind(port).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => BuildError::PortTaken { port, variable: env::LOCAL_PORT },
            _ => BuildError::Listen(error),
        })?,
        None => bind(DEFAULT_PORT).or_else(|_| bind(0)).map_err(BuildError::Listen)?,
    };
    Ok(bound)
}

fn random_key() -> Result<Secret, BuildError> {
    use base64::{Engine, engine::general_purpose::STANDARD};

    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| BuildError::Listen(io::Error::other(error.to_string())))?;
    Ok(Secret::from(STANDARD.encode(bytes)))
}

/// The app as upstream of the service. Calls and events are passed as values; those that may be refused become the
/// requests that are sent over HTTP.
struct InProcessUpstream {
    app: Arc<OnceLock<Weak<Inner>>>,
    after_call: Option<AfterCall>,
    operator: Option<Dispatch>,
}

impl InProcessUpstream {
    fn app(&self) -> Option<Arc<Inner>> {
        self.app.get().and_then(Weak::upgrade)
    }

    /// Runs a call with the subscriber of the operator, and then calls `after_call` with the headers of the call, if it is set.
    fn observed<'a, T>(
        &'a self,
        headers: Option<HeaderMap>,
        answering: impl Future<Output = Result<T, UpstreamError>> + Send + 'a,
    ) -> Pin<Box<dyn Future<Output = Result<T, UpstreamError>> + Send + 'a>> {
        if self.operator.is_none() && headers.is_none() {
            return Box::pin(answering);
        }
        Box::pin(async move {
            let answer = match &self.operator {
                Some(operator) => answering.with_subscriber(operator.clone()).await,
                None => answering.await,
            };
            if let (Some(after_call), Some(headers)) = (&self.after_call, headers) {
                after_call(&headers);
            }
            answer
        })
    }
}

#[async_trait]
impl Upstream for InProcessUpstream {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, UpstreamError> {
        let Some(app) = self.app() else { return Ok(gone()) };
        let (parts, body) = request.into_parts();
        let body = Full::new(body);
        Ok(upstream::handle(app, parts.headers, body, InvocationIds::OfClients, || false).await)
    }

    fn message<'a>(
        &'a self,
        call: ClientCall<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, UpstreamError>> + Send + 'a>> {
        let app = self.app();
        let headers = self.after_call.is_some().then(|| call.headers());
        self.observed(headers, async move {
            Ok(match app {
                Some(app) => in_process::answer(app, call).await,
                None => Answer::Response(gone()),
            })
        })
    }

    fn event<'a>(
        &'a self,
        event: ClientEvent<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, UpstreamError>> + Send + 'a>> {
        let app = self.app();
        let headers = self.after_call.is_some().then(|| event.headers());
        self.observed(headers, async move {
            Ok(match app {
                Some(app) => in_process::report(app, event).await,
                None => gone(),
            })
        })
    }
}

fn gone() -> Response<Bytes> {
    text(StatusCode::SERVICE_UNAVAILABLE, "the app was dropped")
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use hub_core::{Hub, private};

    use super::*;
    use crate::SignalR;

    struct Nothing;

    impl Hub for Nothing {
        const NAME: &'static str = "Nothing";
        type Client = hub_core::Untyped;
        const METHODS: &'static [private::Method<Self>] = &[];
        const NEGOTIATE: Option<private::Negotiator<Self>> = None;

        fn filters() -> private::Filters {
            private::Filters::new()
        }
    }

    fn at_port(port: &str) -> Result<HubApp, BuildError> {
        let settings = [(env::LOCAL_PORT, port)].into_iter().collect();
        let signalr = SignalR::from_settings_or_local(settings)?;
        HubApp::builder().signalr(signalr).hub(Nothing).build()
    }

    #[tokio::test]
    async fn a_configured_port_in_use_is_an_error_with_advice() {
        let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();

        let error = at_port(&port.to_string()).unwrap_err();

        let text = format!(
            "port {port} is in use: set HUB_LOCAL_PORT to another port, or stop the process that listens there"
        );
        assert_eq!(error.to_string(), text);
    }

    #[tokio::test]
    async fn if_the_default_port_is_in_use_a_free_one_is_used() {
        // Whether or not the default port is free on this machine, it is in use for the second service.
        let (first, second) = (listen(None).unwrap(), listen(None).unwrap());

        let (first, second) = (first.local_addr().unwrap(), second.local_addr().unwrap());
        assert_ne!(first.port(), second.port());
        assert_ne!(second.port(), DEFAULT_PORT);
    }

    #[test]
    fn build_outside_a_runtime_is_an_error_with_advice() {
        let built = HubApp::builder().signalr(SignalR::local()).hub(Nothing).build();

        assert!(matches!(built, Err(BuildError::NoRuntime)));
    }

    #[tokio::test]
    async fn the_service_stops_listening_with_the_last_clone_of_the_app() {
        let app = at_port("0").unwrap();
        let address = app.client_url().trim_start_matches("http://").to_owned();
        let clone = app.clone();
        drop(app);
        assert!(TcpStream::connect(&address).is_ok());

        drop(clone);

        while TcpStream::connect(&address).is_ok() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn calls_after_the_app_was_dropped_get_503() {
        let gone = InProcessUpstream { app: Arc::default(), after_call: None, operator: None };

        let answer = gone.call(Request::new(Bytes::new())).await.unwrap();

        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
