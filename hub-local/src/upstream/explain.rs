//! Log lines for failed upstream calls, with the failure and advice.

use std::{error::Error, fmt::Write as _, io};

use bytes::Bytes;
use http::StatusCode;
use hub_core::{protocol::Protocol, upstream::MESSAGES};
use hub_net::{
    client::{ResponseError, Unanswered},
    log_limit::{LogLimit, shown, shown_bytes},
};
use tokio::time::Instant;

use super::{Upstream, UpstreamError, guard::RefusedAddress};
use crate::{causes::Cause, inspect::Trouble};

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
    /// When the call began. How long it took is computed for its log line only: few calls have one.
    pub(crate) began: Instant,
}

/// Why a call has failed: `None` if it has not.
pub(crate) fn cause(
    record: CallRecord<'_>,
    upstream: Option<&dyn Upstream>,
    answer: Result<StatusCode, &UpstreamError>,
) -> Option<Cause> {
    match answer {
        Ok(status) if is_fine(status, record.is_invoke) => None,
        Ok(status) => Some(of_status(status, record.content_type)),
        Err(UpstreamError::NoTemplate) if !upstream.is_some_and(Upstream::is_configured) => {
            Some(Cause::NoUpstream)
        }
        Err(error) => Some(of_error(error)),
    }
}

/// Logs the result of a call. Failures are limited per cause, because clients can cause them.
pub(crate) fn log(
    limit: &LogLimit,
    record: CallRecord<'_>,
    upstream: Option<&dyn Upstream>,
    answer: Result<(StatusCode, &Bytes), &UpstreamError>,
) {
    let Some(cause) = cause(record, upstream, answer.map(|(status, _)| status)) else {
        let CallRecord { connection, hub, event, began, .. } = record;
        tracing::debug!(
            connection,
            hub,
            event,
            milliseconds = began.elapsed().as_millis(),
            "upstream call"
        );
        return;
    };
    match answer {
        Ok(answer) => {
            limit.line(cause.id(), |omitted| log_refused(record, upstream, answer, cause, omitted));
        }
        Err(UpstreamError::NoTemplate) => log_unmatched(limit, record, cause),
        Err(error) => limit.line(cause.id(), |omitted| {
            log_failed(record, upstream, error, cause, omitted);
        }),
    }
}

/// The failure of a call for the inspector, if it has failed.
pub(crate) fn trouble(
    record: CallRecord<'_>,
    upstream: Option<&dyn Upstream>,
    answer: Result<StatusCode, &UpstreamError>,
) -> Option<Trouble> {
    let cause = cause(record, upstream, answer)?;
    let text = match answer {
        Ok(status) => format!("status {}", status.as_u16()),
        Err(UpstreamError::NoTemplate) => cause.text().to_owned(),
        Err(error) => with_sources(error),
    };
    Some(Trouble { cause: Some(cause), text: text.into() })
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
    cause: Cause,
    omitted: Option<u64>,
) {
    tracing::warn!(
        connection = record.connection,
        hub = record.hub,
        event = &*shown(record.event),
        url = &*shown(&url(record, upstream)),
        content_type = record.content_type,
        status = status.as_u16(),
        milliseconds = record.began.elapsed().as_millis(),
        answer = shown_bytes(body),
        cause = cause.id(),
        check = cause.check(),
        omitted,
        "upstream call was not accepted"
    );
}

fn log_failed(
    record: CallRecord<'_>,
    upstream: Option<&dyn Upstream>,
    error: &UpstreamError,
    cause: Cause,
    omitted: Option<u64>,
) {
    tracing::warn!(
        connection = record.connection,
        hub = record.hub,
        event = &*shown(record.event),
        url = &*shown(&url(record, upstream)),
        milliseconds = record.began.elapsed().as_millis(),
        error = with_sources(error),
        cause = cause.id(),
        check = cause.check(),
        omitted,
        "upstream call failed"
    );
}

