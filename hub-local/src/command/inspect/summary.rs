//! The state of a service for people.

use serde_json::Value;

use super::line::clean;

/// Some lines: the service, its clients, its apps and its hubs.
pub(super) fn of(state: &Value) -> String {
    let at = |path: &str| state.pointer(path).unwrap_or(&Value::Null);
    let text = |path: &str| at(path).as_str().unwrap_or("?").to_owned();
    let mut lines = vec![format!(
        "Service   {} ({}), since {}",
        text("/service/url"),
        text("/service/mode"),
        text("/service/started")
    )];
    let transports = counts(at("/stations/clients/by_transport"));
    let count = at("/stations/clients/count").as_u64().unwrap_or_default();
    let clients = if transports.is_empty() { "none".to_owned() } else { transports };
    lines.push(format!("Clients   {count}: {clients}"));
    let rate = |name: &str| at(&format!("/stations/service/{name}")).as_f64().unwrap_or_default();
    lines.push(format!(
        "Calls     {:.1} per second, {:.0} % fail; {:.1} messages per second",
        rate("calls_per_second"),
        100.0 * rate("failing_share"),
        rate("messages_per_second")
    ));
    for app in at("/stations/apps").as_array().into_iter().flatten() {
        lines.push(format!("App       {}", self::app(app)));
    }
    for hub in at("/hubs").as_array().into_iter().flatten() {
        let name = hub.get("name").and_then(Value::as_str).unwrap_or_default();
        let clients = hub.get("clients").and_then(Value::as_u64).unwrap_or_default();
        lines.push(format!("Hub       {name}: {clients} clients"));
    }
    let lines: Vec<_> = lines.iter().map(|line| clean(line)).collect();
    lines.join("\n")
}

fn app(app: &Value) -> String {
    let url = app.get("url").and_then(Value::as_str).unwrap_or("in this process");
    let reachable = match app.get("reachable").and_then(Value::as_bool) {
        Some(true) => "reachable",
        Some(false) => "NOT REACHABLE",
        None => "not called yet",
    };
    let Some(error) = app.get("last_error").filter(|error| !error.is_null()) else {
        return format!("{url}: {reachable}");
    };
    let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{url}: {reachable}; last error: {}; check {}", part("text"), part("fix"))
}

fn counts(map: &Value) -> String {
    let counts = map.as_object().into_iter().flatten();
    let counts = counts.map(|(name, count)| format!("{count} {name}"));
    counts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_app_that_cannot_be_reached_has_its_last_error_and_what_to_check() {
        let state = json!({
            "service": { "url": "http://localhost:8888", "mode": "command", "started": "t" },
            "stations": {
                "clients": { "count": 3, "by_transport": { "WebSockets": 2, "LongPolling": 1 } },
                "service": { "calls_per_second": 1.5, "failing_share": 0.25, "messages_per_second": 0.0 },
                "apps": [{ "url": "http://h/", "reachable": false, "last_error": { "text": "refused", "fix": "the app" } }],
            },
            "hubs": [{ "name": "chat", "clients": 3 }],
        });

        let summary = of(&state);

        for part in [
            "Clients   3: 1 LongPolling, 2 WebSockets",
            "1.5 per second, 25 % fail",
            "App       http://h/: NOT REACHABLE; last error: refused; check the app",
            "Hub       chat: 3 clients",
        ] {
            assert!(summary.contains(part), "{summary}");
        }
    }

    #[test]
    fn a_state_of_another_version_is_shown_as_far_as_it_is_known() {
        assert!(of(&json!({})).starts_with("Service   ?"));
    }
}
