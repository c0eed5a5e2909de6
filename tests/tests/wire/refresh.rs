//! The refresh route: new claims for an open connection, each refusal, CORS, limits, and several endpoints.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Empty;
use hub_runtime::{
    HubApp, HubAppBuilder,
    clients::SendErrorKind,
    config::Retries,
    endpoints::{EndpointRouter, Operation, ServiceEndpoint},
    negotiate::NegotiateLimit,
    prelude::*,
    testing::TestHub,
};
use serde_json::{Value, json};
use test_support::{
    AppResponse, Client, FakeService, World, answer, http_client::send_bytes, log_of, response,
    serve,
};
use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan};

use crate::support::{KEY, builder_at};

const TOKEN: &str = "x-signalr-connection-token";

#[derive(Default)]
struct Loop {
    refreshed: Mutex<Vec<String>>,
}

#[serverless_hub]
impl Loop {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(match request.bearer_token() {
            Some(user) => Negotiation::user(user).claim("role", "reader"),
            None => Negotiation::anonymous(),
        })
    }

    /// The bearer token is `user/role`.
    async fn refresh(&self, request: RefreshRequest) -> HubResult<Negotiation> {
        assert!(request.header(TOKEN).is_none(), "the token of the connection is a secret");
        match request.bearer_token() {
            None => Err(HubError::unauthenticated("Sign in again")),
            Some("revoked") => Err(HubError::denied("ada is no longer welcome")),
            Some("odd") => Err(HubError::rejected("what is that?")),
            Some("panic") => panic!("secret"),
            Some("big") => Ok(Negotiation::user("ada").claim("photo", "x".repeat(3000))),
            Some("blank") => Ok(Negotiation::user(" ada")),
            Some("nobody") => Ok(Negotiation::anonymous()),
            Some(token) => {
                let (user, role) = token.split_once('/').or_reject("no role")?;
                let lifetime = Duration::from_secs(900);
                Ok(Negotiation::user(user).claim("role", role).lifetime(lifetime))
            }
        }
    }

    async fn on_refreshed(&self, ctx: &Context<Self>) -> HubResult {
        let roles: Vec<_> = ctx.claims().all("role").collect();
        let line =
            format!("{:?} {roles:?} {:?}", ctx.user_id(), ctx.invocation().query().get("room"));
        self.refreshed.lock().unwrap().push(line);
        assert!(!ctx.claims().has("role", "boom"), "a panic of the test");
        ctx.clients().caller().send("refreshed", ()).await?;
        Ok(())
    }

    async fn role(&self, ctx: &Context<Self>) -> HubResult<Option<String>> {
        Ok(ctx.claims().get("role").map(str::to_owned))
    }

    #[filter(RequireClaim("role", "writer"))]
    async fn write(&self) {}

    async fn grant(&self, ctx: &Context<Self>, user: String, role: String) -> HubResult {
        let granted = Negotiation::user(user).claim("role", role);
        ctx.client_manager().refresh(ctx.connection_id(), granted).await?;
        Ok(())
    }
}

/// A hub that clients cannot refresh.
struct Fixed;

#[serverless_hub]
impl Fixed {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }
}

fn bearer(token: &str) -> Request<()> {
    let request = Request::builder().header("authorization", format!("Bearer {token}"));
    request.body(()).unwrap()
}

async fn ask(app: &HubApp, method: Method, path: &str, headers: &[(&str, &str)]) -> AppResponse {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(app, request.body(Empty::<Bytes>::new()).unwrap()).await
}

/// Status and code of the refusal of a request with this bearer token and connection token.
async fn refused(app: &HubApp, token: &str, connection: &str) -> (u16, String) {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", &*authorization), (TOKEN, connection)];
    refusal(&ask(app, Method::POST, "/loop/refresh", &headers).await)
}

fn refusal(answer: &AppResponse) -> (u16, String) {
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(body["message"].is_string() && body.as_object().unwrap().len() == 2, "{body}");
    (answer.status.as_u16(), body["error"].as_str().unwrap().to_owned())
}

