//! Sends broadcasts by REST; no hub method runs.

use std::sync::Arc;

use http::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower_service::Service as _;

use super::{Shared, broadcast::GROUP, rate::SendRate, window::Window};
use crate::{
    LoadError, Scenario,
    client::connector::{ByteStream, Connector},
    messages::payload::{Payloads, rest_body},
    rest::{RestClient, VERSION_QUERY},
};

const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Target of the REST calls.
#[derive(Clone)]
pub(crate) struct RestTarget {
    url: Uri,
    /// Head of a request up to the value of `content-length`, formatted once.
    head: Arc<str>,
    connector: Connector,
}

impl RestTarget {
    /// Sends to all clients, or to the group of the scenario.
    pub(crate) fn new(rest: &RestClient, scenario: Scenario) -> Result<Self, LoadError> {
        let text = rest.url(&match scenario {
            Scenario::Group => format!("groups/{GROUP}/:send"),
            _ => ":send".to_owned(),
        });
        let bearer = rest.token(&text)?;
        let url: Uri = text.parse().map_err(|_| LoadError::Url(text))?;
        let host = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let head = format!(
            "POST {}?{} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {bearer}\r\n\
             content-type: application/json\r\ncontent-length: ",
            url.path(),
            VERSION_QUERY
        );
        Ok(Self { connector: Connector::new(&url)?, head: head.into(), url })
    }
}

/// Sends one call at a time until the run stops.
pub(crate) async fn send(target: RestTarget, shared: Arc<Shared>, window: Arc<Window>) {
    if let Err(error) = send_until_stopped(target, &shared, &window).await {
        shared.stats.error(error);
    }
}

async fn send_until_stopped(
    mut target: RestTarget,
    shared: &Shared,
    window: &Window,
) -> Result<(), LoadError> {
    let stream = target.connector.call(target.url.clone()).await.map_err(LoadError::Connect)?;
    let (mut stream, mut input) = (stream.into_inner(), Vec::new());
    let payloads = Payloads { length: shared.args.payload };
    let mut rate = SendRate::new(shared.args.rate);
    loop {
        let numbers = tokio::select! {
            biased;
            () = shared.stop.cancelled() => return Ok(()),
            numbers = rate.next(window, 1) => numbers,
        };
        for number in numbers {
            let body = rest_body(&shared.args.message, payloads, number);
            let mut request = format!("{}{}\r\n\r\n", target.head, body.len()).into_bytes();
            request.extend_from_slice(&body);
            stream.write_all(&request).await.map_err(LoadError::connect)?;
            let status = read_response(&mut stream, &mut input).await?;
            if !(200..300).contains(&status) {
                let text = "see the log of the service".to_owned();
                return Err(LoadError::Status { what: "a REST send", status, text });
            }
        }
    }
}

/// Reads one response and returns its status.
async fn read_response(stream: &mut ByteStream, input: &mut Vec<u8>) -> Result<u16, LoadError> {
    loop {
        if let Some(end) = memchr::memmem::find(input, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(input.get(..end).unwrap_or_default()).into_owned();
            let length = end + 4 + content_length(&head)?;
            if input.len() >= length {
                input.drain(..length);
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
                return status.ok_or_else(|| LoadError::protocol("the response is not HTTP"));
            }
        } else if input.len() > MAX_HEAD_BYTES {
            return Err(LoadError::protocol("the head of a response is too long"));
        }
        if stream.read_buf(input).await.map_err(LoadError::connect)? == 0 {
            return Err(LoadError::Closed("the service closed the connection".to_owned()));
        }
    }
}

fn content_length(head: &str) -> Result<usize, LoadError> {
    let lines = || head.lines().filter_map(|line| line.split_once(':'));
    if lines().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding")) {
        return Err(LoadError::protocol("chunked responses are not supported"));
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
