//! Hubs of one app with separate services and with an application name as a prefix.

use http::{Request, StatusCode};
use http_body_util::Empty;
use hub_core::{
    seal::{self, SealKey},
    signature, token,
};
use hub_runtime::{BuildProblem, HubApp, config::Settings, prelude::*};
use serde_json::Value;
use test_support::FakeService;

use crate::support::{AppResponse, KEY, answer, sealed_claims};

const GAME_KEY: &str = "the-key-of-the-other-service-0123456789";

struct Chat;

#[serverless_hub]
impl Chat {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::user("ada"))
    }

    async fn hub(&self, ctx: &Context<Self>) -> HubResult<String> {
        ctx.clients().all().send("heard", ()).await?;
        Ok(ctx.invocation().hub_name().to_owned())
    }
}

struct Game;

#[serverless_hub(connection = "GameSignalR")]
impl Game {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::user("ada"))
    }

    async fn hub(&self, ctx: &Context<Self>) -> HubResult<String> {
        ctx.clients().all().send("heard", ()).await?;
        Ok(ctx.invocation().hub_name().to_owned())
    }
}

/// An app whose hub `Chat` uses one service, and whose hub `Game` uses another one as `team_game`.
struct TwoServices {
    app: HubApp,
    chat: FakeService,
    game: FakeService,
}

impl TwoServices {
    async fn start() -> Self {
        let (chat, game) = (FakeService::accepting().await, FakeService::accepting().await);
        let settings: Settings = [
            ("AzureSignalRConnectionString", chat.connection_string(KEY)),
            ("GameSignalR", game.connection_string(GAME_KEY)),
            ("GameSignalR__applicationName", "Team".to_owned()),
        ]
        .into_iter()
        .collect();
        let signalr = SignalR::from_settings(settings).unwrap();
        let app = HubApp::builder().signalr(signalr).hub(Chat).hub(Game).build().unwrap();
        Self { app, chat, game }
    }

