//! Several service endpoints for one hub.

use async_trait::async_trait;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hub_runtime::{
    HubApp, HubAppBuilder, HubContext,
    clients::EndpointFailure,
    config::Retries,
    endpoints::{EndpointRole, EndpointRouter, Operation, ServiceEndpoint},
    negotiate::NegotiateRequest,
    prelude::*,
};
use serde_json::Value;
use test_support::{AppResponse, FakeResponse, FakeService, RecordedRequest, response};

use crate::support::{self, KEY};

struct Loop;

#[serverless_hub]
impl Loop {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::user("ada"))
    }
}

/// The connection string of an unreachable endpoint.
const NOWHERE: &str = "Endpoint=http://127.0.0.1:1;AccessKey=k;Version=1.0;";

/// A builder of an app with two primary endpoints, `west` and `east`.
fn two(west: &FakeService, east: &FakeService) -> HubAppBuilder {
    let signalr = SignalR::from_settings(
        [
            ("Azure__SignalR__Endpoints__west", west.connection_string(KEY)),
            ("Azure__SignalR__Endpoints__east", east.connection_string("the key of the east")),
        ]
        .into_iter()
        .collect(),
    );
    HubApp::builder().signalr(signalr.unwrap()).hub(Loop).retries(Retries::none())
}

fn context(app: &HubApp) -> HubContext<Loop> {
    app.context()
}

async fn negotiate(app: &HubApp, query: &str) -> AppResponse {
    let request = Request::post(format!("/negotiate?{query}")).body(Empty::<&[u8]>::new());
    support::answer(app, request.unwrap()).await
}

/// The base URL of the endpoint to which negotiate redirects a client.
async fn sent_to(app: &HubApp, query: &str) -> String {
    let answer = negotiate(app, query).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["url"].as_str().unwrap().trim_end_matches("/client/?hub=loop").to_owned()
}

/// A handler that responds to health probes with 200, and to all other requests with `status` and
/// `code`.
fn with(status: u16, code: &'static str) -> impl Fn(&RecordedRequest) -> FakeResponse {
    move |request| match request.path() {
        "/api/health" => response(200, "", ""),
        _ => response(status, code, ""),
    }
}

async fn service(status: u16, code: &'static str) -> FakeService {
    FakeService::start(with(status, code)).await
}

const GONE: &str = "Error.Connection.NotExisted";

#[tokio::test]
async fn negotiate_selects_an_online_primary() {
    let alive = FakeService::accepting().await;
    let signalr = SignalR::from_connection_string(NOWHERE)
        .unwrap()
        .with_endpoint("alive", EndpointRole::Primary, &alive.connection_string(KEY))
        .unwrap();
    let app = HubApp::builder().signalr(signalr).hub(Loop).build().unwrap();

    for _ in 0..20 {
        assert_eq!(sent_to(&app, "").await, alive.base);
    }

    let online: Vec<_> = app.endpoints::<Loop>().iter().map(ServiceEndpoint::is_online).collect();
    assert_eq!(online, [false, true]);
}

#[tokio::test]
async fn negotiate_selects_a_secondary_without_an_online_primary() {
    let secondary = FakeService::accepting().await;
    let signalr = SignalR::from_connection_string(NOWHERE)
        .unwrap()
        .with_endpoint("second", EndpointRole::Secondary, &secondary.connection_string(KEY))
        .unwrap();
    let app = HubApp::builder().signalr(signalr).hub(Loop).build().unwrap();

    assert_eq!(sent_to(&app, "").await, secondary.base);
}

#[tokio::test]
async fn negotiate_fails_if_no_endpoint_is_online() {
    let signalr = SignalR::from_connection_string(NOWHERE)
        .unwrap()
        .with_endpoint("second", EndpointRole::Secondary, NOWHERE)
        .unwrap();
    let app = HubApp::builder().signalr(signalr).hub(Loop).build().unwrap();

    let answer = negotiate(&app, "").await;

    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body, "No endpoint of the SignalR service is online; try again later");
}

#[tokio::test]
async fn a_single_endpoint_is_used_unconditionally_and_never_probed() {
    let app = support::builder_at("http://127.0.0.1:1", Loop).build().unwrap();

    assert_eq!(sent_to(&app, "").await, "http://127.0.0.1:1");
}

#[tokio::test]
async fn the_token_contains_the_endpoint_and_the_number_of_endpoints() {
    let (west, east) = (FakeService::accepting().await, FakeService::accepting().await);
    let app = two(&west, &east).endpoint_router(ByQuery).build().unwrap();

    let body: Value = serde_json::from_str(&negotiate(&app, "to=east").await.body).unwrap();

    let key = "the key of the east".into();
    let token = body["accessToken"].as_str().unwrap();
    let claims = hub_core::token::verify(token, &[key], 0, u64::MAX / 2).unwrap();
    assert_eq!(claims["asrs.s.secn"], "2");
}

#[tokio::test]
async fn a_message_reaches_every_endpoint() {
    let (west, east) = (FakeService::accepting().await, FakeService::accepting().await);
    let app = two(&west, &east).build().unwrap();

    context(&app).clients().group("g").send("x", (1,)).await.unwrap();

    assert_eq!(west.lines(), ["POST /api/hubs/loop/groups/g/:send"]);
    assert_eq!(east.lines(), west.lines());
}

