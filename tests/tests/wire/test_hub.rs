//! `TestHub` as the tests of an app use it.

use std::time::Duration;

use hub_runtime::{
    clients::Target,
    negotiate::NegotiateLimit,
    prelude::*,
    testing::{Request, TestHub},
};
use serde_json::json;

#[hub_client]
trait LoopClient {
    async fn ready(&self) -> bool;
    async fn sum(&self, left: u8, right: u8) -> u8;
    async fn told(&self, text: &str);
}

struct Loop;

#[serverless_hub(client = LoopClient)]
impl Loop {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let user = request.bearer_token().ok_or_else(|| HubError::unauthenticated("Who?"))?;
        let granted = Negotiation::user(user).claim("role", "reader");
        Ok(match request.query().get("for") {
            Some(seconds) => {
                granted.lifetime(Duration::from_secs(seconds.parse()?)).close_on_expiry()
            }
            None => granted,
        })
    }

    async fn who(&self, ctx: &Context<Self>) -> HubResult<(String, bool)> {
        let user = ctx.user_id().or_reject("no user id")?;
        Ok((user.to_owned(), ctx.claims().has("role", "reader")))
    }

    async fn ask_ready(&self, ctx: &Context<Self>) -> HubResult<bool> {
        Ok(ctx.clients().caller().ready().await?)
    }

    async fn ask_sum(&self, ctx: &Context<Self>) -> HubResult<u8> {
        Ok(ctx.clients().caller().sum(1, 2).await?)
    }

    async fn ask_for(&self, ctx: &Context<Self>, seconds: u64) -> HubResult<String> {
        let asked = ctx.clients().caller().ready().timeout(Duration::from_secs(seconds)).await;
        Ok(match asked {
            Err(InvokeError::TimedOut(time)) => format!("not within {time:?}"),
            other => format!("{other:?}"),
        })
    }

    async fn tell(&self, ctx: &Context<Self>, group: String) -> HubResult {
        tracing::warn!(group, "about to tell");
        Ok(ctx.clients().group(group).told("news").await?)
    }

    #[filter(RequireClaim("role", "writer"))]
    async fn write(&self) {}

    async fn fails(&self) -> HubResult {
        Ok(Err(std::io::Error::other("the database is down"))?)
    }

    async fn picky(&self, number: u8) -> HubResult {
        Err(HubError::rejected(format_args!("not {number}")))
    }
}

fn bearer(token: &str) -> Request<()> {
    Request::builder().header("authorization", format!("Bearer {token}")).body(()).unwrap()
}

#[tokio::test]
async fn calls_and_contexts_have_the_negotiated_user() {
    let hub = TestHub::new(Loop);

    let ada = hub.negotiate(bearer("ada")).await.unwrap();

    let said = ("ada".to_owned(), true);
    assert_eq!(ada.invoke::<(String, bool)>("who", ()).await.unwrap(), said);
    assert_eq!(Loop.who(&hub.context_of(&ada)).await.unwrap(), said);
}

#[tokio::test]
async fn a_refused_negotiate_has_a_status_and_a_text() {
    let hub = TestHub::new(Loop);

    let refused = hub.negotiate(Request::new(())).await.unwrap_err();
    let elsewhere = Request::builder().uri("/other/negotiate").body(()).unwrap();
    let lost = hub.negotiate(elsewhere).await.unwrap_err();

    assert_eq!(refused, "401: Who?");
    assert_eq!(refused.status(), Some(401));
    assert_eq!(lost.status(), Some(404));
}

#[tokio::test]
async fn without_detailed_errors_the_log_has_what_the_client_does_not_read() {
    let hub = TestHub::configured(Loop, |app| app.detailed_errors(false));
    let ada = hub.user("ada").connect().await.unwrap();

    let refused = ada.invoke::<()>("picky", ("x",)).await.unwrap_err();
    let unknown = ada.invoke::<()>("pick", (1,)).await.unwrap_err();

    assert_eq!(refused, "argument 1 is missing or not valid");
    assert_eq!(unknown, "Unknown hub method 'pick'");
    let log = format!("{:?}", hub.log());
    assert!(log.contains("`number`") && log.contains("expected u8"), "{log}");
}

#[tokio::test]
async fn handlers_have_no_parameter_or_a_tuple() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    ada.on("ready", |_: ()| true);
    ada.on("sum", |(left, right): (u8, u8)| left + right);

    assert!(ada.invoke::<bool>("askReady", ()).await.unwrap());
    assert_eq!(ada.invoke::<u8>("askSum", ()).await.unwrap(), 3);
}

#[tokio::test]
async fn a_panicking_handler_ends_the_client_with_the_reason() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    ada.on("ready", |_: ()| -> bool { panic!("an assertion of the test") });

    let error = ada.invoke::<bool>("askReady", ()).await.unwrap_err();

    assert!(error.text().contains("panicked"), "{error}");
}

#[tokio::test]
async fn the_log_contains_the_cause_that_the_client_does_not_get() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();

    let shown = ada.invoke::<()>("fails", ()).await.unwrap_err();

    let log = hub.log();
    let line = log.iter().find(|line| line.contains("the database is down")).unwrap();
    assert_eq!((line.level, line.message.as_str()), ("ERROR", "hub method failed"));
    assert!(!shown.text().contains("database"), "{shown}");
    // The client's text and the log line contain the same error id.
    assert!(shown.text().contains(line.field("error_id").unwrap()), "{shown}");
}

