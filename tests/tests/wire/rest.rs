//! The REST requests of a hub's handles, as a service on loopback receives them.

use std::time::Duration;

use hub_runtime::{HubContext, prelude::*};
use serde_json::json;
use test_support::{FakeService, logged, response};
use tracing_subscriber::filter::LevelFilter;

use crate::support::{KEY, builder_at};

#[hub_client]
trait LoopClient {
    async fn changed(&self, name: &str, value: u32);
    async fn confirm(&self, question: &str) -> bool;
}

struct Loop;

#[serverless_hub(client = LoopClient)]
impl Loop {}

/// A service with one response for every request, and an app that sends to it.
struct Fake {
    context: HubContext<Loop>,
    service: FakeService,
}

impl Fake {
    async fn start(status: u16, code: &'static str, body: &'static str) -> Self {
        let service = FakeService::start(move |_| response(status, code, body)).await;
        let app = builder_at(&service.base, Loop).build().unwrap();
        Self { context: app.context(), service }
    }

    /// The sorted request lines. The app sends a message to several audiences as concurrent requests.
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.service.requests().iter().map(|it| it.line()).collect();
        lines.sort();
        lines
    }
}

#[tokio::test]
async fn a_typed_send_is_one_request_with_a_token_for_its_url() {
    let fake = Fake::start(202, "", "").await;

    fake.context.clients().group("a/b").changed("x", 1).await.unwrap();

    let request = fake.service.requests().pop().unwrap();
    assert_eq!(request.line(), "POST /api/hubs/loop/groups/a%2Fb/:send?api-version=2022-06-01");
    // A map from each protocol to the framed call.
    assert_eq!(request.header("content-type").unwrap(), "application/octet-stream");
    let json =
        b"\x82\xa4json\xc4\x32{\"type\":1,\"target\":\"changed\",\"arguments\":[\"x\",1]}\x1e";
    let packed = b"\xabmessagepack\xc4\x12\x11\x96\x01\x80\xc0\xa7changed\x92\xa1x\x01\x90";
    assert_eq!(request.body, [&json[..], packed].concat());
    let claims = hub_core::token::verify(request.token(), &[KEY.into()], 0, u64::MAX / 2).unwrap();
    assert_eq!(claims["aud"], format!("{}/api/hubs/loop/groups/a%2Fb/:send", fake.service.base));
}

#[tokio::test]
async fn every_target_has_its_request() {
    let fake = Fake::start(202, "", "").await;
    let clients = fake.context.clients();

    clients.all().changed("x", 1).await.unwrap();
    clients.all_except(["c1", "c2"]).changed("x", 1).await.unwrap();
    clients.client("c1").changed("x", 1).await.unwrap();
    clients.clients(["c8", "c9"]).changed("x", 1).await.unwrap();
    clients.group_except("g", ["c1"]).changed("x", 1).await.unwrap();
    clients.groups(["g1", "g2"]).changed("x", 1).await.unwrap();
    clients.user("ada").send("untyped", ()).await.unwrap();
    clients.users(["u1", "u2"]).changed("x", 1).await.unwrap();

    let version = "api-version=2022-06-01";
    let mut expected = [
        format!("POST /api/hubs/loop/:send?{version}"),
        format!("POST /api/hubs/loop/:send?{version}&excluded=c1&excluded=c2"),
        format!("POST /api/hubs/loop/connections/c1/:send?{version}"),
        format!("POST /api/hubs/loop/connections/c8/:send?{version}"),
        format!("POST /api/hubs/loop/connections/c9/:send?{version}"),
        format!("POST /api/hubs/loop/groups/g/:send?{version}&excluded=c1"),
        format!("POST /api/hubs/loop/groups/g1/:send?{version}"),
        format!("POST /api/hubs/loop/groups/g2/:send?{version}"),
        format!("POST /api/hubs/loop/users/ada/:send?{version}"),
        format!("POST /api/hubs/loop/users/u1/:send?{version}"),
        format!("POST /api/hubs/loop/users/u2/:send?{version}"),
    ];
    expected.sort();
    assert_eq!(fake.lines(), expected);
}

#[tokio::test]
async fn a_name_that_would_change_the_path_is_refused_before_sending() {
    let fake = Fake::start(202, "", "").await;

    for group in ["..", ".", "", "a\r\nb"] {
        let sent = fake.context.clients().group(group).changed("x", 1).await;

        assert!(matches!(sent, Err(SendError::Name(_))), "{group:?}");
    }
    assert!(fake.lines().is_empty());
}

#[tokio::test]
async fn a_message_over_1_mib_is_refused_before_sending() {
    let fake = Fake::start(202, "", "").await;

    let sent = fake.context.clients().all().changed(&"x".repeat(1024 * 1024), 1).await;

    assert!(matches!(sent, Err(SendError::TooLarge { limit: 1_048_576, .. })));
    assert!(fake.lines().is_empty());
}