#[tokio::test]
async fn a_failed_send_names_the_endpoint_that_refused_it() {
    let (west, east) = (service(202, "").await, service(500, "").await);
    let app = two(&west, &east).build().unwrap();

    let error = context(&app).clients().all().send("x", ()).await.unwrap_err();

    assert!(error.may_have_happened());
    let SendError::Endpoints { failures, of: 2 } = &error else { panic!("{error}") };
    let [EndpointFailure { endpoint, error, .. }] = failures.as_slice() else { panic!() };
    assert_eq!(endpoint, "east");
    assert!(matches!(error, SendError::Rejected { status: 500, .. }));
}

/// Two endpoints that accept everything, of which `east` fails its health probes, and an app that has noticed.
async fn east_is_offline(
    of_west: impl Fn(&RecordedRequest) -> FakeResponse + Send + Sync + 'static,
) -> (HubApp, FakeService, FakeService) {
    let west = FakeService::start(of_west).await;
    let east = FakeService::start(|request| match request.path() {
        "/api/health" => response(503, "", ""),
        _ => response(202, "", ""),
    })
    .await;
    let app = two(&west, &east).build().unwrap();
    // Negotiates wait for the first probe.
    sent_to(&app, "").await;
    (app, west, east)
}

fn left_out(error: &SendError) {
    let text = "1 of 2 endpoints failed: east: the last health probe of the endpoint failed, so nothing was sent to it";
    assert_eq!(error.to_string(), text);
    assert!(error.is_retryable() && error.may_have_happened());
}

#[tokio::test]
async fn an_endpoint_that_is_offline_is_left_out_and_the_error_names_it() {
    let (app, west, east) = east_is_offline(with(202, "")).await;
    let hub = context(&app);

    left_out(&hub.clients().all().send("x", ()).await.unwrap_err());
    left_out(&hub.client_manager().close_user("ada", None, &[]).await.unwrap_err());
    left_out(&hub.user_groups().add("ada", "g").await.unwrap_err());
    left_out(&hub.client_manager().user_exists("ada").await.unwrap_err());
    left_out(&hub.groups().remove("c", "g").await.unwrap_err());
    left_out(&hub.groups().members("g").next_page().await.unwrap_err());
    let both = hub.with_endpoints(["west", "east"]).unwrap();
    left_out(&both.clients().all().send("x", ()).await.unwrap_err());
    // A connection that joined a group is there, and the other endpoint does not matter.
    hub.groups().add("c", "g").await.unwrap();
    // An endpoint that is asked alone is asked, since a probe may be outdated.
    hub.with_endpoints(["east"]).unwrap().clients().all().send("x", ()).await.unwrap();

    assert_eq!(west.lines().len(), 7);
    assert_eq!(east.lines(), ["POST /api/hubs/loop/:send"]);
}

#[tokio::test]
async fn a_connection_that_no_online_endpoint_has_may_be_at_the_one_that_is_offline() {
    let missing = with(404, "Warning.Connection.NotExisted");
    let (app, _west, _east) = east_is_offline(missing).await;
    let hub = context(&app);

    left_out(&hub.groups().add("c", "g").await.unwrap_err());
    left_out(&hub.client_manager().connection_exists("c").await.unwrap_err());
    let asked = hub.clients().client("c").invoke::<u32>("x", ()).await;
    let Err(InvokeError::Send(error)) = asked else { panic!("{asked:?}") };
    left_out(&error);
}

#[tokio::test]
async fn a_connection_operation_succeeds_if_one_endpoint_succeeds() {
    let (west, east) = (service(200, "").await, service(500, "").await);
    let app = two(&west, &east).build().unwrap();

    assert!(context(&app).client_manager().connection_exists("c").await.unwrap());
    context(&app).groups().add("c", "g").await.unwrap();
    context(&app).groups().remove("c", "g").await.unwrap();
}

#[tokio::test]
async fn joining_fails_if_an_endpoint_fails_and_none_succeeds() {
    let (west, east) = (service(404, GONE).await, service(500, "").await);
    let app = two(&west, &east).build().unwrap();

    assert!(context(&app).groups().add("c", "g").await.is_err());
}

#[tokio::test]
async fn joining_with_a_connection_unknown_to_all_endpoints_is_not_a_failure() {
    let (west, east) = (service(404, GONE).await, service(404, GONE).await);
    let app = two(&west, &east).build().unwrap();

    context(&app).groups().add("c", "g").await.unwrap();

    assert_eq!(west.lines().len() + east.lines().len(), 2);
}

#[tokio::test]
async fn user_and_group_checks_ask_every_endpoint_and_fail_on_any_failure() {
    let no = || service(404, "Warning.User.NotExisted");
    let (yes, no_1, no_2, broken) =
        (service(200, "").await, no().await, no().await, service(500, "").await);
    let ask = async |west, east| {
        let app = two(west, east).build().unwrap();
        context(&app).client_manager().user_exists("ada").await
    };

    assert!(ask(&yes, &no_1).await.unwrap());
    assert!(!ask(&no_1, &no_2).await.unwrap());
    assert!(ask(&yes, &broken).await.is_err());
}

