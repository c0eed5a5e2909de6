//! `:execute`: runs a list of commands on every connection that matches a filter.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use bytes::Bytes;
use http::StatusCode;
use hub_core::names;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    call::{RestCall, RestResult},
    error::RestError,
    filter::Filter,
    payload::Payload,
    segment, send,
};
use crate::{
    body,
    connection::{Audience, Hub, ending::Ending},
    hub::{
        broadcast::{self, Broadcast},
        quota::QuotaExceeded,
    },
    inspect::{Recorder, Sent, Via},
    state::State,
};

/// A command that runs on each target connection.
#[derive(Debug, PartialEq, Eq)]
enum Command<M> {
    SendMessage(M),
    JoinGroup(String),
    LeaveGroup(String),
    CloseConnection { reason: Option<String> },
}

/// A command in JSON, with names in camel or Pascal case.
#[derive(Deserialize)]
struct RawCommand<'a> {
    #[serde(borrow, alias = "Type")]
    r#type: Cow<'a, str>,
    #[serde(borrow, alias = "Message")]
    message: Option<&'a RawValue>,
    #[serde(alias = "Group")]
    group: Option<String>,
    #[serde(alias = "Reason")]
    reason: Option<String>,
}

/// Runs the commands in order. The target connections are determined before the first command.
pub(super) async fn execute(call: RestCall<'_>) -> RestResult {
    let filter = call.query().first("filter").filter(|filter| !filter.trim().is_empty());
    let filter = filter.map(|text| Filter::parse(&text)).transpose();
    let filter = filter.map_err(|error| RestError::invalid("filter", error.to_string()))?;
    let (state, hub, via) = (call.state, Arc::clone(&call.hub), call.via());
    let body = send::json_body(call).await?;
    let commands = parse(&body)?;
    let audience = audience(&hub, filter.as_ref());
    if let Some(recorder) = &state.shared.recorder {
        record(recorder, &hub, via, &commands, &audience);
    }
    // Encode all messages first, so that an error leaves no command half done.
    let commands = commands.into_iter().map(|command| command.encode(&hub));
    let mut done = Ok(());
    for command in &commands.collect::<Result<Vec<_>, _>>()? {
        // A failed join does not stop the remaining commands.
        done = done.and(perform(state, &hub, &audience, command));
        // Yield: a body can hold thousands of commands for thousands of connections.
        tokio::task::yield_now().await;
    }
    done?;
    Ok(body::empty(StatusCode::ACCEPTED))
}

/// Records the sends for the inspector: each goes to a list of connections.
fn record(
    recorder: &Recorder,
    hub: &Hub,
    via: Via,
    commands: &[Command<Payload>],
    audience: &Audience,
) {
    for command in commands {
        let Command::SendMessage(payload) = command else { continue };
        let (method, protocol, arguments) = payload.sent();
        recorder.sent(Sent {
            hub: hub.shared_name(),
            via,
            kind: "list",
            name: None,
            excluded: 0,
            method: method.into(),
            arguments: recorder.copied(protocol, arguments),
            recipients: audience.len(),
            calls: Vec::new(),
        });
    }
}

impl Command<Payload> {
    fn encode(self, hub: &Hub) -> Result<Command<Broadcast>, RestError> {
        Ok(match self {
            Self::SendMessage(payload) => Command::SendMessage(payload.broadcast(hub)?),
            Self::JoinGroup(group) => Command::JoinGroup(group),
            Self::LeaveGroup(group) => Command::LeaveGroup(group),
            Self::CloseConnection { reason } => Command::CloseConnection { reason },
        })
    }
}

fn parse(body: &Bytes) -> Result<Vec<Command<Payload>>, RestError> {
    let written: Vec<RawCommand<'_>> = serde_json::from_slice(body)
        .map_err(|error| RestError::invalid("body", error.to_string()))?;
    let numbered = written.into_iter().enumerate();
    numbered.map(|(index, written)| command(body, index, written)).collect()
}