/// Unmatched `connections` events are not warnings: an app may have templates for messages only.
fn log_unmatched(limit: &LogLimit, record: CallRecord<'_>, cause: Cause) {
    let CallRecord { connection, hub, category, event, .. } = record;
    let event = &*shown(event);
    let (text, check) = (cause.text(), cause.check());
    if category == MESSAGES {
        limit.line(text, |omitted| {
            tracing::warn!(
                connection,
                hub,
                category,
                event,
                cause = cause.id(),
                check,
                omitted,
                "{text}"
            );
        });
    } else {
        limit.line(check, |omitted| {
            tracing::info!(
                connection,
                hub,
                category,
                event,
                cause = cause.id(),
                check,
                omitted,
                "{text}"
            );
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

fn of_status(status: StatusCode, content_type: &str) -> Cause {
    match status.as_u16() {
        400 if content_type != Protocol::Json.content_type() => Cause::ContentType,
        300..400 => Cause::Redirect,
        401 => Cause::Unauthorized,
        403 => Cause::Forbidden,
        404 => Cause::NotFound,
        405 => Cause::MethodNotAllowed,
        408 | 504 => Cause::SlowApp,
        413 => Cause::LargeBody,
        415 => Cause::ContentType,
        429 => Cause::Throttled,
        400..500 => Cause::BadRequest,
        502 | 503 => Cause::NotAvailable,
        500..600 => Cause::AppFailed,
        _ => Cause::OtherStatus,
    }
}

fn of_error(error: &UpstreamError) -> Cause {
    match error {
        UpstreamError::Unreachable(error) => of_unreachable(error.as_ref()),
        UpstreamError::TimedOut => Cause::TimedOut,
        UpstreamError::TooLarge => Cause::LargeResponse,
        UpstreamError::Cancelled => Cause::CutResponse,
        UpstreamError::Body(error) => error.downcast_ref().map_or(Cause::CutResponse, of_response),
        UpstreamError::NoTemplate => Cause::NoTemplate,
        UpstreamError::Name(_) => Cause::RefusedName,
    }
}

fn of_response(error: &ResponseError) -> Cause {
    match error {
        ResponseError::Head(_) => Cause::NotHttp,
        ResponseError::Headers | ResponseError::LongHead => Cause::LongHead,
        ResponseError::Status | ResponseError::Length | ResponseError::Chunks(_) => {
            Cause::InvalidResponse
        }
        ResponseError::TooLarge => Cause::LargeResponse,
        ResponseError::Incomplete => Cause::CutResponse,
    }
}

fn of_unreachable(error: &(dyn Error + 'static)) -> Cause {
    match Unanswered::find(error) {
        Some(Unanswered::Kept | Unanswered::Unread) => return Cause::KeptConnection,
        Some(Unanswered::New) => return Cause::NoResponse,
        None => {}
    }
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<RefusedAddress>() {
            return Cause::RefusedAddress;
        }
        if let Some(error) = error.downcast_ref() {
            return of_response(error);
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let inner = error.get_ref().is_some_and(|inner| inner.is::<RefusedAddress>());
            match error.kind() {
                _ if inner => return Cause::RefusedAddress,
                io::ErrorKind::ConnectionRefused => return Cause::ConnectionRefused,
                io::ErrorKind::TimedOut => return Cause::ConnectTimedOut,
                _ => {}
            }
        }
        next = error.source();
    }
    Cause::Unreachable
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hub_net::client::ChunkError;

    use super::*;
    use crate::{HttpUpstream, Template};

    #[test]
    fn only_an_invoke_rejects_other_success_statuses() {
        assert!(is_fine(StatusCode::NO_CONTENT, true));
        assert!(is_fine(StatusCode::ACCEPTED, false));
        assert!(!is_fine(StatusCode::ACCEPTED, true));
        assert!(!is_fine(StatusCode::FOUND, false));
    }

    #[test]
    fn a_messagepack_body_that_the_app_cannot_read_has_the_advice_for_its_content_type() {
        let cause =
            |status, content_type| of_status(StatusCode::from_u16(status).unwrap(), content_type);

        assert_eq!(cause(400, "application/x-msgpack"), Cause::ContentType);
        assert_eq!(cause(415, "application/json"), Cause::ContentType);
        assert_eq!(cause(400, "application/json"), Cause::BadRequest);
        assert!(cause(401, "application/json").check().contains("hex is upper case"));
    }

    #[test]
    fn refused_connections_and_refused_addresses_have_different_advice() {
        let unreachable = |error: io::Error| UpstreamError::Unreachable(Box::new(error));
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let address = io::Error::new(io::ErrorKind::PermissionDenied, RefusedAddress);

        assert_eq!(of_error(&unreachable(refused)), Cause::ConnectionRefused);
        assert_eq!(of_error(&unreachable(address)), Cause::RefusedAddress);
        let literal = UpstreamError::Unreachable(Box::new(RefusedAddress));
        assert_eq!(of_error(&literal), Cause::RefusedAddress);
    }

    #[test]
    fn an_invalid_response_has_its_own_advice() {
        for (error, cause) in [
            (ResponseError::Head("".into()), Cause::NotHttp),
            (ResponseError::Headers, Cause::LongHead),
            (ResponseError::LongHead, Cause::LongHead),
            (ResponseError::Status, Cause::InvalidResponse),
            (ResponseError::Length, Cause::InvalidResponse),
            (ChunkError::End.into(), Cause::InvalidResponse),
            (ResponseError::Incomplete, Cause::CutResponse),
        ] {
            let text = error.to_string();
            assert_eq!(of_error(&UpstreamError::Unreachable(error.into())), cause, "{text}");
        }
        let chunks = ResponseError::from(ChunkError::End);
        assert_eq!(of_error(&UpstreamError::Body(chunks.into())), Cause::InvalidResponse);
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(of_error(&UpstreamError::Body(reset.into())), Cause::CutResponse);
    }

    #[test]
    fn an_event_without_an_upstream_has_other_advice_than_one_without_a_template() {
        let record = CallRecord {
            connection: "c",
            hub: "chat",
            category: MESSAGES,
            event: "m",
            content_type: "application/json",
            is_invoke: true,
            began: Instant::now(),
        };
        let unconfigured = HttpUpstream::with_templates([]);
        let other = Template::new("http://127.0.0.1:7071").unwrap().hubs("other");
        let shared = Arc::new(unconfigured.clone());
        let for_others = HttpUpstream::with_templates([other]);
        let cause = |upstream| cause(record, upstream, Err(&UpstreamError::NoTemplate));

        assert_eq!(cause(None), Some(Cause::NoUpstream));
        assert_eq!(cause(Some(&unconfigured)), Some(Cause::NoUpstream));
        assert_eq!(cause(Some(&shared)), Some(Cause::NoUpstream));
        assert_eq!(cause(Some(&for_others)), Some(Cause::NoTemplate));
    }

    #[test]
    fn errors_are_logged_with_their_sources() {
        let error = UpstreamError::Unreachable(Box::new(io::Error::other("no route")));
        assert_eq!(with_sources(&error), "the upstream cannot be reached: no route");
    }
}
