//! Tokens for another audience or without a valid signature, used to negotiate, to open a connection, and for
//! REST.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use hub_core::{Secret, signature, token};
use hub_local::{Limits, LocalService};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    support::{App, Fixture, KEY, URL, signed, unix_now},
    wire::UPGRADE,
};

const SECOND: &str = "another-key-of-44-characters-for-the-tests-0";
const SEND: &str = "/api/hubs/chat/:send";

/// The claims of a token that is valid for all three uses.
fn claims() -> Value {
    let audiences = [format!("{URL}/client/?hub=chat"), format!("{URL}{SEND}")];
    json!({ "aud": audiences, "exp": unix_now() + 3600, "asrs.s.uid": "ada" })
}

/// Base64url without padding, as in tokens.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let (bits, count) = (bits << (8 * (3 - chunk.len())), chunk.len() + 1);
        (0..count).map(move |at| char::from(DIGITS[bits >> (18 - 6 * at) & 63])).collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}

/// A token with this header. Its signature is the HMAC of the key, as for HS256.
fn with_header(header: &Value) -> String {
    let [header, claims] = [header, &claims()].map(|part| base64(part.to_string().as_bytes()));
    let signed = signature::sign(&Secret::from(KEY), &format!("{header}.{claims}"));
    let hex = signed.trim_start_matches("sha256=").as_bytes();
    let bytes: Vec<u8> = hex
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    format!("{header}.{claims}.{}", base64(&bytes))
}