#[tokio::test]
async fn a_message_that_is_too_large_in_two_protocols_is_sent_as_json() {
    let fake = Fake::start(202, "", "").await;
    let long = "x".repeat(600 * 1024);

    fake.context.clients().all().changed(&long, 1).await.unwrap();

    let request = fake.service.requests().pop().unwrap();
    assert_eq!(request.header("content-type").unwrap(), "application/json");
    assert_eq!(request.json(), json!({"target": "changed", "arguments": [long, 1]}));
}

#[tokio::test]
async fn a_client_result_uses_the_newest_version_and_is_decoded() {
    let fake = Fake::start(200, "", r#"{"result":true}"#).await;

    let answer = fake.context.clients().client("c1").confirm("Sure?").await;

    assert!(answer.unwrap());
    let request = &fake.service.requests()[0];
    assert_eq!(request.header("content-type").unwrap(), "application/json");
    assert_eq!(request.json(), json!({"target": "confirm", "arguments": ["Sure?"]}));
    assert_eq!(request.line(), "POST /api/hubs/loop/connections/c1/:invoke?api-version=2024-12-01");
}

#[tokio::test]
async fn each_failure_of_a_client_result_is_its_own_error() {
    let ask = async |status, code, body| {
        let fake = Fake::start(status, code, body).await;
        let client = fake.context.clients().client("c1");
        client.confirm("Sure?").timeout(Duration::from_secs(60)).await.unwrap_err()
    };

    assert!(matches!(
        ask(404, "Warning.Connection.NotExisted", "").await,
        InvokeError::ConnectionGone
    ));
    let Err(InvokeError::Client(text)) = Err::<(), _>(ask(400, "", "Error: boom").await) else {
        panic!()
    };
    assert_eq!(text, "Error: boom");
    assert!(matches!(ask(200, "", r#"{"result":"yes"}"#).await, InvokeError::Decode(_)));
    assert!(matches!(
        ask(401, "", "").await,
        InvokeError::Send(SendError::Rejected { status: 401, .. })
    ));
}

#[tokio::test]
async fn existence_checks_use_only_the_error_code() {
    let no = Fake::start(404, "Warning.User.NotExisted", "").await;
    let yes = Fake::start(200, "", "").await;
    let lost = Fake::start(404, "", "").await;

    assert!(!no.context.client_manager().user_exists("ada").await.unwrap());
    assert!(yes.context.client_manager().user_exists("ada").await.unwrap());
    assert!(lost.context.client_manager().user_exists("ada").await.is_err());
}

#[tokio::test]
async fn every_change_of_groups_has_its_request() {
    let fake = Fake::start(200, "", "").await;
    let (groups, users) = (fake.context.groups(), fake.context.user_groups());

    groups.add("c1", "a/b").await.unwrap();
    groups.remove("c1", "g").await.unwrap();
    groups.remove_from_all("c1").await.unwrap();
    users.add("ada", "g").await.unwrap();
    users.add_for("ada", "g", Duration::from_secs(90)).await.unwrap();
    users.add_for("ada", "now", Duration::ZERO).await.unwrap();
    users.remove("ada", "g").await.unwrap();
    users.remove_from_all("zoë").await.unwrap();
    assert!(users.contains("ada", "g").await.unwrap());

    let (base, version) = ("/api/hubs/loop", "?api-version=2022-06-01");
    let mut expected = [
        format!("PUT {base}/groups/a%2Fb/connections/c1{version}"),
        format!("DELETE {base}/groups/g/connections/c1{version}"),
        format!("DELETE {base}/connections/c1/groups{version}"),
        format!("PUT {base}/users/ada/groups/g{version}"),
        format!("PUT {base}/users/ada/groups/g{version}&ttl=90"),
        format!("PUT {base}/users/ada/groups/now{version}&ttl=0"),
        format!("DELETE {base}/users/ada/groups/g{version}"),
        format!("DELETE {base}/users/zo%C3%AB/groups{version}"),
        format!("HEAD {base}/users/ada/groups/g{version}"),
    ];
    expected.sort();
    assert_eq!(fake.lines(), expected);
    assert!(fake.service.requests().iter().all(|request| request.body.is_empty()));
}

#[tokio::test]
async fn every_check_and_close_operation_has_its_request() {
    let fake = Fake::start(200, "", "").await;
    let manager = fake.context.client_manager();

    assert!(manager.connection_exists("c1").await.unwrap());
    assert!(manager.user_exists("ada").await.unwrap());
    assert!(manager.group_exists("g").await.unwrap());
    manager.close("c1", Some("bye & thanks")).await.unwrap();
    manager.close("c2", None).await.unwrap();
    manager.close_user("ada", Some("bye"), &["c1", "c2"]).await.unwrap();
    manager.close_group("g", None, &["c1"]).await.unwrap();
    manager.close_all(Some("bye"), &[]).await.unwrap();

    let (base, version) = ("/api/hubs/loop", "?api-version=2022-06-01");
    let mut expected = [
        format!("HEAD {base}/connections/c1{version}"),
        format!("HEAD {base}/users/ada{version}"),
        format!("HEAD {base}/groups/g{version}"),
        format!("DELETE {base}/connections/c1{version}&reason=bye%20%26%20thanks"),
        format!("DELETE {base}/connections/c2{version}"),
        format!(
            "POST {base}/users/ada/:closeConnections{version}&excluded=c1&excluded=c2&reason=bye"
        ),
        format!("POST {base}/groups/g/:closeConnections{version}&excluded=c1"),
        format!("POST {base}/:closeConnections{version}&reason=bye"),
    ];
    expected.sort();
    assert_eq!(fake.lines(), expected);
}

#[tokio::test]
async fn an_ended_connection_is_not_an_error_for_close_and_remove() {
    let gone = Fake::start(404, "Error.Connection.NotExisted", "").await;
    let lost = Fake::start(404, "", "no such route").await;

    assert!(gone.context.groups().add("c1", "g").await.is_ok());
    assert!(gone.context.groups().remove("c1", "g").await.is_ok());
    assert!(gone.context.client_manager().close("c1", None).await.is_ok());
    let error = lost.context.groups().add("c1", "g").await.unwrap_err();
    assert!(
        matches!(error, SendError::Rejected { status: 404, message, .. } if message == "no such route")
    );
}

#[tokio::test]
async fn the_members_of_a_group_are_listed_page_by_page() {
    let body = r#"{"value":[{"connectionId":"c1","userId":"ada"}],"nextLink":"http://x/y?continuationToken=t1"}"#;
    let fake = Fake::start(200, "", body).await;

    let mut pages = fake.context.groups().members("g").continue_from("t0");
    let members = pages.next_page().await.unwrap().unwrap();

    assert_eq!(members[0].connection_id, "c1");
    assert_eq!(pages.continuation(), Some("t1"));
    assert_eq!(
        fake.lines(),
        ["GET /api/hubs/loop/groups/g/connections?api-version=2024-12-01&continuationToken=t0"]
    );
}

struct TwoSends {
    content_types: Vec<String>,
    last_body: String,
    warnings: String,
    results: Vec<Result<(), SendError>>,
}

/// Sends twice to all clients.
async fn two_sends_to_a_service_that_accepts(content_type: &'static str) -> TwoSends {
    let service = FakeService::start(move |request| {
        let accepted = request.header("content-type") == Some(content_type);
        response(if accepted { 202 } else { 415 }, "", "")
    })
    .await;
    let context = builder_at(&service.base, Loop).build().unwrap().context::<Loop>();
    let mut results = Vec::new();
    let warnings = logged(LevelFilter::WARN, async {
        for _ in 0..2 {
            results.push(context.clients().all().changed("x", 1).await);
        }
    })
    .await;
    let requests = service.requests();
    let types = requests.iter().filter_map(|it| it.header("content-type").map(str::to_owned));
    let last_body = String::from_utf8_lossy(&requests.last().unwrap().body).into_owned();
    TwoSends { content_types: types.collect(), last_body, warnings, results }
}

#[tokio::test]
async fn a_service_that_refuses_octet_streams_gets_json_from_then_on() {
    let sent = two_sends_to_a_service_that_accepts("application/json").await;

    assert!(sent.results.iter().all(Result::is_ok), "{:?}", sent.results);
    let json = "application/json";
    assert_eq!(sent.content_types, ["application/octet-stream", json, json]);
    assert_eq!(sent.last_body, r#"{"target":"changed","arguments":["x",1]}"#);
    let warning = "the service refuses application/octet-stream (415)";
    assert_eq!(sent.warnings.matches(warning).count(), 1, "{}", sent.warnings);
}

#[tokio::test]
async fn a_service_that_refuses_json_too_is_asked_with_octet_streams_again() {
    let sent = two_sends_to_a_service_that_accepts("text/plain").await;

    let results = &sent.results;
    assert!(
        matches!(&results[..], [Err(SendError::Rejected { status: 415, .. }), Err(_)]),
        "{results:?}"
    );
    let (octets, json) = ("application/octet-stream", "application/json");
    assert_eq!(sent.content_types, [octets, json, octets, json]);
    assert!(!sent.warnings.contains("refuses"), "{}", sent.warnings);
}
