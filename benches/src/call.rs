//! One upstream call: the hub that handles it, and its request.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hub_core::{
    Secret,
    seal::{self, Identity, SealKey},
    signature,
};
use hub_runtime::prelude::*;

/// The access key of the app. The request is signed with it too.
pub const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
/// An invocation with two arguments, as the service sends it.
pub const BODY: &str =
    r#"{"type":1,"invocationId":"1000000","target":"add","arguments":[1,"two"]}"#;
/// The app's response to [`BODY`].
pub const ANSWER: &str = "{\"type\":3,\"invocationId\":\"1000000\",\"result\":4}\u{1e}";
/// The first invocation id. All ids have the same number of digits.
const FIRST_ID: u64 = 1_000_000;
/// The path of upstream calls.
pub const PATH: &str = "/runtime/webhooks/signalr";

const CONNECTION: &str = "q1w2e3r4t5y6u7i8o9p0";

/// A hub with one method: two arguments, one filter.
#[derive(Clone, Copy, Debug)]
pub struct Sum;

#[serverless_hub]
impl Sum {
    #[filter(SignedIn)]
    async fn add(&self, left: i64, right: String) -> HubResult<usize> {
        Ok(usize::try_from(left).unwrap_or_default() + right.len())
    }
}

/// Creates the app that handles the call. Its service endpoint does not exist, and the call sends nothing to
/// this endpoint.
///
/// # Errors
/// Returns an error if the app cannot be built.
pub fn app() -> Result<HubApp, Box<dyn std::error::Error>> {
    let text = format!("Endpoint=http://127.0.0.1:1;AccessKey={KEY};Version=1.0;");
    Ok(HubApp::builder().signalr(SignalR::from_connection_string(&text)?).hub(Sum).build()?)
}

/// Returns the headers of the call, with a valid signature and seal.
#[must_use]
pub fn headers() -> Vec<(&'static str, String)> {
    vec![
        ("x-asrs-connection-id", CONNECTION.to_owned()),
        ("x-asrs-hub", "sum".to_owned()),
        ("x-asrs-category", "messages".to_owned()),
        ("x-asrs-event", "add".to_owned()),
        ("x-asrs-user-id", "ada".to_owned()),
        ("x-asrs-user-claims", format!("shub: {}", sealed())),
        ("x-asrs-signature", signature::sign(&Secret::from(KEY), CONNECTION)),
        ("content-type", "application/json".to_owned()),
    ]
}

/// Returns a seal for a user with one claim.
#[must_use]
pub fn sealed() -> String {
    let identity = Identity {
        hub: "sum".to_owned(),
        user_id: Some("ada".to_owned()),
        issued_at: 1_700_000_000,
        claims: [("role".to_owned(), "moderator".to_owned())].into_iter().collect(),
    };
    seal::seal(&identity, &SealKey::derive(&Secret::from(KEY)))
}

/// Returns an unused invocation id. The app does not run a call again if its invocation id was used
/// before.
#[must_use]
pub fn next_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(FIRST_ID);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// Creates the request from [`headers`], with an unused invocation id.
///
/// # Errors
/// Returns an error if a header is invalid. The headers of [`headers`] are valid.
pub fn request(headers: &[(&'static str, String)]) -> http::Result<Request<Full<Bytes>>> {
    let builder = headers
        .iter()
        .fold(Request::post(PATH), |builder, (name, value)| builder.header(*name, value));
    let mut body = BODY.as_bytes().to_vec();
    number(&mut body);
    builder.body(Full::from(body))
}

/// Writes the next invocation id into a body, or into a request that ends with a body.
///
/// # Panics
/// Panics if `call` is shorter than [`BODY`].
#[expect(clippy::expect_used, reason = "this module creates body and request")]
pub fn number(call: &mut [u8]) {
    let id = next_id();
    let at = BODY.find("1000000").expect("the body has an id");
    let begin = call.len().checked_sub(BODY.len()).expect("the call ends with the body") + at;
    call[begin..begin + id.len()].copy_from_slice(id.as_bytes());
}

/// Returns the request as bytes of an HTTP/1.1 connection.
#[must_use]
pub fn on_the_wire() -> Vec<u8> {
    let mut text = format!("POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
    for (name, value) in headers() {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{BODY}", BODY.len()));
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tower_service::Service;

    use super::*;

    #[tokio::test]
    async fn the_app_accepts_the_call_and_responds_like_the_bare_server() {
        let request = request(&headers()).unwrap().map(|_| Full::new(Bytes::from(BODY)));

        let answer = app().unwrap().service().call(request).await.unwrap();

        assert_eq!(answer.status(), 200);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), ANSWER);
    }

    #[test]
    fn a_whole_call_needs_at_most_twelve_allocations() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut service = runtime.block_on(async { app() }).unwrap().service();
        let headers = headers();
        let mut allocations = || {
            let request = request(&headers).unwrap();
            let measured = allocation_counter::measure(|| {
                let answer = runtime.block_on(service.call(request)).unwrap();
                assert_eq!(answer.status(), 200);
            });
            measured.count_total
        };
        // The first calls fill caches and buffers.
        (0..100).for_each(|_| {
            allocations();
        });

        // Eleven, and one with the feature `metrics`.
        assert!(allocations() <= 12, "{}", allocations());
    }
}