/// Connects as official clients do: negotiates at the app, then at the service. Returns the connection token.
async fn connect(app: &HubApp, user: &str) -> (Client, String) {
    let authorization = format!("Bearer {user}");
    let headers = [("authorization", &*authorization)];
    let redirect = ask(app, Method::POST, "/loop/negotiate?negotiateVersion=1", &headers).await;
    let redirect: Value = serde_json::from_str(&redirect.body).unwrap();
    assert_eq!(redirect["tokenLifetimeSeconds"], 3600);
    let [url, token] = ["url", "accessToken"].map(|name| redirect[name].as_str().unwrap());
    let address = url.split('/').nth(2).unwrap();
    let request = format!(
        "POST /client/negotiate?hub=loop&negotiateVersion=1 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         connection: close\r\ncontent-length: 0\r\n\r\n"
    );
    let negotiated = send_bytes(address, request.as_bytes()).await.json();
    let connection = negotiated["connectionToken"].as_str().unwrap().to_owned();
    let mut client = Client::web_socket(&format!("{url}&id={connection}"), token).await.unwrap();
    client.handshake().await;
    (client, connection)
}

#[tokio::test]
async fn a_client_gets_new_claims_and_a_new_token_in_one_process_and_over_http() {
    for world in [World::embedded(Loop::default()), World::apart(Loop::default()).await] {
        let (mut ada, connection) = connect(&world.app, "ada").await;
        assert_eq!(ada.invoke("role", json!([])).await["result"], "reader");
        let denied = ada.invoke("write", json!([])).await;
        assert_eq!(denied["error"], "403 Forbidden: this needs role `writer`");

        let headers = [("authorization", "Bearer ada/writer"), (TOKEN, &*connection)];
        let path = "/api/Loop/Refresh?room=lobby&negotiateVersion=1";
        let refreshed = ask(&world.app, Method::POST, path, &headers).await;

        assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.body);
        assert_eq!(refreshed.headers["content-type"], "application/json");
        assert_eq!(refreshed.headers["cache-control"], "no-store");
        let body: Value = serde_json::from_str(&refreshed.body).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 2);
        assert_eq!(body["tokenLifetimeSeconds"], 900);
        assert_eq!(body["accessToken"].as_str().unwrap().split('.').count(), 3);
        assert_eq!(ada.recv().await["target"], "refreshed");
        assert_eq!(ada.invoke("role", json!([])).await["result"], "writer");
        assert_eq!(ada.invoke("write", json!([])).await["error"], Value::Null);
        // The new token opens connections.
        let url = format!("{}/client/?hub=loop", world.app.client_url());
        let token = body["accessToken"].as_str().unwrap();
        let mut next = Client::web_socket(&url, token).await.unwrap();
        next.handshake().await;
        assert_eq!(next.invoke("role", json!([])).await["result"], "writer");
    }
}

#[tokio::test]
async fn each_refusal_has_its_status_and_code_and_the_connection_stays() {
    let world = World::apart(Loop::default()).await;
    let app = &world.app;
    let (mut ada, connection) = connect(app, "ada").await;
    let coded = |status, code: &str| (status, code.to_owned());

    for method in [Method::GET, Method::PUT, Method::DELETE, Method::HEAD] {
        let answered = ask(app, method.clone(), "/loop/refresh", &[(TOKEN, &connection)]).await;
        assert_eq!(refusal(&answered), coded(405, "method_not_allowed"), "{method}");
        assert_eq!(answered.headers["allow"], "POST, OPTIONS");
    }
    let by_query = format!("/loop/refresh?id={connection}");
    let authorized = ("authorization", "Bearer ada/writer");
    for headers in [
        &[authorized][..],
        &[authorized, (TOKEN, "")],
        &[authorized, (TOKEN, &connection), (TOKEN, &connection)],
        &[authorized, (TOKEN, &"x".repeat(1025))],
    ] {
        let answered = ask(app, Method::POST, &by_query, headers).await;
        assert_eq!(refusal(&answered), coded(400, "missing_connection_token"));
    }
    let unsigned = ask(app, Method::POST, "/loop/refresh", &[(TOKEN, &connection)]).await;
    assert_eq!(refusal(&unsigned), coded(401, "invalid_token"));
    assert_eq!(unsigned.headers["www-authenticate"], "Bearer");
    assert!(unsigned.body.contains("Sign in again"));
    let unknown = coded(404, "connection_not_found");
    for token in ["x", "AAAAAAAAAAAAAAAAAAAAAA", &connection[1..]] {
        assert_eq!(refused(app, "ada/writer", token).await, unknown, "{token}");
    }
    let changed = coded(403, "permission_change_rejected");
    for token in ["bob/writer", "Ada/writer", "nobody", "revoked"] {
        assert_eq!(refused(app, token, &connection).await, changed, "{token}");
    }
    assert_eq!(refused(app, "odd", &connection).await, coded(400, "invalid_request"));
    assert_eq!(refused(app, "blank", &connection).await, coded(400, "invalid_request"));
    assert_eq!(refused(app, "panic", &connection).await, coded(500, "internal_error"));
    assert_eq!(refused(app, "big", &connection).await, coded(413, "token_too_long"));

    assert_eq!(ada.invoke("role", json!([])).await["result"], "reader");
    let (mut anonymous, connection) = {
        let redirect = app.negotiate::<Loop>(Negotiation::anonymous()).await.unwrap();
        let address = redirect.url.split('/').nth(2).unwrap().to_owned();
        let request = format!(
            "POST /client/negotiate?hub=loop&negotiateVersion=1 HTTP/1.1\r\nhost: localhost\r\n\
             authorization: Bearer {}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            redirect.access_token
        );
        let token =
            send_bytes(&*address, request.as_bytes()).await.json()["connectionToken"].clone();
        let token = token.as_str().unwrap().to_owned();
        let url = format!("{}&id={token}", redirect.url);
        let mut client = Client::web_socket(&url, &redirect.access_token).await.unwrap();
        client.handshake().await;
        (client, token)
    };
    assert_eq!(refused(app, "ada/writer", &connection).await, changed);
    assert_eq!(anonymous.invoke("role", json!([])).await["result"], Value::Null);
}

