//! Sends broadcasts by REST, without a hub method.

use std::sync::Arc;

use http::Uri;
use tokio::io::AsyncWriteExt as _;

use super::{Shared, broadcast::GROUP, rate::Rate, window::Window};
use crate::{
    LoadError, Scenario,
    client::connector::{ByteStream, Connector, connect, connector, read_head, read_more},
    messages::payload::{Payloads, rest_body},
    rest::{RestClient, VERSION_QUERY},
};

/// Target of the REST calls.
#[derive(Clone)]
pub(crate) struct RestTarget {
    url: Uri,
    /// Head of a request up to the value of `content-length`, formatted once.
    head: Arc<str>,
    connector: Connector,
}

impl RestTarget {
    /// Creates a target that sends to all clients, or to the group of the scenario.
    pub(crate) fn new(rest: &RestClient, scenario: Scenario) -> Result<Self, LoadError> {
        let text = rest.url(&match scenario {
            Scenario::Group => format!("groups/{GROUP}/:send"),
            _ => ":send".to_owned(),
        });
        let bearer = rest.token(&text)?;
        let url: Uri = text.parse().map_err(|_| LoadError::Url(text))?;
        let host = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let head = format!(
            "POST {}?{} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: ",
            url.path(),
            VERSION_QUERY,
            bearer.expose()
        );
        Ok(Self { connector: connector(&url, None)?, head: head.into(), url })
    }
}

/// Sends one call at a time until the run stops.
pub(crate) async fn send(target: RestTarget, shared: Arc<Shared>, window: Arc<Window>) {
    if let Err(error) = send_until_stopped(target, &shared, &window).await {
        shared.stats.error(error);
    }
}

async fn send_until_stopped(
    target: RestTarget,
    shared: &Shared,
    window: &Window,
) -> Result<(), LoadError> {
    let (mut stream, mut input) = (connect(&target.connector, &target.url).await?, Vec::new());
    let payloads = Payloads { length: shared.args.payload };
    let mut rate = Rate::new(shared.args.rate, 1, 0);
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
    let (status, head) = read_head(stream, input).await?;
    let length = content_length(&head)?;
    while input.len() < length {
        read_more(stream, input).await?;
    }
    input.drain(..length);
    Ok(status)
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
