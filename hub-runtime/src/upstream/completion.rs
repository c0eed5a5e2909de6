//! The responses to upstream calls.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use hub_core::{
    Category, ErrorKind, HubError, Reply,
    protocol::{Message, Outcome, Protocol},
};
use hub_net::log_limit::LogLimit;

use crate::answer::{self, ErrorDetail, Refusal};

/// The response to a call that ran or was refused.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A framed completion in the client's protocol. The service forwards it unchanged to the client.
    Completion(Bytes),
    /// A status without a body.
    Empty(StatusCode),
}

impl Answer {
    /// The response. `headers` is the map of the request, or an empty map: its memory is used again.
    pub(crate) fn into_response(
        self,
        protocol: Protocol,
        mut headers: HeaderMap,
    ) -> Response<Bytes> {
        headers.clear();
        let (frame, status) = match self {
            Self::Completion(frame) => {
                let content_type = http::HeaderValue::from_static(protocol.content_type());
                headers.insert(http::header::CONTENT_TYPE, content_type);
                (frame, StatusCode::OK)
            }
            Self::Empty(status) => (Bytes::new(), status),
        };
        let mut answer = Response::new(frame);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        answer
    }
}

/// A framed completion in the client's protocol.
pub(crate) fn completion(protocol: Protocol, invocation_id: &str, outcome: Outcome) -> Answer {
    let message = Message::Completion { invocation_id: invocation_id.to_owned(), outcome };
    Answer::Completion(protocol.encode(&message))
}

/// The response to a call that ran, or that a filter or an invalid argument refused. A `connected` that fails
/// is not answered here: see [`Refused`](super::refused::Refused).
pub(crate) fn outcome(
    category: Category,
    protocol: Protocol,
    invocation_id: Option<&str>,
    result: Result<Reply, HubError>,
    detail: ErrorDetail,
) -> Answer {
    match (category, invocation_id) {
        (Category::Message, Some(id)) => match result {
            Ok(Reply::Completion(framed)) => Answer::Completion(framed),
            Ok(_) => completion(protocol, id, Outcome::Void),
            Err(error) => completion(protocol, id, Outcome::Error(shown(&error, detail))),
        },
        (Category::Connected | Category::Disconnected | Category::Refreshed, _) => {
            if let Err(error) = result {
                answer::log(&error, None, None);
            }
            Answer::Empty(StatusCode::OK)
        }
        (Category::Message, None) => match result {
            Ok(_) => Answer::Empty(StatusCode::OK),
            Err(error) => {
                answer::log(&error, None, None);
                Answer::Empty(refusal_status(&error).unwrap_or_default())
            }
        },
    }
}

/// The response to a call whose outcome cannot be logged: a `tracing` subscriber panics.
pub(super) fn unlogged(category: Category, protocol: Protocol, id: Option<&str>) -> Answer {
    match (category, id) {
        (Category::Message, Some(id)) => {
            completion(protocol, id, Outcome::Error(answer::INTERNAL.to_owned()))
        }
        _ => Answer::Empty(StatusCode::OK),
    }
}

/// Refuses a call that failed a check before it ran.
pub(super) fn refuse(log: &LogLimit, status: StatusCode, text: &'static str) -> Refusal {
    log.line(text, |omitted| {
        tracing::warn!(status = status.as_u16(), text, omitted, "upstream call refused");
    });
    Box::new(answer::text(status, text))
}

/// Logs an error and returns the text for the client.
fn shown(error: &HubError, detail: ErrorDetail) -> String {
    let text = answer::client_text(error, detail);
    match refusal_status(error) {
        // The form of ASP.NET Core's status line: `403 Forbidden: ` and the text.
        Some(status) => format!("{status}: {text}"),
        None => text,
    }
}