#[tokio::test]
async fn a_hub_without_refresh_says_so_and_sends_no_lifetime() {
    let app = builder_at("http://127.0.0.1:1", Fixed).build().unwrap();

    let headers = [("authorization", "Bearer ada"), (TOKEN, "x")];
    let answered = ask(&app, Method::POST, "/fixed/refresh", &headers).await;
    assert_eq!(refusal(&answered), (404, "refresh_disabled".to_owned()));
    let negotiated = ask(&app, Method::POST, "/fixed/negotiate", &[]).await;
    let negotiated: Value = serde_json::from_str(&negotiated.body).unwrap();
    assert_eq!(negotiated.as_object().unwrap().len(), 2);
    // Routes of apps often have this name.
    for path in ["/refresh", "/api/refresh", "/session/refresh", "/fixed/x/refresh"] {
        let other = ask(&app, Method::POST, path, &headers).await;
        assert_eq!((other.status.as_u16(), &*other.body), (404, "not found"), "{path}");
    }
}

#[tokio::test]
async fn generated_clients_have_no_function_for_refresh() {
    let app = builder_at("http://127.0.0.1:1", Loop::default()).build().unwrap();

    let contract = serde_json::to_value(app.contract()).unwrap();
    let methods = contract["hubs"][0]["methods"].as_array().unwrap().clone();
    let names: Vec<_> = methods.iter().map(|method| method["name"].as_str().unwrap()).collect();

    assert_eq!(names, ["role", "write", "grant"]);
    let module = std::env::temp_dir().join(format!("refresh-{}.ts", std::process::id()));
    app.write_typescript(&module).unwrap();
    let text = std::fs::read_to_string(&module).unwrap();
    std::fs::remove_file(&module).unwrap();
    for generated in [text, app.asyncapi().to_json().unwrap()] {
        assert!(generated.contains("grant"), "{generated}");
        assert!(!generated.to_ascii_lowercase().contains("refresh"), "{generated}");
    }
}

