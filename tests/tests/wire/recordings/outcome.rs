//! What a recorded request led to, and the differences that are meant.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use test_support::http_client::HttpResponse;

/// The status, the answer, and the messages of each client.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) status: u16,
    /// The part of the request that an error names, or the members of another answer. The wording of errors
    /// is not compared.
    pub(super) answer: String,
    pub(super) received: BTreeMap<String, Value>,
}

impl Outcome {
    /// Reads an answer of the service.
    pub(super) fn new(response: &HttpResponse, received: BTreeMap<String, Value>) -> Self {
        let body = serde_json::from_slice(&response.body).unwrap_or_default();
        let answer = match &body {
            Value::Object(error) if response.status >= 400 => {
                error.get("target").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            Value::Object(members) => members.keys().cloned().collect::<Vec<_>>().join(","),
            _ => String::new(),
        };
        Self { status: response.status, answer, received }
    }

    /// Applies the values of a difference.
    fn with(&self, ours: &Values) -> Self {
        let received = ours.received.clone().map(|it| it.into_iter().map(frames).collect());
        Self {
            status: ours.status.unwrap_or(self.status),
            answer: ours.answer.clone().unwrap_or_else(|| self.answer.clone()),
            received: received.unwrap_or_else(|| self.received.clone()),
        }
    }
}

/// The part of the request that a validation error of ASP.NET Core names.
pub(super) fn named_part(answer: &str) -> String {
    let Some((_, errors)) = answer.split_once("{\"errors\":{\"") else { return String::new() };
    let part = errors.split('"').next().unwrap();
    let is_of_the_query_or_path = ["application", "group", "hub", "ttl", "user"].contains(&part);
    if is_of_the_query_or_path { part } else { "body" }.to_owned()
}

/// The messages of one client in comparable form: texts of clients that report the bytes, otherwise JSON
/// values.
pub(super) fn frames((client, frames): (String, Value)) -> (String, Value) {
    let reports_values = ["b", "c"].contains(&client.as_str());
    let frames = match frames {
        Value::Array(frames) if reports_values => {
            let parsed =
                frames.iter().map(|it| serde_json::from_str(it.as_str().unwrap()).unwrap());
            json!(parsed.collect::<Vec<Value>>())
        }
        frames => frames,
    };
    (client, frames)
}

/// Requests whose outcome differs for one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Difference {
    reason: String,
    /// `scenario/name` of the recorded requests; `*` stands for any text.
    rows: Vec<String>,
    /// What this service does. Values that are missing are those of the recording.
    ours: Values,
    /// What this service does with `--strict`. Defaults to `ours`.
    strict: Option<Values>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Values {
    status: Option<u16>,
    answer: Option<String>,
    received: Option<BTreeMap<String, Value>>,
}

/// Whether the service runs with `--strict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Default,
    Strict,
}

/// Compares outcomes with a recording and its differences.
pub(super) struct Comparison {
    differences: Vec<Difference>,
    mode: Mode,
    /// The patterns that matched a request, by their text.
    used: Vec<String>,
    failures: Vec<String>,
}

impl Comparison {
    pub(super) fn new(differences: &str, mode: Mode) -> Self {
        let differences = serde_json::from_str(differences).unwrap();
        Self { differences, mode, used: Vec::new(), failures: Vec::new() }
    }

    /// Compares the outcome of one request. The first difference that names the request applies.
    pub(super) fn compare(&mut self, row: &str, recorded: &Outcome, ours: &Outcome) {
        let named = self.differences.iter().find_map(|difference| {
            let pattern = difference.rows.iter().find(|pattern| matches(pattern, row))?;
            Some((difference, pattern))
        });
        let Some((difference, pattern)) = named else {
            if ours != recorded {
                self.failures.push(format!("{row}\n  recorded {recorded:?}\n  ours     {ours:?}"));
            }
            return;
        };
        let strict = difference.strict.as_ref().filter(|_| self.mode == Mode::Strict);
        let meant = recorded.with(strict.unwrap_or(&difference.ours));
        self.used.push(pattern.clone());
        let reason = &difference.reason;
        if meant == *recorded && strict.is_none() {
            self.failures.push(format!("{row}\n  the listed values are those of the recording"));
        } else if ours == recorded && meant != *recorded {
            self.failures.push(format!("{row}\n  no longer differs: remove it from \"{reason}\""));
        } else if *ours != meant {
            self.failures.push(format!(
                "{row}\n  recorded {recorded:?}\n  ours     {ours:?}\n  not as in \"{reason}\""
            ));
        }
    }

    /// Fails if an outcome differs, or if a listed difference names no request.
    pub(super) fn finish(mut self) {
        if self.mode == Mode::Default {
            for pattern in self.differences.iter().flat_map(|difference| &difference.rows) {
                if !self.used.contains(pattern) {
                    self.failures.push(format!("{pattern}\n  names no request"));
                }
            }
        }
        let count = self.failures.len();
        assert_eq!(count, 0, "{count} requests\n{}", self.failures.join("\n"));
    }
}

/// Whether a text matches a pattern with `*`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|it| matches(after, it)))
        }),
    }
}

#[test]
fn a_difference_that_is_gone_unlisted_or_unnamed_fails() {
    let outcome = |status| Outcome { status, answer: String::new(), received: BTreeMap::default() };
    let failures = |rows: &[&str], recorded, ours| {
        let differences =
            json!([{ "reason": "why", "rows": rows, "ours": { "status": 200 } }]).to_string();
        let mut comparison = Comparison::new(&differences, Mode::Default);
        comparison.compare("s/a", &outcome(recorded), &outcome(ours));
        comparison.failures.len()
    };

    assert_eq!(failures(&["s/*"], 202, 200), 0);
    assert_eq!(failures(&["s/*"], 202, 202), 1, "gone");
    assert_eq!(failures(&["s/*"], 202, 400), 1, "another value");
    assert_eq!(failures(&["s/*"], 200, 200), 1, "no difference");
    assert_eq!(failures(&["t/*"], 202, 200), 1, "not listed");
    assert!(matches("a*c*", "abcd") && matches("*", "") && !matches("a*c", "abcd"));
}