    async fn negotiate(&self, hub: &str) -> Value {
        let request = Request::post(format!("/{hub}/negotiate")).body(Empty::<&[u8]>::new());
        let answer = answer(&self.app, request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Invokes the method `hub` of the hub with this name, as the service with this key would.
    async fn call(&self, hub: &str, key: &str) -> AppResponse {
        let request = Request::post("/runtime/webhooks/signalr")
            .header("X-ASRS-Connection-Id", "c1")
            .header("X-ASRS-Hub", hub)
            .header("X-ASRS-Category", "messages")
            .header("X-ASRS-Event", "hub")
            .header("X-ASRS-Signature", signature::sign(&key.into(), "c1"))
            .header("X-ASRS-User-Claims", sealed_claims(hub, key))
            .header("Content-Type", "application/json");
        let body = r#"{"type":1,"invocationId":"7","target":"hub","arguments":[]}"#;
        answer(&self.app, request.body(body.to_owned()).unwrap()).await
    }
}

#[tokio::test]
async fn each_hub_negotiates_for_its_own_service_and_name() {
    let services = TwoServices::start().await;

    let (chat, game) = (services.negotiate("chat").await, services.negotiate("game").await);

    assert_eq!(chat["url"], format!("{}/client/?hub=chat", services.chat.base));
    assert_eq!(game["url"], format!("{}/client/?hub=team_game", services.game.base));
    let token = game["accessToken"].as_str().unwrap();
    let claims = token::verify(token, &[GAME_KEY.into()], 0, u64::MAX / 2).unwrap();
    assert_eq!(claims["aud"], "http://127.0.0.1/client/?hub=team_game");
    let seal_key = SealKey::derive(&GAME_KEY.into());
    let sealed = seal::open(claims["shub"].as_str().unwrap(), &[seal_key]).unwrap();
    assert_eq!(sealed.hub, "team_game");
}

#[tokio::test]
async fn each_hub_is_called_by_its_own_service_and_sends_there() {
    let services = TwoServices::start().await;

    let chat = services.call("chat", KEY).await;
    let game = services.call("TEAM_game", GAME_KEY).await;

    assert!(chat.body.contains(r#""result":"chat""#), "{}", chat.body);
    assert!(game.body.contains(r#""result":"team_game""#), "{}", game.body);
    assert_eq!(services.chat.lines(), ["POST /api/hubs/chat/:send"]);
    assert_eq!(services.game.lines(), ["POST /api/hubs/team_game/:send"]);
    let requests = services.game.requests();
    assert!(token::verify(requests[0].token(), &[GAME_KEY.into()], 0, u64::MAX / 2).is_ok());
}

#[tokio::test]
async fn a_key_of_another_service_is_refused() {
    let services = TwoServices::start().await;

    assert_eq!(services.call("team_game", KEY).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(services.call("chat", GAME_KEY).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn with_an_application_name_the_plain_hub_name_is_unknown() {
    let services = TwoServices::start().await;

    assert_eq!(services.call("game", GAME_KEY).await.status, StatusCode::NOT_FOUND);
    assert_eq!(services.call("game", "foreign").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn contexts_send_to_the_service_of_their_hub() {
    let services = TwoServices::start().await;

    services.app.context::<Game>().clients().group("g").send("x", ()).await.unwrap();

    assert_eq!(services.game.lines(), ["POST /api/hubs/team_game/groups/g/:send"]);
    assert!(services.chat.lines().is_empty());
    assert_eq!(services.app.client_urls().len(), 2);
}

#[tokio::test]
async fn problems_of_all_connections_are_listed_together() {
    let settings = [(
        "AzureSignalRConnectionString",
        "Endpoint=https://x.net;AccessKey=0123456789abcdef0123456789abcdef",
    )];
    let signalr = SignalR::from_settings(settings.into_iter().collect()).unwrap();

    let built = HubApp::builder().signalr(signalr).hub(Chat).hub(Game).allow_origin("*").build();

    let error = built.unwrap_err();
    let [BuildProblem::InvalidOrigin { problem, .. }, BuildProblem::Setting(setting)] =
        error.problems()
    else {
        panic!("{error}")
    };
    assert!(problem.starts_with("`*` cannot be allowed"), "{problem}");
    assert_eq!(
        setting.to_string(),
        "no SignalR service: set the variable GameSignalR to the connection string of the service, or GameSignalR__serviceUri to its URL"
    );
}

#[tokio::test]
async fn the_default_connection_is_optional_if_no_hub_uses_it() {
    let game = FakeService::accepting().await;
    let settings = [("GameSignalR", game.connection_string(GAME_KEY))];
    let signalr = SignalR::from_settings(settings.into_iter().collect()).unwrap();

    let app = HubApp::builder().signalr(signalr).hub(Game).build().unwrap();

    assert_eq!(app.client_url(), game.base);
}

#[tokio::test]
async fn origins_of_a_local_settings_file_may_negotiate() {
    let game = FakeService::accepting().await;
    let file = |origin: &str| {
        let values =
            format!(r#""Values":{{"GameSignalR":"{}"}}"#, game.connection_string(GAME_KEY));
        let json = format!(r#"{{{values},"Host":{{"CORS":"{origin}"}}}}"#);
        let settings = Settings::default().with_local_settings(&json).unwrap();
        let signalr = SignalR::from_settings(settings).unwrap();
        HubApp::builder().signalr(signalr).hub(Game).build()
    };
    let request = Request::post("/negotiate").header("Origin", "https://page.example");

    let app = file("https://page.example").unwrap();
    let answer = answer(&app, request.body(Empty::<&[u8]>::new()).unwrap()).await;

    assert_eq!(answer.headers["access-control-allow-origin"], "https://page.example");
    let error = file("*").unwrap_err().to_string();
    assert!(error.contains("Host.CORS in local.settings.json: `*` cannot be allowed"), "{error}");
}