#[tokio::test]
async fn lifetimes_are_whole_seconds_that_timers_of_browsers_can_hold() {
    struct Long(Duration);

    #[serverless_hub]
    impl Long {
        async fn negotiate(&self) -> HubResult<Negotiation> {
            Ok(Negotiation::anonymous().lifetime(self.0))
        }

        async fn refresh(&self) -> HubResult<Negotiation> {
            self.negotiate().await
        }
    }

    for (lifetime, seconds) in [
        (Duration::from_millis(3500), "3"),
        (Duration::from_millis(900), "1"),
        (Duration::from_secs(u64::MAX / 4), "2073600"),
    ] {
        let app = builder_at("http://127.0.0.1:1", Long(lifetime)).build().unwrap();
        let negotiated = ask(&app, Method::POST, "/long/negotiate", &[]).await;
        let expected = format!(r#","tokenLifetimeSeconds":{seconds}}}"#);
        assert!(negotiated.body.ends_with(&expected), "{}", negotiated.body);
    }
}

#[tokio::test]
async fn pages_of_allowed_origins_may_send_the_token_of_the_connection() {
    let builder = builder_at("http://127.0.0.1:1", Loop::default());
    let app = builder.allow_origins(["https://app.example"]).build().unwrap();
    let (address, _serving) = serve(&app).await;
    let preflight = b"OPTIONS /loop/refresh?negotiateVersion=1 HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n\
        Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,x-signalr-connection-token\r\n\
        Connection: close\r\n\r\n";

    let allowed = send_bytes(address, preflight).await;

    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://app.example");
    assert_eq!(allowed.headers["access-control-allow-credentials"], "true");
    assert_eq!(allowed.headers["access-control-allow-methods"], "POST, OPTIONS");
    let listed = &allowed.headers["access-control-allow-headers"];
    assert_eq!(listed, "authorization,x-signalr-connection-token");
    let refused =
        b"POST /loop/refresh HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n\
        Connection: close\r\nContent-Length: 0\r\n\r\n";
    let refused = send_bytes(address, refused).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.headers["access-control-allow-origin"], "https://app.example");
    let expected = r#"{"error":"missing_connection_token","message":"the request needs one header X-SignalR-Connection-Token with the token of the connection"}"#;
    assert_eq!(refused.text(), expected);
    let other = ask(&app, Method::OPTIONS, "/loop/refresh", &[("origin", "https://evil")]).await;
    assert!(!other.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_negotiate_counts_refreshes() {
    let limit = NegotiateLimit::new(2, Duration::from_mins(1));
    let hub = TestHub::configured(Loop::default(), |app| app.negotiate_limit(limit));
    let ada = hub.negotiate(bearer("ada")).await.unwrap();
    ada.refresh(bearer("ada/writer")).await.unwrap();

    let refused = ada.refresh(bearer("ada/writer")).await.unwrap_err();

    assert_eq!(refused, "429: too_many_requests: too many requests; try again later");
    let answered = ask(hub.app(), Method::POST, "/loop/refresh", &[(TOKEN, "x")]).await;
    assert_eq!(answered.headers["retry-after"], "30");
    assert_eq!(hub.negotiate(bearer("ada")).await.unwrap_err().status(), Some(429));
}

#[tokio::test]
async fn on_refreshed_runs_once_for_each_refresh_before_the_answer() {
    let hub = TestHub::new(Loop::default());
    let ada = hub.user("ada").connect().await.unwrap();
    let log = |hub: &TestHub<Loop>| {
        let context = hub.context_of(&ada);
        context.invocation().hub::<Loop>().unwrap().refreshed.lock().unwrap().clone()
    };

    ada.refresh(bearer("ada/writer")).await.unwrap();
    assert_eq!(log(&hub), [r#"Some("ada") ["writer"] None"#]);
    assert!(ada.refresh(bearer("bob/writer")).await.is_err());
    assert!(ada.refresh(bearer("revoked")).await.is_err());
    ada.refresh(bearer("ada/owner")).await.unwrap();

    assert_eq!(log(&hub)[1..], [r#"Some("ada") ["owner"] None"#]);
    assert_eq!(hub.context_of(&ada).claims().get("role"), Some("owner"));
    assert_eq!(ada.received("refreshed").await.len(), 2);
    // Its failure changes nothing for the client.
    ada.refresh(bearer("ada/boom")).await.unwrap();
    assert_eq!(ada.call().role().await.unwrap().as_deref(), Some("boom"));
    assert!(
        hub.log().iter().any(|line| line.level == "ERROR" && line.contains("a panic of the test"))
    );
    // No client can call it.
    for name in ["refresh", "onRefreshed", "on_refreshed", "refreshed"] {
        let refused = ada.invoke::<()>(name, ()).await.unwrap_err();
        assert!(refused.text().starts_with("Unknown hub method"), "{refused}");
    }
}

#[tokio::test]
async fn a_connection_token_of_another_user_is_of_no_use() {
    let hub = TestHub::new(Loop::default());
    let ada = hub.user("ada").connect().await.unwrap();
    let _bob = hub.user("bob").connect().await.unwrap();

    // Bob signs in as himself, and sends the token of Ada's connection.
    let refused = ada.refresh(bearer("bob/writer")).await.unwrap_err();

    let text = "403: permission_change_rejected: the connection belongs to another user, and a refresh cannot change its user";
    assert_eq!(refused, text);
    assert_eq!(ada.call().role().await.unwrap(), None);
}

#[tokio::test]
async fn an_app_changes_the_claims_of_a_connection_by_its_id() {
    let hub = TestHub::new(Loop::default());
    let ada = hub.user("ada").connect().await.unwrap();

    ada.call().grant("ada", "writer").await.unwrap();
    ada.call().write().await.unwrap();
    assert!(ada.call().grant("bob", "owner").await.is_err());
    assert_eq!(ada.call().role().await.unwrap().as_deref(), Some("writer"));

    let manager = hub.context().client_manager();
    let granted = || Negotiation::user("bob").claim("role", "owner");
    let other = manager.refresh(ada.connection_id(), granted()).await.unwrap_err();
    assert_eq!(other.kind(), SendErrorKind::Invalid);
    assert!(other.to_string().contains("cannot change its user"), "{other}");
    manager.refresh("gone", granted()).await.unwrap();
    let name = manager.refresh(ada.connection_id(), Negotiation::user("")).await.unwrap_err();
    assert_eq!(name.kind(), SendErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_user_is_closed_by_connection_id_or_when_the_token_expires() {
    let hub = TestHub::new(Loop::default());
    let [ada, eve] = ["ada", "eve"].map(|user| hub.user(user).connect());
    let (ada, eve) = (ada.await.unwrap(), eve.await.unwrap());
    let manager = hub.context().client_manager();

    let soon = Negotiation::user("ada").lifetime(Duration::from_secs(60)).close_on_expiry();
    manager.refresh(ada.connection_id(), soon).await.unwrap();
    manager.close(eve.connection_id(), Some("revoked")).await.unwrap();

    assert_eq!(eve.next("never", 0).await.unwrap_err(), "revoked");
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(ada.ended(), None);
    assert!(ada.next("never", 0).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_change_by_id_keeps_the_end_of_a_connection() {
    let hub = TestHub::new(Loop::default());
    let closing = Negotiation::user("ada").lifetime(Duration::from_secs(100)).close_on_expiry();
    let info = hub.app().negotiate::<Loop>(closing.clone()).await.unwrap();
    assert!(!info.access_token.is_empty());
    let ada = hub.user("ada").connect().await.unwrap();
    let manager = hub.context().client_manager();
    manager.refresh(ada.connection_id(), closing).await.unwrap();

    // Without `close_on_expiry`, and with a later end.
    let reader = || Negotiation::user("ada").claim("role", "reader");
    manager.refresh(ada.connection_id(), reader()).await.unwrap();
    manager.refresh(ada.connection_id(), reader().close_on_expiry()).await.unwrap();

    assert_eq!(ada.call().role().await.unwrap().as_deref(), Some("reader"));
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(ada.ended(), None);
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert!(ada.ended().is_some());
}

#[tokio::test]
async fn a_client_that_disconnects_during_its_refresh_does_not_skip_on_refreshed() {
    let hub = TestHub::new(Loop::default());
    let ada = hub.user("ada").connect().await.unwrap();

    {
        let mut refreshing = std::pin::pin!(ada.refresh(bearer("ada/writer")));
        // The task of the refresh has begun, and the client leaves.
        assert!(futures_util::poll!(refreshing.as_mut()).is_pending());
    }

    let context = hub.context_of(&ada);
    let log = &context.invocation().hub::<Loop>().unwrap().refreshed;
    test_support::eventually(|| log.lock().unwrap().len() == 1).await;
    assert_eq!(ada.call().role().await.unwrap().as_deref(), Some("writer"));
}

/// Selects one endpoint for refreshes.
struct OnlyEast;

#[async_trait]
impl EndpointRouter for OnlyEast {
    async fn route<'a>(
        &self,
        _: &str,
        operation: Operation<'_>,
        endpoints: &'a [ServiceEndpoint],
    ) -> Vec<&'a ServiceEndpoint> {
        assert!(matches!(operation, Operation::Refresh));
        endpoints.iter().filter(|endpoint| endpoint.name() == "east").collect()
    }
}

#[tokio::test]
async fn a_router_selects_the_endpoints_that_get_the_token_of_the_connection() {
    let west = service(200, "", r#"{"connectionId":"c1"}"#).await;
    let east = service(404, GONE, "").await;
    let app = of_two(&west, &east).endpoint_router(OnlyEast).build().unwrap();

    let refused = refused(&app, "ada/writer", "x").await;

    assert_eq!(refused, (404, "connection_not_found".to_owned()));
    assert_eq!(west.lines(), Vec::<String>::new());
    assert_eq!(east.lines(), ["POST /api/hubs/loop/connections/:refreshAuth"]);
}

/// An endpoint that answers requests to refresh with this status, error code and body.
async fn service(status: u16, code: &'static str, body: &'static str) -> FakeService {
    FakeService::start(move |request| match request.path() {
        "/api/health" => response(200, "", ""),
        _ => response(status, code, body),
    })
    .await
}

const GONE: &str = "Warning.Connection.NotExisted";

fn of_two(west: &FakeService, east: &FakeService) -> HubAppBuilder {
    let settings = [
        ("Azure__SignalR__Endpoints__west", west.connection_string(KEY)),
        (
            "Azure__SignalR__Endpoints__east",
            east.connection_string("the key of the east 0123456789"),
        ),
    ];
    let signalr = SignalR::from_settings(settings.into_iter().collect()).unwrap();
    let builder = HubApp::builder().signalr(signalr).hub(Loop::default());
    builder.retries(Retries::none())
}

fn two(west: &FakeService, east: &FakeService) -> HubApp {
    of_two(west, east).build().unwrap()
}

#[tokio::test]
async fn the_endpoint_that_holds_the_connection_gets_claims_with_its_own_seal() {
    let west = service(404, GONE, "").await;
    let east = service(200, "", r#"{"connectionId":"c1"}"#).await;
    let app = two(&west, &east);

    let headers = [("authorization", "Bearer ada/writer"), (TOKEN, "the-token")];
    let refreshed = ask(&app, Method::POST, "/loop/refresh", &headers).await;

    let body: Value = serde_json::from_str(&refreshed.body).unwrap();
    let key = || hub_core::Secret::from("the key of the east 0123456789");
    let token = body["accessToken"].as_str().unwrap();
    let claims = hub_core::token::verify(token, &[key()], 0, u64::MAX / 2).unwrap();
    assert_eq!(claims["asrs.s.uid"], "ada");
    let requests = east.requests();
    let request = requests.iter().find(|request| request.method == Method::POST).unwrap();
    let path = "/api/hubs/loop/connections/:refreshAuth?api-version=2024-12-01";
    assert_eq!(request.line(), format!("POST {path}"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let sent = request.json();
    assert_eq!(sent["connectionToken"], "the-token");
    assert!(sent["expireTime"].as_str().unwrap().ends_with('Z'));
    let list = sent["claims"].as_array().unwrap();
    assert_eq!(list[0], json!({ "type": "asrs.s.uid", "value": "ada" }));
    assert_eq!(list[1], json!({ "type": "asrs.s.coae", "value": "false" }));
    let seal = list[2]["value"].as_str().unwrap();
    let identity = hub_core::seal::open(seal, &[hub_core::seal::SealKey::derive(&key())]).unwrap();
    assert_eq!(identity.claims.get("role"), Some("writer"));
    assert_eq!((list.len(), list[2]["type"].as_str()), (3, Some("shub")));
}

#[tokio::test]
async fn endpoints_that_fail_decide_if_none_holds_the_connection() {
    let refused = async |west: (u16, &'static str), east: (u16, &'static str)| {
        let west = service(west.0, west.1, "").await;
        let east = service(east.0, east.1, "").await;
        refused(&two(&west, &east), "ada/writer", "x").await
    };
    let coded = |status, code: &str| (status, code.to_owned());

    let gone = (404, GONE);
    assert_eq!(refused(gone, gone).await, coded(404, "connection_not_found"));
    assert_eq!(refused(gone, (404, "")).await, coded(404, "refresh_disabled"));
    assert_eq!(refused((500, ""), gone).await, coded(503, "unavailable"));
    let other_user = (403, "Error.Connection.PermissionChangeRejected");
    assert_eq!(refused(other_user, (500, "")).await, coded(403, "permission_change_rejected"));
    // A missing role, or a firewall.
    assert_eq!(refused((403, ""), gone).await, coded(500, "internal_error"));
}

#[tokio::test]
async fn a_service_without_the_operation_is_named_in_the_log_and_gives_no_token() {
    for status in [404, 405] {
        let azure = service(status, "", "").await;
        let builder = builder_at(&azure.base, Loop::default()).retries(Retries::none());
        let app = builder.build().unwrap();
        let mut seen = None;

        let log = log_of(LevelFilter::ERROR, FmtSpan::NONE, async {
            seen = Some(refused(&app, "ada/writer", "x").await);
        })
        .await;

        assert_eq!(seen, Some((404, "refresh_disabled".to_owned())));
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(log.contains("POST /api/hubs/{hub}/connections/:refreshAuth"), "{log}");
        let granted = Negotiation::user("ada");
        let context: HubContext<Loop> = app.context();
        let error = context.client_manager().refresh("c1", granted).await.unwrap_err();
        assert!(error.to_string().contains("cannot refresh the authentication"), "{error}");
    }
}
