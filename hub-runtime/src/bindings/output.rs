//! Messages and group actions for the output binding `signalR`.

use hub_core::values::to_json_value;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::BindingError;

/// The entry of the output binding `signalR` in function.json.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SignalROutputBinding {
    /// The name of the output in the answer of the function.
    pub name: String,
    /// The name of the hub.
    pub hub_name: String,
    /// The setting with the connection string. Defaults to `AzureSignalRConnectionString`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_string_setting: Option<String>,
    #[serde(rename = "type", default)]
    kind: Kind,
    #[serde(default)]
    direction: Direction,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    #[default]
    #[serde(rename = "signalR")]
    SignalR,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Direction {
    #[default]
    #[serde(rename = "out")]
    Out,
}

impl SignalROutputBinding {
    /// Creates the entry. `name` is the output in [`FunctionAnswer::output`](super::FunctionAnswer::output).
    #[must_use]
    pub fn new(name: impl Into<String>, hub_name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            hub_name: hub_name.into(),
            connection_string_setting: None,
            kind: Kind::default(),
            direction: Direction::default(),
        }
    }

    /// Sets the name of the setting with the connection string.
    #[must_use]
    pub fn connection_string_setting(mut self, name: impl Into<String>) -> Self {
        self.connection_string_setting = Some(name.into());
        self
    }
}

/// A message for the output binding `signalR`, which accepts one message or a list.
///
/// If several targets are set, the connection has precedence over the user, and the user over the group.
/// Without a target the message is sent to all connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[must_use = "a message does nothing until it is given to an output"]
pub struct SignalRMessage {
    /// The name of the client method.
    pub target: String,
    /// The arguments of the client method.
    pub arguments: Vec<Value>,
    /// Sends to this connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// Sends to all connections of this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Sends to all connections of this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// Sends through these endpoints only: values of the input binding `signalREndpoints`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<Value>>,
}

impl SignalRMessage {
    /// Creates a message for all connections. The arguments are a tuple or a list: `()` for none.
    ///
    /// # Errors
    /// When the arguments are neither a tuple nor a list, or cannot be serialized as JSON.
    pub fn broadcast<A: Serialize>(
        target: impl Into<String>,
        arguments: A,
    ) -> Result<Self, BindingError> {
        let value =
            to_json_value(&arguments).map_err(|error| BindingError::Encode(error.into()))?;
        let arguments = match value {
            Value::Array(arguments) => arguments,
            // `()`, unlike a `None`, which serializes to the same value.
            Value::Null if size_of::<A>() == 0 => Vec::new(),
            _ => return Err(BindingError::Arguments),
        };
        let target = target.into();
        Ok(Self {
            target,
            arguments,
            connection_id: None,
            user_id: None,
            group_name: None,
            endpoints: None,
        })
    }

    /// Sends to this connection only.
    pub fn to_connection(mut self, connection_id: impl Into<String>) -> Self {
        self.connection_id = Some(connection_id.into());
        self
    }

    /// Sends to all connections of this user.
    pub fn to_user(mut self, user_id: impl Into<String>) -> Self {
        self.user_id = Some(user_id.into());
        self
    }

    /// Sends to all connections of this group.
    pub fn to_group(mut self, group_name: impl Into<String>) -> Self {
        self.group_name = Some(group_name.into());
        self
    }
}

/// A change of group memberships for the output binding `signalR`, which accepts one action or a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[must_use = "an action does nothing until it is given to an output"]
pub struct SignalRGroupAction {
    /// The kind of change.
    pub action: GroupAction,
    /// The id of the connection. It has precedence over the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// The id of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The name of the group; `None` for [`GroupAction::RemoveAll`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// Applies the action through these endpoints only: values of the input binding `signalREndpoints`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<Value>>,
}

/// The kind of a [`SignalRGroupAction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum GroupAction {
    /// Adds to the group.
    Add,
    /// Removes from the group.
    Remove,
    /// Removes from all groups.
    RemoveAll,
}

impl SignalRGroupAction {
    /// Creates an action for a connection.
    pub fn connection(
        action: GroupAction,
        connection_id: impl Into<String>,
        group_name: Option<String>,
    ) -> Self {
        let connection_id = Some(connection_id.into());
        Self { action, connection_id, user_id: None, group_name, endpoints: None }
    }

    /// Creates an action for a user.
    pub fn user(
        action: GroupAction,
        user_id: impl Into<String>,
        group_name: Option<String>,
    ) -> Self {
        let user_id = Some(user_id.into());
        Self { action, connection_id: None, user_id, group_name, endpoints: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_output_binding_has_the_format_of_function_json() {
        let binding =
            SignalROutputBinding::new("signalRMessages", "chat").connection_string_setting("Live");
        let written = json!({
            "type": "signalR", "direction": "out", "name": "signalRMessages", "hubName": "chat",
            "connectionStringSetting": "Live",
        });

        assert_eq!(serde_json::to_value(&binding).unwrap(), written);
        assert_eq!(serde_json::from_value::<SignalROutputBinding>(written).unwrap(), binding);
    }

    #[test]
    fn a_number_that_would_lose_digits_is_an_error() {
        let price: Box<serde_json::value::RawValue> =
            serde_json::from_str("1234567890123.123456789").unwrap();

        let error = SignalRMessage::broadcast("price", (&price,)).unwrap_err();

        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("1234567890123.123456789 has more digits"), "{error}: {cause}");
        let whole = SignalRMessage::broadcast("count", (u64::MAX,)).unwrap();
        assert_eq!(whole.arguments, [json!(u64::MAX)]);
    }

    #[test]
    fn a_message_has_the_format_of_the_binding() {
        let everyone = SignalRMessage::broadcast("newMessage", ("hi", 3)).unwrap();
        let user = everyone.clone().to_user("ada");

        assert_eq!(
            serde_json::to_value(&everyone).unwrap(),
            json!({"target": "newMessage", "arguments": ["hi", 3]})
        );
        assert_eq!(
            serde_json::to_value(user).unwrap(),
            json!({"target": "newMessage", "arguments": ["hi", 3], "userId": "ada"})
        );
        assert_eq!(
            serde_json::to_value(everyone.to_group("g").to_connection("c")).unwrap(),
            json!({"target": "newMessage", "arguments": ["hi", 3], "groupName": "g", "connectionId": "c"})
        );
    }

    #[test]
    fn arguments_are_a_tuple_or_a_list() {
        for none in [SignalRMessage::broadcast("m", ()), SignalRMessage::broadcast("m", [(); 0])] {
            let written = serde_json::to_string(&none.unwrap()).unwrap();
            assert_eq!(written, r#"{"target":"m","arguments":[]}"#);
        }
        for no_list in
            [SignalRMessage::broadcast("m", "hi"), SignalRMessage::broadcast("m", None::<u8>)]
        {
            assert!(matches!(no_list, Err(BindingError::Arguments)));
        }
    }

    #[test]
    fn a_group_action_has_the_format_of_the_binding() {
        let add = SignalRGroupAction::user(GroupAction::Add, "ada", Some("g".to_owned()));
        let leave = SignalRGroupAction::connection(GroupAction::RemoveAll, "c", None);

        assert_eq!(
            serde_json::to_value(add).unwrap(),
            json!({"action": "add", "userId": "ada", "groupName": "g"})
        );
        assert_eq!(
            serde_json::to_value(leave).unwrap(),
            json!({"action": "removeAll", "connectionId": "c"})
        );
    }
}