#[tokio::test]
async fn client_and_log_get_their_own_error_texts() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    let shown = async |method: &str, arguments: (u8,)| match method {
        "picky" => ada.invoke::<()>(method, arguments).await.unwrap_err(),
        _ => ada.invoke::<()>(method, ()).await.unwrap_err(),
    };

    assert_eq!(shown("picky", (3,)).await, "not 3");
    assert_eq!(shown("write", (0,)).await, "403 Forbidden: this needs role `writer`");
    assert!(hub.negotiate(Request::new(())).await.is_err());

    let log: Vec<_> = hub.log().iter().map(ToString::to_string).collect();
    let has = |text: &str| log.iter().any(|line| line.contains(text));
    assert!(has("DEBUG call rejected cause=not 3"), "{log:#?}");
    assert!(has("INFO call denied filter=RequireClaim cause=this needs role `writer`"), "{log:#?}");
    assert!(has("INFO caller not signed in filter=method cause=Who?"), "{log:#?}");
}

#[tokio::test]
async fn log_lines_and_sends_of_the_hub_are_recorded() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();

    ada.send("tell", ("rust",)).await.unwrap();
    ada.invoke::<(String, bool)>("who", ()).await.unwrap();

    let log = hub.log();
    let line = log.iter().find(|line| line.message == "about to tell").unwrap();
    assert_eq!((line.level, line.field("group")), ("WARN", Some("rust")));
    let sent = hub.sent().pop().unwrap();
    assert_eq!(sent.target, Target::Group("rust".to_owned()));
    assert_eq!((sent.event.as_str(), sent.arguments), ("told", vec![json!("news")]));
}

#[tokio::test(start_paused = true)]
async fn paused_time_ends_memberships_of_users() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    let (groups, rust) = (hub.context().user_groups(), hub.context().clients().group("rust"));
    groups.add_for("ada", "rust", Duration::from_secs(60)).await.unwrap();

    rust.told("early").await.unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    let later = hub.user("ada").connect().await.unwrap();
    rust.told("late").await.unwrap();

    assert!(!groups.contains("ada", "rust").await.unwrap());
    assert_eq!(ada.received("told").await, [json!(["early"]), json!(["late"])]);
    assert!(later.received("told").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn paused_time_refills_a_limit_on_negotiates() {
    let limit = NegotiateLimit::new(1, Duration::from_secs(60));
    let hub = TestHub::configured(Loop, |app| app.negotiate_limit(limit));
    hub.negotiate(bearer("ada")).await.unwrap();

    let refused = hub.negotiate(bearer("ada")).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(60)).await;

    assert_eq!(refused.status(), Some(429));
    assert!(hub.negotiate(bearer("ada")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn paused_time_closes_a_connection_with_its_token() {
    let hub = TestHub::new(Loop);
    let mut request = bearer("ada");
    *request.uri_mut() = "/?for=100".parse().unwrap();
    let ada = hub.negotiate(request).await.unwrap();

    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(ada.ended(), None);
    tokio::time::sleep(Duration::from_secs(20)).await;

    assert!(ada.ended().is_some());
}

#[tokio::test(start_paused = true)]
async fn paused_time_ends_the_wait_for_a_client() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    // The client never returns a result, like a page in a background tab.
    ada.ignores("ready");

    let answer = ada.invoke::<String>("askFor", (7,)).await.unwrap();

    assert_eq!(answer, "not within 7s");
}

struct Observed;

#[serverless_hub]
impl Observed {
    async fn negotiate(&self, _: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::user("ada").claim("role", "reader"))
    }

    /// The address of the claim in memory, and the event and the request id in the headers.
    async fn observe(&self, ctx: &Context<Self>) -> HubResult<(usize, String, String)> {
        let header = |name| {
            let value = ctx.invocation().headers().get(name).or_reject("no header")?;
            value.to_str().map(str::to_owned).or_reject("no text")
        };
        let role = ctx.claims().get("role").or_reject("no role")?;
        Ok((role.as_ptr() as usize, header("x-asrs-event")?, header("x-hub-request-id")?))
    }
}

#[tokio::test]
async fn calls_of_a_connection_share_its_claims_and_have_headers_of_their_own() {
    let hub = TestHub::new(Observed);
    let ada = hub.negotiate(bearer("ada")).await.unwrap();

    let (role, event, id) = ada.invoke::<(usize, String, String)>("observe", ()).await.unwrap();
    let (same_role, other_event, other_id) =
        ada.invoke::<(usize, String, String)>("Observe", ()).await.unwrap();

    assert_eq!(role, same_role);
    assert_eq!((&*event, &*other_event), ("observe", "Observe"));
    assert_ne!(id, other_id);
}

#[tokio::test]
async fn a_client_that_has_called_a_method_is_closed_when_the_app_is_dropped() {
    let hub = TestHub::new(Observed);
    let ada = hub.negotiate(bearer("ada")).await.unwrap();
    ada.invoke::<(usize, String, String)>("observe", ()).await.unwrap();
    assert_eq!(ada.ended(), None);

    drop(hub);

    test_support::until("the client is closed", || ada.ended().is_some()).await;
}
