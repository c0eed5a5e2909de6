//! Drives broadcasts by REST: the service is asked to send, no hub method runs.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::Uri;
use hub_core::{Secret, names, token};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower_service::Service as _;

use super::{
    LoadError, Scenario, Shared,
    broadcast::GROUP,
    connect::{Connector, Wire},
    message::{Payloads, rest_body},
    pace::Pace,
    window::Window,
};

const LIFETIME: u64 = 3600;
const API_VERSION: &str = "2022-06-01";
const MAX_HEAD: usize = 16 * 1024;

/// Where sends go, and as whom.
#[derive(Clone)]
pub(super) struct RestTarget {
    url: Uri,
    /// Everything of a request but its body.
    head: Arc<str>,
    connector: Connector,
}

impl RestTarget {
    /// What the connection string says, for this hub.
    pub(super) fn new(
        connection_string: &Secret,
        hub: &str,
        scenario: Scenario,
    ) -> Result<Self, LoadError> {
        let (endpoint, key) = parse(connection_string.expose())?;
        let hub = hub.to_lowercase();
        let hub = names::encode_segment(&hub);
        let group = match scenario {
            Scenario::Group => format!("groups/{GROUP}/"),
            Scenario::Echo | Scenario::Broadcast | Scenario::Idle => String::new(),
        };
        let text = format!("{endpoint}/api/hubs/{hub}/{group}:send");
        let claims = serde_json::json!({ "aud": text, "exp": now() + LIFETIME });
        let bearer = token::sign(&claims, &key).map_err(LoadError::protocol)?;
        let url: Uri = text.parse().map_err(|_| LoadError::Url(text))?;
        let host = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let head = format!(
            "POST {}?api-version={API_VERSION} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {bearer}\r\n\
             content-type: application/json\r\ncontent-length: ",
            url.path()
        );
        Ok(Self { connector: Connector::new(&url)?, head: head.into(), url })
    }
}

/// Sends, one call at a time, until the run stops.
pub(super) async fn drive(target: RestTarget, shared: Arc<Shared>, window: Arc<Window>) {
    if let Err(error) = exchange(target, &shared, &window).await {
        shared.stats.error(error);
    }
}

async fn exchange(
    mut target: RestTarget,
    shared: &Shared,
    window: &Window,
) -> Result<(), LoadError> {
    let wire = target.connector.call(target.url.clone()).await.map_err(LoadError::Connect)?;
    let (mut wire, mut input) = (wire.into_inner(), Vec::new());
    let payloads = Payloads { length: shared.args.payload };
    let mut pace = Pace::new(shared.args.rate);
    loop {
        let numbers = tokio::select! {
            biased;
            () = shared.stop.cancelled() => return Ok(()),
            numbers = pace.next(window, 1) => numbers,
        };
        for number in numbers {
            let body = rest_body(&shared.args.message, payloads, number);
            let mut request = format!("{}{}\r\n\r\n", target.head, body.len()).into_bytes();
            request.extend_from_slice(&body);
            wire.write_all(&request).await.map_err(LoadError::connect)?;
            let status = answer(&mut wire, &mut input).await?;
            if !(200..300).contains(&status) {
                let text = "see the service's log".to_owned();
                return Err(LoadError::Status { what: "a REST send", status, text });
            }
        }
    }
}

/// Reads one answer and returns its status.
async fn answer(wire: &mut Wire, input: &mut Vec<u8>) -> Result<u16, LoadError> {
    loop {
        if let Some(end) = memchr::memmem::find(input, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(input.get(..end).unwrap_or_default()).into_owned();
            let whole = end + 4 + content_length(&head)?;
            if input.len() >= whole {
                input.drain(..whole);
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
                return status.ok_or_else(|| LoadError::protocol("this is no HTTP answer"));
            }
        } else if input.len() > MAX_HEAD {
            return Err(LoadError::protocol("the head of an answer is too long"));
        }
        if wire.read_buf(input).await.map_err(LoadError::connect)? == 0 {
            return Err(LoadError::Closed("the service hung up".to_owned()));
        }
    }
}

fn content_length(head: &str) -> Result<usize, LoadError> {
    let lines = || head.lines().filter_map(|line| line.split_once(':'));
    if lines().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding")) {
        return Err(LoadError::protocol("chunked answers are not understood here"));
    }
    let length = lines().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.map_or(Ok(0), |(_, length)| length.trim().parse().map_err(LoadError::protocol))
}

/// Endpoint, with its port and without a closing slash, and key.
fn parse(text: &str) -> Result<(String, Secret), LoadError> {
    let value = |wanted: &str| {
        let pairs = text.split(';').filter_map(|part| part.split_once('='));
        let mut found = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        found.next().map(|(_, value)| value.trim().trim_end_matches('/').to_owned())
    };
    let missing = |what: &str| LoadError::Arguments(format!("the connection string has no {what}"));
    let endpoint = value("Endpoint").ok_or_else(|| missing("Endpoint"))?;
    let key = value("AccessKey").ok_or_else(|| missing("AccessKey"))?;
    let port = value("Port").map(|port| format!(":{port}")).unwrap_or_default();
    Ok((format!("{endpoint}{port}"), Secret::from(key)))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_names_endpoint_port_and_key() {
        let text = "Endpoint=http://localhost/;Port=8888;AccessKey=a=b==;Version=1.0;";

        let (endpoint, key) = parse(text).unwrap();

        assert_eq!((endpoint.as_str(), key.expose()), ("http://localhost:8888", "a=b=="));
        assert!(parse("AccessKey=x").is_err());
    }

    #[test]
    fn answers_without_a_length_have_no_body() {
        assert_eq!(content_length("HTTP/1.1 202 Accepted\r\nx: y").unwrap(), 0);
        assert_eq!(content_length("HTTP/1.1 400 Bad\r\nContent-Length: 12").unwrap(), 12);
        assert!(content_length("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked").is_err());
    }
}
