//! REST calls of the driver, in every version.

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use hub_local::LocalService;
use serde_json::json;

use super::operations::{To, Version};
use crate::support::{RestResponse, URL, request_to, signed};

/// The expiry times of tokens that never expire in a test, and of expired tokens.
pub(super) const GOOD: u64 = 1 << 40;
pub(super) const STALE: u64 = 1;

/// Calls this path with a token that has this expiry time.
pub(super) async fn call(
    service: &LocalService,
    method: &Method,
    path: &str,
    expiry: u64,
    body: String,
) -> RestResponse {
    let resource = path.split('?').next().unwrap();
    let token = signed(&json!({ "aud": format!("{URL}{resource}"), "exp": expiry }));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json");
    request_to(service, request.body(Full::<Bytes>::from(body)).unwrap()).await
}

/// The path of a resource below a hub, with this query.
pub(super) fn path(version: Version, hub: usize, below: &str, query: &[String]) -> String {
    let (root, version) = match version {
        Version::V1 => ("/api/v1", None),
        Version::Preview2020 => ("/api", Some("2020-10-01")),
        Version::V2022 => ("/api", Some("2022-06-01")),
        Version::V2024 => ("/api", Some("2024-12-01")),
    };
    let version = version.map(|it| format!("api-version={it}"));
    let query: Vec<_> = version.into_iter().chain(query.iter().cloned()).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let below = if below.is_empty() { String::new() } else { format!("/{below}") };
    format!("{root}/hubs/h{hub}{below}{query}")
}

/// The resource of an audience. `id` is the connection id.
pub(super) fn resource(to: To, id: &str) -> String {
    match to {
        To::Everyone => String::new(),
        To::Group(group) => format!("groups/g{group}"),
        To::User(user) => format!("users/u{user}"),
        To::Slot(_) => format!("connections/{id}"),
    }
}

/// The path of an action. In v1, a POST to the resource itself sends a message.
pub(super) fn verb(version: Version, resource: &str, verb: &str) -> String {
    match (version, verb, resource) {
        (Version::V1, ":send", resource) => resource.to_owned(),
        (_, verb, "") => verb.to_owned(),
        (_, verb, resource) => format!("{resource}/{verb}"),
    }
}

// The functions below return the statuses that differ between API versions, as in the swagger files.

pub(super) fn closed_connection(version: Version, is_there: bool) -> u16 {
    match (version, is_there) {
        (Version::V1, _) => 202,
        (_, true) => 200,
        (_, false) => 404,
    }
}

pub(super) fn added_user(version: Version) -> u16 {
    match version {
        Version::V1 | Version::Preview2020 => 202,
        Version::V2022 | Version::V2024 => 200,
    }
}

pub(super) fn removed_user(version: Version) -> u16 {
    match version {
        Version::V1 => 202,
        Version::Preview2020 => 200,
        Version::V2022 | Version::V2024 => 204,
    }
}

pub(super) fn removed_user_from_all(version: Version) -> u16 {
    match version {
        Version::V1 | Version::Preview2020 => 200,
        Version::V2022 | Version::V2024 => 204,
    }
}