#[tokio::test]
async fn an_invocation_finds_the_client_at_any_endpoint() {
    let east = FakeService::start(|request| match request.path() {
        "/api/health" => response(200, "", ""),
        _ => response(200, "", r#"{"result":7}"#),
    });
    let (west, east) = (service(404, "Warning.Connection.NotExisted").await, east.await);
    let app = two(&west, &east).build().unwrap();

    let answer = context(&app).clients().client("c").invoke::<u32>("x", ()).await;

    assert_eq!(answer.unwrap(), 7);
    let app = two(&west, &west).build().unwrap();
    let answer = context(&app).clients().client("c").invoke::<u32>("x", ()).await;
    assert!(matches!(answer, Err(InvokeError::ConnectionGone)));
}

#[tokio::test]
async fn the_members_of_a_group_are_listed_endpoint_by_endpoint() {
    let listing = |id: &'static str| {
        FakeService::start(move |request| {
            let next = match request.target.contains("continuationToken=more") {
                true => String::new(),
                false => r#","nextLink":"http://x/y?continuationToken=more""#.to_owned(),
            };
            response(200, "", format!(r#"{{"value":[{{"connectionId":"{id}"}}]{next}}}"#))
        })
    };
    let (west, east) = (listing("w").await, listing("e").await);
    let app = two(&west, &east).build().unwrap();

    let (mut ids, mut pages) = (Vec::new(), context(&app).groups().members("g"));
    while let Some(members) = pages.next_page().await.unwrap() {
        ids.extend(members.into_iter().map(|member| member.connection_id));
    }

    ids.sort();
    assert_eq!(ids, ["e", "e", "w", "w"]);
}

#[tokio::test]
async fn pinned_handles_use_only_their_endpoints() {
    let (west, east) = (FakeService::accepting().await, FakeService::accepting().await);
    let app = two(&west, &east).build().unwrap();

    let pinned = context(&app).with_endpoints(["West"]).unwrap();
    pinned.clients().all().send("x", ()).await.unwrap();

    assert_eq!(west.lines().len(), 1);
    assert!(east.lines().is_empty());
    let error = context(&app).with_endpoints(["north"]).unwrap_err().to_string();
    assert_eq!(error, "there is no endpoint north; the endpoints are: east, west");
    let nowhere = context(&app).with_endpoints([""; 0]).unwrap_err();
    assert!(matches!(nowhere, SendError::NoEndpoint), "{nowhere}");
}

/// A router that lets clients choose with a query and sends messages to `east`.
struct ByQuery;

#[async_trait]
impl EndpointRouter for ByQuery {
    async fn negotiate<'a>(
        &self,
        request: &NegotiateRequest,
        endpoints: &'a [ServiceEndpoint],
    ) -> Option<&'a ServiceEndpoint> {
        let wanted = request.query().get("to")?;
        endpoints.iter().find(|endpoint| endpoint.name() == wanted)
    }

    async fn route<'a>(
        &self,
        hub: &str,
        operation: Operation<'_>,
        endpoints: &'a [ServiceEndpoint],
    ) -> Vec<&'a ServiceEndpoint> {
        assert_eq!(hub, "loop");
        match operation {
            Operation::Send(_) => endpoints.iter().filter(|it| it.name() == "east").collect(),
            _ => Vec::new(),
        }
    }
}

#[tokio::test]
async fn a_custom_router_selects_the_endpoints() {
    let (west, east) = (FakeService::accepting().await, FakeService::accepting().await);
    let app = two(&west, &east).endpoint_router(ByQuery).build().unwrap();

    assert_eq!(sent_to(&app, "to=west").await, west.base);
    assert_eq!(negotiate(&app, "to=north").await.status, StatusCode::SERVICE_UNAVAILABLE);
    context(&app).clients().all().send("x", ()).await.unwrap();
    // The router selects no endpoint for a change of groups.
    let nowhere = context(&app).groups().add("c", "g").await.unwrap_err();

    assert!(matches!(nowhere, SendError::NoEndpoint), "{nowhere}");
    assert!(west.lines().is_empty());
    assert_eq!(east.lines(), ["POST /api/hubs/loop/:send"]);
}

#[tokio::test]
async fn every_endpoint_may_call_the_app() {
    let (west, east) = (FakeService::accepting().await, FakeService::accepting().await);
    let app = two(&west, &east).build().unwrap();

    for (key, status) in [
        (KEY, StatusCode::OK),
        ("the key of the east", StatusCode::OK),
        ("x", StatusCode::UNAUTHORIZED),
    ] {
        let mut call = support::call("connections", "connected", r#"{"type":10}"#);
        let signature = hub_core::signature::sign(&key.into(), "conn-0001");
        call.headers_mut().insert("x-asrs-signature", signature.parse().unwrap());
        call.headers_mut().insert("x-asrs-user-claims", support::sealed_claims("loop", key));
        assert_eq!(support::answer(&app, call).await.status, status, "{key}");
    }
}
