//! The access key of all test services, and tokens signed with it.

use std::time::SystemTime;

use hub_core::{Secret, token};
use serde_json::{Value, json};

/// The key of the documented signature vectors.
pub const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
/// The signature of the connection id `conn-0001` with [`KEY`].
pub const SIGNATURE: &str =
    "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1";

/// Returns the system time in seconds since 1970.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// Returns a token with these claims, signed with [`KEY`].
#[must_use]
pub fn sign(claims: &Value) -> String {
    token::sign(claims, &Secret::from(KEY)).unwrap()
}

/// Returns a client token as an app's negotiate response contains it, valid for one hour.
#[must_use]
pub fn user_token(key: &str, audience: &str, user: &str) -> String {
    let claims =
        json!({ "aud": audience, "exp": unix_now() + 3600, "asrs.s.uid": user, "role": "r" });
    token::sign(&claims, &Secret::from(key)).unwrap()
}
