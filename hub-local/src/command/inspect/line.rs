//! One event as a line for people.

use serde_json::Value;

/// The longest value in a line, in characters.
const MAX_CHARS: usize = 160;

/// The event in one line: time, hub, user, and what has happened.
pub(super) fn of(event: &Value) -> String {
    let time = text(event, "at").and_then(|at| at.get(11..23)).unwrap_or("");
    let hub = text(event, "hub").unwrap_or("-");
    let who = text(event, "user").or_else(|| text(event, "connection")).unwrap_or("-");
    clean(&format!("{time}  {hub:<10} {who:<12} {}", what(event)))
}

fn what(event: &Value) -> String {
    let kind = text(event, "kind").unwrap_or_default();
    let method = text(event, "method").unwrap_or_default();
    let ms = event.get("ms").and_then(Value::as_f64).unwrap_or_default();
    match kind {
        "connected" => {
            let [transport, protocol] =
                ["transport", "protocol"].map(|name| text(event, name).unwrap_or_default());
            format!("connected over {transport}, {protocol}")
        }
        "refused" => {
            let what = text(event, "what").unwrap_or_default();
            format!("REFUSED {what}{}{}", status(event), advice(event))
        }
        "disconnected" => format!("disconnected after {ms:.0} ms{}", advice(event)),
        "invocation" => {
            let kind = text(event, "type").unwrap_or("invoke");
            format!("{kind} {method}{}", value(event, "arguments"))
        }
        "upstream" => {
            let to = text(event, "url").unwrap_or("the app in this process");
            let name = text(event, "event").unwrap_or_default();
            format!("  -> {name} to {to}")
        }
        "answer" => {
            let failed = if event.get("cause").is_some() { "FAILED" } else { "answered" };
            format!(
                "  <- {failed}{} in {ms:.1} ms{}{}",
                status(event),
                value(event, "body"),
                advice(event)
            )
        }
        "completion" => match text(event, "error") {
            Some(error) => format!("  completion of {method}: error {error}"),
            None => format!("  completion of {method}{}", value(event, "result")),
        },
        "send" => {
            let target = event.get("target").unwrap_or(&Value::Null);
            let name = text(target, "name").map(|name| format!(" {name}")).unwrap_or_default();
            let kind = text(target, "kind").unwrap_or_default();
            let clients = event.get("recipients").and_then(Value::as_u64).unwrap_or_default();
            format!("send {method} to {kind}{name}: {clients} clients{}", value(event, "arguments"))
        }
        "client_result" => match text(event, "error") {
            Some(error) => format!("{method} returned an error to the app: {error}"),
            None => format!("{method} returned to the app{}", value(event, "result")),
        },
        "group" => {
            let action = text(event, "action").unwrap_or_default();
            let group = text(event, "group").unwrap_or("all groups");
            format!("{action} {group}")
        }
        "left_out" => {
            let count = event.get("count").and_then(Value::as_u64).unwrap_or_default();
            format!("{count} events are left out: {}", text(event, "reason").unwrap_or_default())
        }
        other => other.to_owned(),
    }
}

fn text<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    event.get(name)?.as_str()
}

fn status(event: &Value) -> String {
    let status = event.get("status").and_then(Value::as_u64);
    status.map(|status| format!(" {status}")).unwrap_or_default()
}

/// The text of a failure, and what to check.
fn advice(event: &Value) -> String {
    let said = text(event, "text").map(|text| format!(": {text}")).unwrap_or_default();
    let fix = text(event, "fix").map(|fix| format!("; check {fix}")).unwrap_or_default();
    format!("{said}{fix}")
}

fn value(event: &Value, name: &str) -> String {
    let Some(value) = event.get(name).filter(|value| !value.is_null()) else {
        return String::new();
    };
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!(" {}…", &text[..end]),
        None => format!(" {text}"),
    }
}

/// Clients choose names and texts, which must not control the terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { '\u{FFFD}' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failed_answer_has_its_text_and_what_to_check() {
        let event = json!({
            "seq": 5, "at": "2026-11-29T15:00:01.123456Z", "kind": "answer", "hub": "chat", "user": "ada",
            "status": 404, "ms": 3.25, "body": "no\nsuch", "cause": "not_found", "text": "status 404",
            "fix": "the path",
        });
        let line = of(&event);
        assert!(line.starts_with("15:00:01.123  chat       ada"), "{line}");
        assert!(
            line.ends_with("<- FAILED 404 in 3.2 ms \"no\\nsuch\": status 404; check the path"),
            "{line}"
        );
    }

    #[test]
    fn names_of_clients_cannot_control_the_terminal() {
        let event =
            json!({ "kind": "invocation", "method": "a\u{1b}[2J\nb", "arguments": ["\u{9b}x"] });
        assert!(!of(&event).contains(char::is_control));
    }

    #[test]
    fn long_values_are_cut() {
        let event = json!({ "kind": "invocation", "method": "m", "arguments": ["é".repeat(500)] });
        let line = of(&event);
        assert!(line.ends_with('…') && line.chars().count() < 300);
    }
}
