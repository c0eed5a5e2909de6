//! Log lines for failed upstream calls, with the failure and advice.

use std::{error::Error, fmt::Write as _, io, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use hub_core::{protocol::Protocol, upstream::MESSAGES};
use hub_net::{
    client::{ResponseError, Unanswered},
    log_limit::{LogLimit, shown, shown_bytes},
};

use super::{Upstream, UpstreamError, guard::RefusedAddress};

/// A call, for the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallRecord<'a> {
    pub(crate) connection: &'a str,
    pub(crate) hub: &'a str,
    pub(crate) category: &'static str,
    pub(crate) event: &'a str,
    /// The content type of the request.
    pub(crate) content_type: &'static str,
    /// Whether the client expects a completion; statuses other than 200 and 204 are then errors.
    pub(crate) is_invoke: bool,
    pub(crate) took: Duration,
}

const CHECK_CONTENT_TYPE: &str =
    "that the app reads this content type; MessagePack clients send application/x-msgpack";

const REFUSED_ADDRESS: &str = "the host of the URL: link-local and metadata addresses are refused";
const CLOSED_EARLY: &str =
    "the log of the app: the app closed the connection before the end of the response";
const LARGE_RESULT: &str = "the size of the result: send large results as messages";

/// Logs the result of a call. Failures are limited per advice, because clients can cause them.
pub(crate) fn log(
    limit: &LogLimit,
    record: CallRecord<'_>,
    upstream: Option<&dyn Upstream>,
    answer: Result<(StatusCode, &Bytes), &UpstreamError>,
) {
    match answer {
        Ok((status, _)) if is_fine(status, record.is_invoke) => {
            let CallRecord { connection, hub, event, took, .. } = record;
            let milliseconds = took.as_millis();
            tracing::debug!(connection, hub, event, milliseconds, "upstream call");
        }
        Ok(answer) => {
            let check = check_status(answer.0, record.content_type);
            limit.line(check, |omitted| log_refused(record, upstream, answer, check, omitted));
        }
        Err(UpstreamError::NoTemplate) => log_unmatched(limit, record, upstream),
        Err(error) => limit.line(check_error(error), |omitted| {
            log_failed(record, upstream, error, omitted);
        }),
    }
}

fn is_fine(status: StatusCode, is_invoke: bool) -> bool {
    match status {
        StatusCode::OK | StatusCode::NO_CONTENT => true,
        status => status.is_success() && !is_invoke,
    }
}

fn log_refused(
    record: CallRecord<'_>,
    upstream: Option<&dyn Upstream>,
    (status, body): (StatusCode, &Bytes),
    check: &'static str,
    omitted: Option<u64>,
) {
    tracing::warn!(
        connection = record.connection,
        hub = record.hub,
        event = &*shown(record.event),
        url = &*shown(&url(record, upstream)),
        content_type = record.content_type,
        status = status.as_u16(),
        milliseconds = record.took.as_millis(),
        answer = shown_bytes(body),
        check,
        omitted,
        "upstream call was not accepted"
    );
}

fn log_failed(
    record: CallRecord<'_>,
    upstream: Option<&dyn Upstream>,
    error: &UpstreamError,
    omitted: Option<u64>,
) {
    tracing::warn!(
        connection = record.connection,
        hub = record.hub,
        event = &*shown(record.event),
        url = &*shown(&url(record, upstream)),
        milliseconds = record.took.as_millis(),
        error = with_sources(error),
        check = check_error(error),
        omitted,
        "upstream call failed"
    );
}

/// Unmatched `connections` events are not warnings: an app may have templates for messages only.
fn log_unmatched(limit: &LogLimit, record: CallRecord<'_>, upstream: Option<&dyn Upstream>) {
    let CallRecord { connection, hub, category, event, .. } = record;
    let event = &*shown(event);
    let (text, check) = match upstream {
        Some(_) => (
            "no upstream template matches this event",
            "the patterns of the templates; categories and events are case-sensitive",
        ),
        None => ("no upstream is configured for this event", "whether an upstream is configured"),
    };
    if category == MESSAGES {
        limit.line(text, |omitted| {
            tracing::warn!(connection, hub, category, event, check, omitted, "{text}");
        });
    } else {
        limit.line(check, |omitted| {
            tracing::info!(connection, hub, category, event, check, omitted, "{text}");
        });
    }
}

fn url(record: CallRecord<'_>, upstream: Option<&dyn Upstream>) -> String {
    upstream
        .and_then(|upstream| upstream.address(record.hub, record.category, record.event))
        .unwrap_or_else(|| "in this process".to_owned())
}

fn with_sources(error: &UpstreamError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

/// Advice on what to check. Must be consistent with the table in the README.
fn check_status(status: StatusCode, content_type: &str) -> &'static str {
    match status.as_u16() {
        400 if content_type != Protocol::Json.content_type() => CHECK_CONTENT_TYPE,
        300..400 => "the URL: redirects are not followed; configure the final URL",
        401 => {
            "that the app's connection string has this service's key, the `code` in the URL, and an app's own check of the signature: its hex is upper case, so compare the bytes"
        }
        403 => {
            "the logs of the app and of proxies: a filter, `connected` or a proxy refused the client"
        }
        404 => "the path of the URL, and that the app has this hub and event (case, spelling)",
        405 => "that the path of the URL accepts POST",
        408 | 504 => "why the app or a proxy in front of it is slow",
        413 => "the body limits of the app and of proxies in front of it",
        429 => "the rate limit of the app: the client calls too often",
        415 => CHECK_CONTENT_TYPE,
        400..500 => "the response: the app refused the request",
        502 | 503 => "that the app runs behind its proxy, and is not stopping or overloaded",
        500..600 => "the log of the app: the app failed",
        _ => "the response: an invoke requires status 200 or 204",
    }
}

