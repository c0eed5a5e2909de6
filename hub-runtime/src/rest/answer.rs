//! Interprets the responses of the service.

use bytes::Bytes;
use http::{Response, StatusCode};
use hub_core::{
    InvokeError, Secret, SendError,
    outbound::{Change, CloseTarget, Member, MemberPage},
    protocol::error_text,
    rest_error,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{refresh::RefreshAnswer, retry_after::retry_after};
use crate::auth::SigningKey;

const NO_REFRESH: &str =
    "this service cannot refresh the authentication of connections (POST …/:refreshAuth)";
const NO_CONNECTION: [&str; 2] = [rest_error::CONNECTION_NOT_FOUND, rest_error::NO_CONNECTION];
/// Longer error texts, such as an HTML page of a proxy, are cut off.
const MAX_TEXT_CHARS: usize = 500;

/// Whether the service accepted a message.
pub(crate) fn accepted(answer: &Response<Bytes>, now: u64) -> Result<(), SendError> {
    if answer.status().is_success() { Ok(()) } else { Err(failure(answer, now)) }
}

/// Whether a change was made; `false` if its connection does not exist.
pub(crate) fn changed(
    change: &Change,
    answer: &Response<Bytes>,
    now: u64,
) -> Result<bool, SendError> {
    if let Change::Refresh { .. } = change {
        return match refreshed(answer, now)? {
            RefreshAnswer::Refreshed { .. } => Ok(true),
            RefreshAnswer::NoConnection => Ok(false),
            RefreshAnswer::OtherUser => Err(failure(answer, now)),
            RefreshAnswer::Unsupported => {
                let (status, message) = (answer.status().as_u16(), NO_REFRESH.to_owned());
                Err(SendError::Rejected { status, code: None, message })
            }
        };
    }
    let connection_may_be_gone = matches!(
        change,
        Change::JoinGroup { .. }
            | Change::LeaveGroup { .. }
            | Change::LeaveAllGroups { .. }
            | Change::Close { whom: CloseTarget::Connection(_), .. }
    );
    if connection_may_be_gone && has_code(answer, &NO_CONNECTION) {
        return Ok(false);
    }
    accepted(answer, now).map(|()| true)
}

/// The answer to the refresh of a connection.
pub(crate) fn refreshed(answer: &Response<Bytes>, now: u64) -> Result<RefreshAnswer, SendError> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Refreshed {
        connection_id: Option<String>,
    }
    match answer.status() {
        status if status.is_success() => {
            let Refreshed { connection_id } =
                serde_json::from_slice(answer.body()).unwrap_or_default();
            Ok(RefreshAnswer::Refreshed { connection_id })
        }
        StatusCode::FORBIDDEN if code(answer) == Some(rest_error::OTHER_USER) => {
            Ok(RefreshAnswer::OtherUser)
        }
        _ if has_code(answer, &NO_CONNECTION) => Ok(RefreshAnswer::NoConnection),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            Ok(RefreshAnswer::Unsupported)
        }
        _ => Err(failure(answer, now)),
    }
}

/// The temporary key that signs client tokens.
pub(crate) fn signing_key(answer: &Response<Bytes>, now: u64) -> Result<SigningKey, SendError> {
    #[derive(Deserialize)]
    struct Key {
        #[serde(alias = "AccessKey", alias = "accessKey")]
        access_key: String,
        #[serde(alias = "KeyId", alias = "keyId")]
        key_id: String,
    }
    let Key { access_key, key_id } = json(answer, now)?;
    Ok(SigningKey { key: Secret::from(access_key), id: key_id })
}

/// A client token that the service generated.
pub(crate) fn client_token(answer: &Response<Bytes>, now: u64) -> Result<String, SendError> {
    #[derive(Deserialize)]
    struct Token {
        token: String,
    }
    json(answer, now).map(|Token { token }| token)
}

fn json<T: DeserializeOwned>(answer: &Response<Bytes>, now: u64) -> Result<T, SendError> {
    accepted(answer, now)?;
    serde_json::from_slice(answer.body()).map_err(|error| SendError::Malformed(Box::new(error)))
}

/// `true` for a success, `false` for the error code `no`. Any other 404 is an error; for example, the URL is
/// wrong.
pub(crate) fn yes_or_no(answer: &Response<Bytes>, no: &str, now: u64) -> Result<bool, SendError> {
    if has_code(answer, &[no]) {
        return Ok(false);
    }
    accepted(answer, now).map(|()| true)
}