/// The response statuses of negotiate, a WebSocket, a poll, a client's post, and REST for a token.
async fn statuses(fixture: &Fixture, token: &str) -> [u16; 5] {
    let client = "/client/?hub=chat";
    let mut statuses = [0; 5];
    for (status, (method, path, upgrades)) in statuses.iter_mut().zip([
        ("POST", "/client/negotiate?hub=chat", false),
        ("GET", client, true),
        ("GET", client, false),
        ("POST", client, false),
        ("POST", SEND, false),
    ]) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        let upgrade = UPGRADE.lines().filter(|_| upgrades);
        for (name, value) in upgrade.map(|line| line.split_once(": ").unwrap()) {
            request = request.header(name, value);
        }
        let body = Full::new(Bytes::from_static(br#"{"target":"m"}"#));
        *status = fixture.request(request.body(body).unwrap()).await.status;
    }
    statuses
}

/// The poll and the post have no connection id. The service checks the id after the token.
const GOOD: [u16; 5] = [200, 101, 400, 400, 202];
const REFUSED: [u16; 5] = [401; 5];

#[tokio::test(start_paused = true)]
async fn a_token_with_alg_none_is_refused_everywhere() {
    let fixture = Fixture::new(App::silent());
    let good = signed(&claims());
    assert_eq!(statuses(&fixture, &good).await, GOOD);
    let signature = good.rsplit('.').next().unwrap();
    let payload = good.split('.').nth(1).unwrap();

    for alg in ["none", "None", "NONE", "nOnE", "", "HS256 "] {
        let header = base64(json!({ "alg": alg, "typ": "JWT" }).to_string().as_bytes());
        for signature in ["", signature] {
            let forged = format!("{header}.{payload}.{signature}");
            assert_eq!(statuses(&fixture, &forged).await, REFUSED, "{forged}");
        }
    }
    let unsigned = format!("{}.{payload}.", good.split('.').next().unwrap());
    assert_eq!(statuses(&fixture, &unsigned).await, REFUSED);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_declares_rs256_is_refused_even_with_the_right_key() {
    let fixture = Fixture::new(App::silent());
    let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
    assert_eq!(statuses(&fixture, &with_header(&hs256)).await, GOOD, "the forger knows its craft");

    for alg in ["RS256", "PS256", "ES256", "EdDSA", "HS384", "HS512", "hs256"] {
        let forged = with_header(&json!({ "alg": alg, "typ": "JWT" }));
        assert_eq!(statuses(&fixture, &forged).await, REFUSED, "{alg}");
    }
    // The service ignores keys that the token names or contains.
    let brought =
        json!({ "alg": "HS256", "kid": "../../dev/null", "jwk": { "kty": "oct", "k": "" } });
    let forged = token::sign_as(&claims(), &Secret::from("brought"), "../../dev/null").unwrap();
    assert_eq!(statuses(&fixture, &with_header(&brought)).await, GOOD);
    assert_eq!(statuses(&fixture, &forged).await, REFUSED);
}

#[tokio::test(start_paused = true)]
async fn a_token_for_another_audience_is_refused_everywhere() {
    let fixture = Fixture::new(App::silent());
    for audience in [
        json!(null),
        json!(""),
        json!(7),
        json!([]),
        json!([[format!("{URL}/client/?hub=chat")]]),
        json!({ "aud": format!("{URL}{SEND}") }),
        json!(format!("{URL}/client/?hub=other")),
        json!(format!("{URL}/client/?hub=other&hub=chat")),
        json!(format!("{URL}/client/?hub=chatter")),
        json!(format!("{URL}/server/?hub=chat")),
        json!(format!("{URL}/api/hubs/other/:send")),
        json!("http://127.0.0.1:8888/?hub=chat#/client/?hub=chat"),
        json!(format!("http://127.0.0.1:8888/api{SEND}")),
        json!("//127.0.0.1:8888/client/?hub=chat"),
        json!("*"),
    ] {
        let mut claims = claims();
        claims["aud"] = audience.clone();
        assert_eq!(statuses(&fixture, &signed(&claims)).await, REFUSED, "{audience}");
    }
    let mut without = claims();
    without.as_object_mut().unwrap().remove("aud");
    assert_eq!(statuses(&fixture, &signed(&without)).await, REFUSED);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_refused_a_second_after_expiry_and_leeway() {
    for leeway in [60, 0] {
        let limits = Limits::default().token_leeway(Duration::from_secs(leeway));
        let fixture = Fixture::with(App::silent(), limits);
        let mut claims = claims();
        // Uses the clock of the service, whose seconds may begin at other moments than the test's.
        let generated = fixture.post(":generateToken?minutesToExpire=1", "").await.json();
        let generated = generated["token"].as_str().unwrap();
        let keys = [Secret::from(KEY)];
        claims["exp"] = token::verify(generated, &keys, unix_now(), 5).unwrap()["exp"].clone();
        let token = signed(&claims);

        sleep(Duration::from_millis((60 + leeway) * 1000 - 500)).await;
        assert_eq!(statuses(&fixture, &token).await, GOOD, "leeway {leeway}");
        sleep(Duration::from_secs(2)).await;
        assert_eq!(statuses(&fixture, &token).await, REFUSED, "leeway {leeway}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_second_key_is_accepted_and_refused_once_it_is_removed() {
    let with = |builder: hub_local::LocalServiceBuilder| Fixture {
        service: builder.build(),
        app: App::silent(),
    };
    let first = signed(&claims());
    let second = token::sign(&claims(), &Secret::from(SECOND)).unwrap();

    let both = with(LocalService::builder().key(KEY).secondary_key(SECOND));
    assert_eq!(statuses(&both, &first).await, GOOD);
    assert_eq!(statuses(&both, &second).await, GOOD);

    let rotated = with(LocalService::builder().key(SECOND));
    assert_eq!(statuses(&rotated, &first).await, REFUSED);
    assert_eq!(statuses(&rotated, &second).await, GOOD);
}

#[tokio::test(start_paused = true)]
async fn a_token_beyond_4096_characters_is_refused_before_it_is_looked_at() {
    let fixture = Fixture::new(App::silent());
    let with_user = |length: usize| {
        let mut claims = claims();
        claims["asrs.s.uid"] = json!("u".repeat(length));
        signed(&claims)
    };
    let fits = (0..4096).rev().find(|length| with_user(*length).len() <= 4096).unwrap();
    assert_eq!(statuses(&fixture, &with_user(fits)).await, GOOD);

    // REST tokens have no limit of their own, but all headers of a request together have one.
    let refused = [413, 413, 413, 413, 202];
    assert_eq!(statuses(&fixture, &with_user(fits + 3)).await, refused);
    let megabyte = with_user(1024 * 1024);
    assert_eq!(statuses(&fixture, &megabyte).await, [413, 413, 413, 413, 431]);
    assert_eq!(statuses(&fixture, &"x".repeat(4097)).await, [413, 413, 413, 413, 401]);

    let url = format!("{URL}/client/?hub=chat");
    let error = fixture.service.connect_memory(&url, &megabyte).unwrap_err();
    assert_eq!(
        error.to_string(),
        "413 Payload Too Large: the access token has more than 4096 characters"
    );
    assert!(fixture.app.calls().is_empty());
}