fn command(
    body: &Bytes,
    index: usize,
    written: RawCommand<'_>,
) -> Result<Command<Payload>, RestError> {
    let invalid = |message: &str| RestError::invalid("body", format!("command {index}: {message}"));
    let group = || -> Result<String, RestError> {
        let group = written.group.clone().ok_or_else(|| invalid("`group` is missing"))?;
        segment::check("body", names::check_group(&group))?;
        Ok(group)
    };
    let is = |name: &str| written.r#type.eq_ignore_ascii_case(name);
    if is("SendMessage") {
        let message = written.message.ok_or_else(|| invalid("`message` is missing"))?;
        let payload = Payload::parse(&body.slice_ref(message.get().as_bytes()))
            .map_err(|error| invalid(&error.to_string()))?;
        return Ok(Command::SendMessage(payload));
    }
    if is("JoinGroup") {
        return Ok(Command::JoinGroup(group()?));
    }
    if is("LeaveGroup") {
        return Ok(Command::LeaveGroup(group()?));
    }
    if is("CloseConnection") {
        let reason = written.reason.filter(|reason| !reason.is_empty());
        return Ok(Command::CloseConnection { reason });
    }
    Err(invalid("`type` must be SendMessage, JoinGroup, LeaveGroup or CloseConnection"))
}

fn audience(hub: &Hub, filter: Option<&Filter>) -> Audience {
    let Some(filter) = filter else { return hub.everyone() };
    let groups = filter.groups().into_iter().map(|group| {
        let members = hub.group(group).iter().map(|member| member.id().to_owned()).collect();
        (group, members)
    });
    let groups = groups.collect();
    let everyone = hub.everyone();
    let meant = everyone.iter().filter(|it| filter.finds(it.id(), it.user(), &groups));
    meant.cloned().collect()
}

fn perform(
    state: &State,
    hub: &Hub,
    audience: &Audience,
    command: &Command<Broadcast>,
) -> Result<(), QuotaExceeded> {
    match command {
        Command::SendMessage(message) => broadcast::send(hub, audience, &HashSet::new(), message),
        Command::JoinGroup(group) => {
            for connection in audience.iter() {
                // Connections that were closed in the meantime are skipped.
                state.hubs.join(|| hub.add_to_group(connection.id(), group))?;
            }
        }
        Command::LeaveGroup(group) => {
            for connection in audience.iter() {
                hub.remove_from_group(connection.id(), group);
            }
        }
        Command::CloseConnection { reason } => {
            for connection in audience.iter() {
                connection.end(Ending::by_service(reason.clone(), state.shared.allow_reconnect));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &'static str) -> Result<Vec<Command<Payload>>, RestError> {
        parse(&Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn commands_are_read_in_both_spellings() {
        let commands = parsed(
            r#"[{"type":"SendMessage","message":{"target":"m","arguments":[1.50]}},
                {"Group":"g","Type":"joinGroup"},{"type":"LeaveGroup","group":"a/b"},
                {"type":"CloseConnection","reason":"bye"},{"type":"CloseConnection"}]"#,
        );

        let expected = [
            Command::SendMessage(
                Payload::parse(&Bytes::from_static(br#"{"target":"m","arguments":[1.50]}"#))
                    .unwrap(),
            ),
            Command::JoinGroup("g".to_owned()),
            Command::LeaveGroup("a/b".to_owned()),
            Command::CloseConnection { reason: Some("bye".to_owned()) },
            Command::CloseConnection { reason: None },
        ];
        assert_eq!(commands.unwrap(), expected);
        assert_eq!(parsed("[]").unwrap(), []);
    }

    #[test]
    fn invalid_input_is_refused() {
        for bad in [
            "",
            "{}",
            r#"[{"type":"Dance"}]"#,
            r#"[{"group":"g"}]"#,
            r#"[{"type":"SendMessage"}]"#,
            r#"[{"type":"SendMessage","message":{"arguments":[]}}]"#,
            r#"[{"type":"JoinGroup"}]"#,
            r#"[{"type":"JoinGroup","group":" "}]"#,
            r#"[{"type":"LeaveGroup","group":".."}]"#,
            r#"[{"type":"CloseConnection","reason":5}]"#,
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