/// The encoded result of a client.
pub(crate) fn client_result(answer: &Response<Bytes>, now: u64) -> Result<Bytes, InvokeError> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        result: Option<&'a RawValue>,
    }
    match answer.status() {
        StatusCode::OK => {
            let envelope: Envelope<'_> = serde_json::from_slice(answer.body())
                .map_err(|error| InvokeError::Decode(Box::new(error)))?;
            let result = envelope.result.map_or("null", RawValue::get);
            Ok(Bytes::copy_from_slice(result.as_bytes()))
        }
        StatusCode::NOT_FOUND if has_code(answer, &NO_CONNECTION) => {
            Err(InvokeError::ConnectionGone)
        }
        StatusCode::BAD_REQUEST => Err(InvokeError::Client(error_text(&text(answer)).to_owned())),
        _ => Err(failure_of_newest(answer, "client results", now).into()),
    }
}

/// A page of a group's connections.
pub(crate) fn member_page(answer: &Response<Bytes>, now: u64) -> Result<MemberPage, SendError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        #[serde(default)]
        value: Vec<Entry>,
        next_link: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        connection_id: String,
        user_id: Option<String>,
    }
    if !answer.status().is_success() {
        return Err(failure_of_newest(answer, "lists of the members of a group", now));
    }
    let page: Page = serde_json::from_slice(answer.body())
        .map_err(|error| SendError::Malformed(Box::new(error)))?;
    let members =
        page.value.into_iter().map(|entry| Member::new(entry.connection_id, entry.user_id));
    let continuation = page.next_link.as_deref().and_then(continuation_token);
    Ok(MemberPage::new(members.collect(), continuation))
}

fn continuation_token(link: &str) -> Option<String> {
    let (_, query) = link.split_once('?')?;
    hub_core::Query::parse(query).get("continuationToken").map(str::to_owned)
}

fn has_code(answer: &Response<Bytes>, codes: &[&str]) -> bool {
    answer.status() == StatusCode::NOT_FOUND
        && answer.headers().get(rest_error::CODE).is_some_and(|held| {
            codes.iter().any(|code| held.as_bytes().eq_ignore_ascii_case(code.as_bytes()))
        })
}

fn code(answer: &Response<Bytes>) -> Option<&str> {
    answer.headers().get(rest_error::CODE)?.to_str().ok()
}

fn failure(answer: &Response<Bytes>, now: u64) -> SendError {
    match answer.status() {
        StatusCode::NOT_FOUND if has_code(answer, &NO_CONNECTION) => SendError::ConnectionGone,
        StatusCode::TOO_MANY_REQUESTS => {
            SendError::Throttled { retry_after: retry_after(answer, now) }
        }
        status => {
            let code = code(answer).filter(|code| !code.is_empty()).map(excerpt);
            SendError::Rejected { status: status.as_u16(), code, message: text(answer) }
        }
    }
}

/// The failure of an operation of the newest version of the REST API, which older services do not have. Microsoft's
/// emulator responds with an empty 404.
fn failure_of_newest(answer: &Response<Bytes>, operation: &str, now: u64) -> SendError {
    match failure(answer, now) {
        SendError::Rejected { status: 404, code: None, message } if message.is_empty() => {
            let message = format!("this service has no {operation} (REST 2024-12-01)");
            SendError::Rejected { status: 404, code: None, message }
        }
        failure => failure,
    }
}

/// The message of an error body, or the beginning of a body in another format.
fn text(answer: &Response<Bytes>) -> String {
    #[derive(Deserialize)]
    struct Detail {
        message: Option<String>,
    }
    if let Ok(Detail { message: Some(message) }) = serde_json::from_slice(answer.body()) {
        return excerpt(&message);
    }
    excerpt(&String::from_utf8_lossy(answer.body()))
}