/// The status of a refusal; `None` for other errors. Every error of a filter is a refusal.
fn refusal_status(error: &HubError) -> Option<StatusCode> {
    match error.kind() {
        ErrorKind::Throttled => Some(StatusCode::TOO_MANY_REQUESTS),
        _ if error.is_refusal() || error.refused_by().is_some() => Some(StatusCode::FORBIDDEN),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::INTERNAL;

    fn answered(
        category: Category,
        id: Option<&str>,
        result: Result<Reply, HubError>,
    ) -> (u16, String) {
        let answer = outcome(category, Protocol::Json, id, result, ErrorDetail::default());
        let answer = answer.into_response(Protocol::Json, HeaderMap::new());
        (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap())
    }

    #[test]
    fn an_invoke_is_answered_with_a_framed_completion() {
        let framed = "{\"type\":3,\"invocationId\":\"7\",\"result\":42}\u{1e}";
        let value = Ok(Reply::Completion(Bytes::from_static(framed.as_bytes())));

        assert_eq!(answered(Category::Message, Some("7"), value), (200, framed.to_owned()));
        assert_eq!(
            answered(Category::Message, Some("7"), Ok(Reply::Void)),
            (200, "{\"type\":3,\"invocationId\":\"7\"}\x1e".to_owned())
        );
    }

    #[test]
    fn a_response_has_no_header_of_its_request() {
        let mut request = HeaderMap::new();
        for (name, value) in [("x-asrs-signature", "secret"), ("content-type", "text/plain")] {
            request.append(name, http::HeaderValue::from_static(value));
        }

        let answer =
            Answer::Completion(Bytes::new()).into_response(Protocol::Json, request.clone());
        let empty = Answer::Empty(StatusCode::FORBIDDEN).into_response(Protocol::Json, request);

        assert_eq!((answer.headers().len(), empty.headers().len()), (1, 0));
        assert_eq!(answer.headers()["content-type"], "application/json");
    }

    #[test]
    fn an_empty_error_text_is_replaced_because_clients_read_it_as_success() {
        let empty = answered(Category::Message, Some("7"), Err(HubError::rejected("")));

        let text = "the method failed without an error text";
        let completion =
            format!("{{\"type\":3,\"invocationId\":\"7\",\"error\":\"{text}\"}}\u{1e}");
        assert_eq!(empty, (200, completion));
    }

    #[cfg(feature = "msgpack")]
    #[test]
    fn a_completion_is_framed_in_the_protocol_of_the_caller() {
        let of = |result| {
            let detail = ErrorDetail::default();
            outcome(Category::Message, Protocol::MessagePack, Some("7"), result, detail)
                .into_response(Protocol::MessagePack, HeaderMap::new())
        };

        let void = of(Ok(Reply::Void));
        assert_eq!(&void.body()[..], b"\x06\x94\x03\x80\xa17\x02");
        assert_eq!(void.headers()["content-type"], "application/x-msgpack");
        let error = of(Err(HubError::rejected("boom")));
        assert_eq!(&error.body()[..], b"\x0b\x95\x03\x80\xa17\x01\xa4boom");
        let empty = of(Err(HubError::rejected("")));
        assert_eq!(
            &empty.body()[..],
            b"\x2f\x95\x03\x80\xa17\x01\xd9\x27the method failed without an error text"
        );
    }

    #[test]
    fn a_failed_invoke_is_a_200_with_the_client_text() {
        let rejected = answered(Category::Message, Some("7"), Err(HubError::rejected("boom")));
        let denied = answered(Category::Message, Some("7"), Err(HubError::denied("no")));
        let internal =
            answered(Category::Message, Some("7"), Err(HubError::internal("database password")));

        assert_eq!(
            rejected,
            (200, "{\"type\":3,\"invocationId\":\"7\",\"error\":\"boom\"}\x1e".to_owned())
        );
        assert!(denied.1.contains("403 Forbidden: no"));
        assert_eq!(internal.0, 200);
        assert!(internal.1.contains(INTERNAL) && internal.1.contains("error id "));
        assert!(!internal.1.contains("password"));
    }

    #[test]
    fn statuses_follow_the_table_for_sends_and_disconnected() {
        let send = |error| answered(Category::Message, None, Err(error)).0;
        let disconnected = |error| answered(Category::Disconnected, None, Err(error)).0;

        assert_eq!(send(HubError::rejected("x")), 200);
        assert_eq!(send(HubError::denied("x")), 403);
        assert_eq!(send(HubError::unauthenticated("x")), 403);
        assert_eq!(send(HubError::throttled(std::time::Duration::ZERO)), 429);
        assert_eq!(send(HubError::internal("x")), 200);
        assert_eq!(disconnected(HubError::denied("x")), 200);
    }
}
