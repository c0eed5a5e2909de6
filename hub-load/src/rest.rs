//! Drives broadcasts by REST: the service is asked to send, no hub method runs.

use std::sync::Arc;

use http::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower_service::Service as _;

use crate::{
    LoadError, Scenario, Shared,
    broadcast::GROUP,
    connect::{Connector, Wire},
    message::{Payloads, rest_body},
    pace::Pace,
    service::{Service, versioned},
    window::Window,
};

const MAX_HEAD: usize = 16 * 1024;

/// Where sends go, and as whom.
#[derive(Clone)]
pub(crate) struct RestTarget {
    url: Uri,
    /// Everything of a request but its body.
    head: Arc<str>,
    connector: Connector,
}

impl RestTarget {
    /// Sends to everyone, or to the group of the scenario.
    pub(crate) fn new(service: &Service, scenario: Scenario) -> Result<Self, LoadError> {
        let text = service.url(&match scenario {
            Scenario::Group => format!("groups/{GROUP}/:send"),
            _ => ":send".to_owned(),
        });
        let bearer = service.token(&text)?;
        let url: Uri = text.parse().map_err(|_| LoadError::Url(text))?;
        let host = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let head = format!(
            "POST {}?{} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {bearer}\r\n\
             content-type: application/json\r\ncontent-length: ",
            url.path(),
            versioned()
        );
        Ok(Self { connector: Connector::new(&url)?, head: head.into(), url })
    }
}

/// Sends, one call at a time, until the run stops.
pub(crate) async fn drive(target: RestTarget, shared: Arc<Shared>, window: Arc<Window>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_without_a_length_have_no_body() {
        assert_eq!(content_length("HTTP/1.1 202 Accepted\r\nx: y").unwrap(), 0);
        assert_eq!(content_length("HTTP/1.1 400 Bad\r\nContent-Length: 12").unwrap(), 12);
        assert!(content_length("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked").is_err());
    }
}