fn check_error(error: &UpstreamError) -> &'static str {
    match error {
        UpstreamError::Unreachable(error) => check_unreachable(error.as_ref()),
        UpstreamError::TimedOut => {
            "whether something blocks the app, such as a breakpoint or a lock"
        }
        UpstreamError::TooLarge => LARGE_RESULT,
        UpstreamError::Cancelled => CLOSED_EARLY,
        UpstreamError::Body(error) => match error.downcast_ref() {
            Some(error) => check_response(error),
            None => CLOSED_EARLY,
        },
        UpstreamError::NoTemplate => "the patterns of the templates",
        UpstreamError::Name(_) => "the method name that the client called",
    }
}

fn check_response(error: &ResponseError) -> &'static str {
    match error {
        ResponseError::Head(_) => {
            "host, port and scheme of the URL: what responds there does not speak HTTP/1.1"
        }
        ResponseError::Headers | ResponseError::LongHead => {
            "the headers that the app, or a proxy in front of it, adds to the response"
        }
        ResponseError::Status | ResponseError::Length | ResponseError::Chunks(_) => {
            "the server of the app, and proxies in front of it: the response is not valid HTTP/1.1"
        }
        ResponseError::TooLarge => LARGE_RESULT,
        ResponseError::Incomplete => CLOSED_EARLY,
    }
}

fn check_unreachable(error: &(dyn Error + 'static)) -> &'static str {
    match Unanswered::find(error) {
        Some(Unanswered::Kept | Unanswered::Unread) => {
            return "the keep-alive timeout and the log of the app: the call may have run";
        }
        Some(Unanswered::New) => {
            return "the log of the app: the app closed the connection without a response";
        }
        None => {}
    }
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<RefusedAddress>() {
            return REFUSED_ADDRESS;
        }
        if let Some(error) = error.downcast_ref() {
            return check_response(error);
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let inner = error.get_ref().is_some_and(|inner| inner.is::<RefusedAddress>());
            match error.kind() {
                _ if inner => return REFUSED_ADDRESS,
                io::ErrorKind::ConnectionRefused => {
                    return "that the app runs, and listens on the port of the URL";
                }
                io::ErrorKind::TimedOut => return "the host and port of the URL, and firewalls",
                _ => {}
            }
        }
        next = error.source();
    }
    "that the app runs, and that host, port and scheme of the URL are right"
}

#[cfg(test)]
mod tests {
    use hub_net::client::ChunkError;

    use super::*;

    #[test]
    fn only_an_invoke_rejects_other_success_statuses() {
        assert!(is_fine(StatusCode::NO_CONTENT, true));
        assert!(is_fine(StatusCode::ACCEPTED, false));
        assert!(!is_fine(StatusCode::ACCEPTED, true));
        assert!(!is_fine(StatusCode::FOUND, false));
    }

    #[test]
    fn a_messagepack_body_that_the_app_cannot_read_has_the_advice_for_its_content_type() {
        let check = |status, content_type| {
            check_status(StatusCode::from_u16(status).unwrap(), content_type)
        };

        assert_eq!(check(400, "application/x-msgpack"), CHECK_CONTENT_TYPE);
        assert_eq!(check(415, "application/json"), CHECK_CONTENT_TYPE);
        assert!(check(400, "application/json").starts_with("the response"));
        assert!(check(401, "application/json").contains("hex is upper case"));
    }

    #[test]
    fn refused_connections_and_refused_addresses_have_different_advice() {
        let unreachable = |error: io::Error| UpstreamError::Unreachable(Box::new(error));
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let address = io::Error::new(io::ErrorKind::PermissionDenied, RefusedAddress);

        assert!(check_error(&unreachable(refused)).contains("listens on the port"));
        assert!(check_error(&unreachable(address)).contains("metadata"));
        let literal = UpstreamError::Unreachable(Box::new(RefusedAddress));
        assert!(check_error(&literal).contains("metadata"));
    }

    #[test]
    fn an_invalid_response_has_its_own_advice() {
        for (error, advice) in [
            (ResponseError::Head("".into()), "does not speak HTTP/1.1"),
            (ResponseError::Headers, "the headers that the app"),
            (ResponseError::LongHead, "the headers that the app"),
            (ResponseError::Status, "not valid HTTP/1.1"),
            (ResponseError::Length, "not valid HTTP/1.1"),
            (ChunkError::End.into(), "not valid HTTP/1.1"),
            (ResponseError::Incomplete, "closed the connection before the end"),
        ] {
            let text = error.to_string();
            let before = check_error(&UpstreamError::Unreachable(error.into()));
            assert!(before.contains(advice), "{text}: {before}");
        }
        let chunks = ResponseError::from(ChunkError::End);
        assert!(check_error(&UpstreamError::Body(chunks.into())).contains("not valid HTTP/1.1"));
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(check_error(&UpstreamError::Body(reset.into())), CLOSED_EARLY);
    }

    #[test]
    fn errors_are_logged_with_their_sources() {
        let error = UpstreamError::Unreachable(Box::new(io::Error::other("no route")));
        assert_eq!(with_sources(&error), "the upstream cannot be reached: no route");
    }
}
