//! Tests of the whole loop, from the client through the service to the app and back. Most of them run
//! twice: with the embedded service, and with a service that is connected over HTTP.

use std::{sync::Arc, time::Duration};

use hub_runtime::{HubApp, SignalR, prelude::*};
use serde_json::json;
use test_support::World;
use tokio::sync::{Mutex, mpsc};

#[hub_client]
trait LoopClient {
    async fn said(&self, number: u32);
    async fn confirm(&self, question: &str) -> bool;
}

/// The hub under test. Reports events to the test through `told`.
struct Loop {
    told: mpsc::UnboundedSender<String>,
    at_start: AtStart,
}

/// The behaviour of `on_connected`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtStart {
    Greet,
    Ask,
    Deny,
}

type Told = Arc<Mutex<mpsc::UnboundedReceiver<String>>>;

fn hub(at_start: AtStart) -> (Loop, Told) {
    let (told, hears) = mpsc::unbounded_channel();
    (Loop { told, at_start }, Arc::new(Mutex::new(hears)))
}

async fn next(told: &Told) -> String {
    told.lock().await.recv().await.unwrap()
}

impl Loop {
    fn tell(&self, line: impl Into<String>) {
        self.told.send(line.into()).unwrap();
    }
}

#[serverless_hub(client = LoopClient)]
#[filter(SignedIn)]
impl Loop {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let user = request.bearer_token().or_reject("who are you?")?;
        Ok(Negotiation::user(user)
            .claim("name", "Bob, role: admin")
            .claim("role", "reader")
            .claim("role", "writer"))
    }

    async fn on_connected(&self, ctx: &Context<Self>) -> HubResult {
        if self.at_start == AtStart::Deny {
            return Err(HubError::denied("Closed on Sundays"));
        }
        if self.at_start == AtStart::Ask {
            let answer = ctx.clients().caller().confirm("Are you there?").await?;
            self.tell(format!("confirmed {answer}"));
        }
        self.tell(format!("{} connected", ctx.user_id().or_reject("no user id")?));
        Ok(())
    }

    async fn on_disconnected(&self, ctx: &Context<Self>) {
        self.tell(format!("{} disconnected", ctx.user_id().unwrap_or("anonymous")));
    }

    async fn claims(&self, ctx: &Context<Self>) -> HubResult<Vec<(String, String)>> {
        Ok(ctx.claims().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    async fn join(&self, ctx: &Context<Self>, room: String) -> HubResult {
        Ok(ctx.groups().add(ctx.connection_id(), &room).await?)
    }

    async fn say(&self, ctx: &Context<Self>, room: String, number: u32) -> HubResult {
        Ok(ctx.clients().group(room).said(number).await?)
    }

    async fn count(&self, ctx: &Context<Self>, to: u32) -> HubResult {
        for number in 0..to {
            ctx.clients().caller().said(number).await?;
        }
        Ok(())
    }

    async fn open_room(&self, ctx: &Context<Self>) -> HubResult<bool> {
        let answer = ctx.clients().caller().confirm("Open the room?").await;
        if let Err(error) = &answer {
            self.tell(format!("not confirmed: {error}"));
        }
        Ok(answer?)
    }

    async fn membership(&self, ctx: &Context<Self>) -> HubResult<Vec<bool>> {
        let (groups, id) = (ctx.user_groups(), ctx.user_id().or_reject("no user id")?);
        groups.add(id, "staff").await?;
        groups.add_for(id, "guests", Duration::from_secs(60)).await?;
        let mut seen =
            vec![groups.contains(id, "staff").await?, groups.contains(id, "guests").await?];
        ctx.clients().group("staff").said(1).await?;
        groups.remove(id, "staff").await?;
        seen.push(groups.contains(id, "staff").await?);
        groups.remove_from_all(id).await?;
        seen.push(groups.contains(id, "guests").await?);
        Ok(seen)
    }

    async fn existence(&self, ctx: &Context<Self>) -> HubResult<Vec<bool>> {
        let manager = ctx.client_manager();
        ctx.groups().add(ctx.connection_id(), "rust").await?;
        let members = ctx.groups().members("rust").next_page().await?.unwrap_or_default();
        Ok(vec![
            manager.connection_exists(ctx.connection_id()).await?,
            manager.connection_exists("another").await?,
            manager.user_exists("ada").await?,
            manager.user_exists("absent").await?,
            manager.group_exists("rust").await?,
            manager.group_exists("cobol").await?,
            members.len() == 1 && members[0].connection_id == ctx.connection_id(),
        ])
    }

    async fn send_away(&self, ctx: &Context<Self>) -> HubResult {
        Ok(ctx.client_manager().close_user("bob", Some("Time to go"), &[]).await?)
    }

    async fn echo(&self, number: u32) -> HubResult<u32> {
        Ok(number)
    }
}

async fn claims_arrive_intact(world: World, _: Told) {
    let mut ada = world.connect("ada").await;

    let answer = ada.invoke("claims", json!([])).await;

    assert_eq!(
        answer["result"],
        json!([["name", "Bob, role: admin"], ["role", "reader"], ["role", "writer"]])
    );
}

async fn a_group_receives_its_messages(world: World, _: Told) {
    let (mut ada, mut bob) = (world.connect("ada").await, world.connect("bob").await);
    bob.invoke("join", json!(["rust"])).await;

    assert!(ada.invoke("say", json!(["rust", 7])).await.get("error").is_none());

    assert_eq!(bob.recv().await, json!({"type": 1, "target": "said", "arguments": [7]}));
}

/// Group names that would change the path, query or fragment of a URL if they were not encoded.
const GROUPS: [&str; 8] =
    ["%2e%2e", "a/b", "a?b", "a#b", "🦀 und grüße", "..a", "a%2Fb", "a b+c;d=e&f"];

async fn groups_of_any_name_hear_their_own_messages_and_two_dots_are_no_group(
    world: World,
    _: Told,
) {
    let mut all = world.connect("ada").await;
    let mut members = Vec::new();
    for group in GROUPS {
        let mut member = world.connect("bob").await;
        assert!(member.invoke("join", json!([group])).await.get("error").is_none(), "{group}");
        members.push(member);
    }

    for (number, group) in GROUPS.iter().enumerate() {
        let said = all.invoke("say", json!([group, number])).await;
        assert!(said.get("error").is_none(), "{group}: {said}");
    }

    // The first message that each client receives is for its own group, so it did not receive the
    // earlier messages for other groups.
    for (number, member) in members.iter_mut().enumerate() {
        assert_eq!(member.recv().await["arguments"], json!([number]), "{}", GROUPS[number]);
    }
    for name in ["..", ".", ""] {
        assert!(all.invoke("join", json!([name])).await["error"].is_string(), "{name}");
        assert!(all.invoke("say", json!([name, 0])).await["error"].is_string(), "{name}");
    }
}

async fn a_client_can_call_the_hub_before_it_returns_a_client_result(world: World, _: Told) {
    let mut ada = world.connect("ada").await;

    ada.begin("0", "openRoom", json!([])).await;
    for number in 1..=5 {
        ada.begin(&number.to_string(), "echo", json!([number])).await;
    }
    let question = ada.recv().await;
    assert_eq!(question["target"], "confirm");
    // The handler of the client calls the hub and waits for the results before it returns its own.
    for number in 1..=5 {
        let answer = ada.recv().await;
        assert_eq!(answer["invocationId"], number.to_string());
        assert_eq!(answer["result"], number);
    }
    ada.complete(&question, json!(true)).await;

    let first = ada.recv().await;
    assert_eq!((&first["invocationId"], &first["result"]), (&json!("0"), &json!(true)));
}

async fn a_client_that_leaves_during_an_invocation_gives_the_method_an_error(
    world: World,
    told: Told,
) {
    let mut ada = world.connect("ada").await;
    ada.begin("0", "openRoom", json!([])).await;
    assert_eq!(ada.recv().await["target"], "confirm");

    drop(ada);

    assert_eq!(next(&told).await, "ada connected");
    assert_eq!(next(&told).await, "not confirmed: the client is no longer connected");
    assert_eq!(next(&told).await, "ada disconnected");
}

async fn a_client_can_be_invoked_before_connected_returns(world: World, told: Told) {
    let mut ada = world.connect("ada").await;

    let question = ada.recv().await;
    assert_eq!(question["arguments"], json!(["Are you there?"]));
    ada.complete(&question, json!(true)).await;

    assert_eq!(next(&told).await, "confirmed true");
    assert_eq!(next(&told).await, "ada connected");
}

async fn two_thousand_messages_arrive_once_each_and_in_order(world: World, _: Told) {
    let mut ada = world.connect("ada").await;

    ada.begin("0", "count", json!([2000])).await;

    for number in 0..2000 {
        assert_eq!(ada.recv().await["arguments"], json!([number]));
    }
    assert_eq!(ada.recv().await["invocationId"], "0");
}

async fn a_denied_connection_is_closed_with_the_reason(world: World, told: Told) {
    let mut ada = world.connect("ada").await;

    assert_eq!(ada.recv().await, json!({"type": 7, "error": "Closed on Sundays"}));
    assert_eq!(next(&told).await, "ada disconnected");
}

async fn users_are_members_until_they_are_removed(world: World, _: Told) {
    let mut ada = world.connect("ada").await;

    ada.begin("0", "membership", json!([])).await;

    assert_eq!(ada.recv().await["arguments"], json!([1]));
    assert_eq!(ada.recv().await["result"], json!([true, true, false, false]));
}

async fn connections_users_and_groups_exist_or_not(world: World, _: Told) {
    let mut ada = world.connect("ada").await;

    let answer = ada.invoke("existence", json!([])).await;

    assert_eq!(answer["result"], json!([true, false, true, false, true, false, true]));
}

async fn a_user_is_sent_away_with_a_reason(world: World, _: Told) {
    let (mut ada, mut bob) = (world.connect("ada").await, world.connect("bob").await);

    ada.invoke("sendAway", json!([])).await;

    assert_eq!(bob.recv().await, json!({"type": 7, "error": "Time to go"}));
}

async fn sending_from_outside_reaches_everyone(world: World, told: Told) {
    let (mut ada, mut bob) = (world.connect("ada").await, world.connect("bob").await);
    next(&told).await;
    next(&told).await;

    world.app.context::<Loop>().clients().all().said(1).await.unwrap();

    assert_eq!(ada.recv().await["arguments"], json!([1]));
    assert_eq!(bob.recv().await["arguments"], json!([1]));
}

macro_rules! at_start {
    () => {
        AtStart::Greet
    };
    ($what:ident) => {
        AtStart::$what
    };
}

/// Runs each test twice: with the embedded service, and with a separate service.
macro_rules! in_both_worlds {
    ($($name:ident $(at start $at_start:ident)?;)*) => {
        mod in_one_process {
            use super::{AtStart, World, hub};
            $(
                #[tokio::test]
                async fn $name() {
                    let (hub, told) = hub(at_start!($($at_start)?));
                    super::$name(World::embedded(hub), told).await;
                }
            )*
        }

        mod in_two {
            use super::{AtStart, World, hub};
            $(
                #[tokio::test]
                async fn $name() {
                    let (hub, told) = hub(at_start!($($at_start)?));
                    super::$name(World::apart(hub).await, told).await;
                }
            )*
        }
    };
}

in_both_worlds! {
    claims_arrive_intact;
    a_group_receives_its_messages;
    groups_of_any_name_hear_their_own_messages_and_two_dots_are_no_group;
    a_client_can_call_the_hub_before_it_returns_a_client_result;
    a_client_that_leaves_during_an_invocation_gives_the_method_an_error;
    a_client_can_be_invoked_before_connected_returns at start Ask;
    a_denied_connection_is_closed_with_the_reason at start Deny;
    users_are_members_until_they_are_removed;
    connections_users_and_groups_exist_or_not;
    a_user_is_sent_away_with_a_reason;
    two_thousand_messages_arrive_once_each_and_in_order;
    sending_from_outside_reaches_everyone;
}

#[tokio::test]
async fn the_embedded_service_closes_clients_on_shutdown() {
    let (hub, told) = hub(AtStart::Greet);
    let world = World::embedded(hub);
    let mut ada = world.connect("ada").await;
    assert_eq!(next(&told).await, "ada connected");

    let goodbye = async {
        let close = ada.recv().await;
        drop(ada);
        close
    };
    let ((), close) = tokio::join!(world.app.shutdown(), goodbye);

    assert_eq!(close, json!({"type": 7, "allowReconnect": true}));
    assert_eq!(next(&told).await, "ada disconnected");
}

#[tokio::test]
async fn a_denied_connection_stays_open_if_the_app_opts_out() {
    let (hub, _told) = hub(AtStart::Deny);
    let signalr = SignalR::local();
    let app = HubApp::builder().signalr(signalr).hub(hub).keep_refused_connections();
    let world = World::of(app.build().unwrap());
    let mut ada = world.connect("ada").await;

    assert_eq!(ada.invoke("echo", json!([7])).await["result"], 7);
}
