//! The events that Lambda delivers. The app handles those of version 2.0, of function URLs and HTTP APIs.

use lambda_http::request::LambdaRequest;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::{Value, value::RawValue};

/// An event.
#[derive(Debug)]
pub(super) enum Event {
    /// A request of version 2.0.
    Http(Box<LambdaRequest>),
    /// An HTTP request in another form, with the problem and its fix.
    Other(&'static str),
}

const LOAD_BALANCER: &str = "the event is that of an Application Load Balancer, which is not supported: use a function URL, or an HTTP API with payload format 2.0";
const VERSION_1: &str = "the event has payload format 1.0, as that of a REST API, which is not supported: set the payload format of the HTTP API to 2.0, or use a function URL";
const NOT_HTTP: &str =
    "the event is not an HTTP request of payload format 2.0: use a function URL, or an HTTP API";

/// The fields that distinguish events (AWS Lambda developer guide, "Lambda function URLs", "Application Load
/// Balancer"; API Gateway developer guide, "Payload format").
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Kind {
    version: Value,
    http_method: Option<IgnoredAny>,
    request_context: Option<RequestContext>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RequestContext {
    http: Option<IgnoredAny>,
    elb: Option<IgnoredAny>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = Box::<RawValue>::deserialize(deserializer)?;
        let kind: Kind = serde_json::from_str(event.get()).unwrap_or_default();
        let context = kind.request_context.unwrap_or_default();
        if context.elb.is_some() {
            return Ok(Self::Other(LOAD_BALANCER));
        }
        if kind.version == "1.0" || kind.http_method.is_some() {
            return Ok(Self::Other(VERSION_1));
        }
        // An error fails the invocation. A queue would delete the messages of an event with a response.
        if context.http.is_none() {
            return Err(D::Error::custom(NOT_HTTP));
        }
        let request = serde_json::from_str(event.get()).map(Box::new);
        request
            .map(Self::Http)
            .map_err(|error| D::Error::custom(format_args!("{NOT_HTTP} ({error})")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(event: &str) -> Option<&'static str> {
        match serde_json::from_str(event).unwrap() {
            Event::Http(_) => None,
            Event::Other(problem) => Some(problem),
        }
    }

    #[test]
    fn other_events_than_version_2_have_a_text_with_the_fix() {
        let elb =
            r#"{"requestContext":{"elb":{"targetGroupArn":"arn"}},"httpMethod":"POST","path":"/"}"#;
        let http_api =
            r#"{"version":"1.0","resource":"/","httpMethod":"POST","requestContext":{}}"#;
        let rest_api = r#"{"resource":"/","httpMethod":"POST","requestContext":{"stage":"prod"}}"#;

        assert_eq!(problem(elb), Some(LOAD_BALANCER));
        assert_eq!(problem(http_api), Some(VERSION_1));
        assert_eq!(problem(rest_api), Some(VERSION_1));
        for other in [r#"{"version":"0","source":"aws.events"}"#, r#"{"Records":[]}"#, "{}", "7"] {
            let error = serde_json::from_str::<Event>(other).map(drop).unwrap_err();
            assert_eq!(error.to_string(), NOT_HTTP, "{other}");
        }
    }

    #[test]
    fn an_event_of_version_2_is_a_request() {
        let event = r#"{"version":"2.0","rawPath":"/health","headers":{},"isBase64Encoded":false,
            "requestContext":{"http":{"method":"GET","path":"/health"},"stage":"$default","timeEpoch":0}}"#;

        assert_eq!(problem(event), None);
    }
}