fn excerpt(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use hub_core::SendErrorKind;

    use super::*;

    fn answer(status: u16, code: &str, body: &'static str) -> Response<Bytes> {
        let built = Response::builder().status(status).header(rest_error::CODE, code);
        built.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    #[test]
    fn a_404_means_absent_only_with_the_expected_code() {
        let no = "Warning.User.NotExisted";

        assert!(!yes_or_no(&answer(404, "warning.user.notexisted", ""), no, 0).unwrap());
        assert!(yes_or_no(&answer(404, "", ""), no, 0).is_err());
        assert!(yes_or_no(&answer(200, "", ""), no, 0).unwrap());
    }

    #[test]
    fn joining_with_an_ended_connection_is_not_an_error() {
        let join = Change::JoinGroup { connection_id: "c".to_owned(), group: "g".to_owned() };

        assert!(changed(&join, &answer(404, "Error.Connection.NotExisted", ""), 0).is_ok());
        assert!(changed(&join, &answer(404, "", ""), 0).is_err());
    }

    #[test]
    fn a_client_result_keeps_its_bytes() {
        let result = client_result(&answer(200, "", r#"{"result":1.10}"#), 0).unwrap();

        assert_eq!(&result[..], b"1.10");
        assert_eq!(&client_result(&answer(200, "", "{}"), 0).unwrap()[..], b"null");
    }

    #[test]
    fn an_operation_that_an_older_service_lacks_is_named() {
        let unknown = answer(404, "", "");

        let error = client_result(&unknown, 0).unwrap_err().to_string();
        assert!(
            error.ends_with("(404): this service has no client results (REST 2024-12-01)"),
            "{error}"
        );
        let error = member_page(&unknown, 0).unwrap_err().to_string();
        assert!(
            error.ends_with("has no lists of the members of a group (REST 2024-12-01)"),
            "{error}"
        );
        let page = client_result(&answer(404, "", "a page of a proxy"), 0).unwrap_err().to_string();
        assert!(page.ends_with("(404): a page of a proxy"), "{page}");
    }

    #[test]
    fn the_answers_to_a_refresh_are_told_apart() {
        let refreshed = |status, code, body| refreshed(&answer(status, code, body), 0);
        let done =
            |id: Option<&str>| RefreshAnswer::Refreshed { connection_id: id.map(str::to_owned) };

        let with_id = r#"{"connectionId":"c1","claims":[]}"#;
        assert_eq!(refreshed(200, "", with_id).unwrap(), done(Some("c1")));
        assert_eq!(refreshed(200, "", "[]").unwrap(), done(None));
        assert_eq!(refreshed(403, rest_error::OTHER_USER, "").unwrap(), RefreshAnswer::OtherUser);
        // A missing role, or a firewall.
        let forbidden = refreshed(403, "", "").unwrap_err();
        assert_eq!(forbidden.kind(), SendErrorKind::Credentials);
        let gone = refreshed(404, rest_error::NO_CONNECTION, "").unwrap();
        assert_eq!(gone, RefreshAnswer::NoConnection);
        for status in [404, 405, 501] {
            assert_eq!(refreshed(status, "", "").unwrap(), RefreshAnswer::Unsupported, "{status}");
        }
        assert!(refreshed(500, "", "").is_err());
    }

    #[test]
    fn a_change_of_claims_that_the_service_lacks_is_named() {
        let negotiation = hub_core::Negotiation::anonymous();
        let change = Change::Refresh { connection_id: "c".to_owned(), negotiation };

        let error = changed(&change, &answer(404, "", ""), 0).unwrap_err().to_string();

        assert!(
            error.ends_with(
                "cannot refresh the authentication of connections (POST …/:refreshAuth)"
            )
        );
        assert!(!changed(&change, &answer(404, rest_error::NO_CONNECTION, ""), 0).unwrap());
        let other = changed(&change, &answer(403, rest_error::OTHER_USER, "no"), 0).unwrap_err();
        assert!(matches!(other, SendError::Rejected { status: 403, .. }));
    }

    #[test]
    fn the_next_link_carries_the_continuation() {
        let page = member_page(&answer(
            200,
            "",
            r#"{"value":[{"connectionId":"c1","userId":"ada"},{"connectionId":"c2"}],"nextLink":"https://x/y?api-version=1&continuationToken=a%3D"}"#,
        ), 0)
        .unwrap();

        assert_eq!(page.members.len(), 2);
        assert_eq!(page.continuation.as_deref(), Some("a="));
    }

    #[test]
    fn each_status_is_its_own_error() {
        let error = |status| accepted(&answer(status, "", "why"), 0).unwrap_err();
        let kinds = [
            (400, SendErrorKind::Invalid),
            (401, SendErrorKind::Credentials),
            (403, SendErrorKind::Credentials),
            (404, SendErrorKind::NotFound),
            (413, SendErrorKind::Invalid),
            (503, SendErrorKind::Service),
        ];

        for (code, kind) in kinds {
            let error = error(code);
            assert_eq!(error.kind(), kind, "{code}");
            assert_eq!(
                (error.is_retryable(), error.may_have_happened()),
                (code == 503, code == 503)
            );
            assert!(
                matches!(error, SendError::Rejected { status, code: None, message } if status == code && message == "why")
            );
        }
        let coded = accepted(&answer(401, "Error.Key", "why"), 0).unwrap_err();
        assert_eq!(coded.to_string(), "the service refused the credentials (401 Error.Key): why");
        let gone = accepted(&answer(404, "Error.Connection.NotExisted", ""), 0).unwrap_err();
        assert!(matches!(gone, SendError::ConnectionGone));
    }

    #[test]
    fn throttling_contains_the_wait() {
        let throttled = Response::builder().status(429).header("retry-after", "7");

        let error = accepted(&throttled.body(Bytes::new()).unwrap(), 0).unwrap_err();

        assert!(
            matches!(error, SendError::Throttled { retry_after: Some(after) } if after.as_secs() == 7)
        );
    }
}
