//! Compares answers of the app.

use std::fmt;

use serde_json::{Value, json};

use super::recording::{Answer, HIDDEN};

/// An answer that differs from the recorded one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Difference {
    /// The number of the call in the recording.
    pub call: u64,
    /// The hub.
    pub hub: String,
    /// The user of the client.
    pub user: Option<String>,
    /// The called method, `connected` or `disconnected`.
    pub method: String,
    /// The recorded answer.
    pub recorded: String,
    /// The answer of the replay.
    pub replayed: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, hub, user, method, recorded, replayed } = self;
        let user = user.as_deref().map_or_else(String::new, |user| format!(" of {user}"));
        write!(formatter, "call {call}, {hub}.{method}{user}:\n  - {recorded}\n  + {replayed}")
    }
}

/// Whether two answers are the same, apart from what differs in each run: the invocation ids, and masked values.
pub(super) fn is_same(recorded: &Answer, replayed: &Answer) -> bool {
    if recorded.status.is_none() && replayed.status.is_none() {
        return recorded.cause == replayed.cause;
    }
    recorded.status == replayed.status
        && (is_hidden(&recorded.body)
            || matches(&essence(&recorded.body), &essence(&replayed.body)))
}

/// The answer in one line.
pub(super) fn describe(answer: &Answer) -> String {
    let advice = answer.fix.as_ref().map(|fix| format!("; check {fix}")).unwrap_or_default();
    match (answer.status, &answer.text) {
        (None, text) => {
            let text = text.as_deref().or(answer.cause.as_deref()).unwrap_or("no answer");
            format!("{text}{advice}")
        }
        (Some(status), _) => match essence(&answer.body) {
            Value::Null => format!("{status}"),
            body => format!("{status} {body}"),
        },
    }
}

/// The body without what differs in each run: of a completion its result or error.
fn essence(body: &Value) -> Value {
    match body {
        Value::Object(members) if members.get("type") == Some(&json!(3)) => {
            let kept = ["result", "error"].into_iter();
            kept.filter_map(|name| Some((name.to_owned(), members.get(name)?.clone()))).collect()
        }
        // A completion in MessagePack: type, headers, id, kind of the result, result.
        Value::Array(items) if items.len() >= 4 && items.first() == Some(&json!(3)) => {
            match (items.get(3).and_then(Value::as_u64), items.get(4)) {
                (Some(1), Some(error)) => json!({ "error": error }),
                (Some(3), Some(result)) => json!({ "result": result }),
                _ => json!({}),
            }
        }
        other => other.clone(),
    }
}

/// Whether only the size and the type of a body were recorded.
fn is_hidden(body: &Value) -> bool {
    body.as_object().is_some_and(|members| {
        members.len() == 2 && members.contains_key("bytes") && members.contains_key("type")
    })
}

/// Whether the values are the same. A masked value matches every value.
fn matches(recorded: &Value, replayed: &Value) -> bool {
    match (recorded, replayed) {
        (Value::String(text), _) | (_, Value::String(text)) if text == HIDDEN => true,
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(a, b)| matches(a, b))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, a)| right.get(name).is_some_and(|b| matches(a, b)))
        }
        (left, right) => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u64, body: Value) -> Answer {
        Answer { status: Some(status), body, ..Answer::default() }
    }

    fn failure(cause: &str) -> Answer {
        Answer { cause: Some(cause.to_owned()), ..Answer::default() }
    }

    #[test]
    fn completions_are_compared_without_their_invocation_ids() {
        let json = |id: &str, result: i32| {
            answer(200, json!({ "type": 3, "invocationId": id, "result": result }))
        };
        let messagepack = |id: &str, result: i32| answer(200, json!([3, {}, id, 3, result]));

        assert!(is_same(&json("1", 5), &json("2", 5)) && !is_same(&json("1", 5), &json("1", 6)));
        assert!(is_same(&messagepack("1", 5), &messagepack("2", 5)));
        assert!(!is_same(&messagepack("1", 5), &messagepack("1", 6)));
        let error = answer(200, json!({ "type": 3, "invocationId": "1", "error": "e" }));
        assert!(!is_same(&json("1", 5), &error));
        assert_eq!(describe(&error), r#"200 {"error":"e"}"#);
        assert_eq!(describe(&messagepack("1", 5)), r#"200 {"result":5}"#);
    }

    #[test]
    fn statuses_bodies_and_causes_are_compared() {
        assert!(!is_same(&answer(200, Value::Null), &answer(204, Value::Null)));
        assert!(!is_same(&answer(404, json!("a")), &answer(404, json!("b"))));
        assert!(!is_same(&answer(200, Value::Null), &failure("timed_out")));
        assert!(is_same(&failure("timed_out"), &failure("timed_out")));
        assert!(!is_same(&failure("timed_out"), &failure("unreachable")));
    }

    #[test]
    fn a_masked_value_is_like_every_value() {
        let body = |email: &str| answer(200, json!([{ "email": email, "n": 1 }]));
        assert!(is_same(&body(HIDDEN), &body("ada@example.org")));
        assert!(!is_same(&body("a"), &body("b")));
        let hidden = answer(200, json!({ "bytes": 5, "type": "object" }));
        assert!(is_same(&hidden, &body("a")));
        assert!(!is_same(&hidden, &answer(500, Value::Null)));
    }
}
