//! Decoding a call on demand: one argument, all arguments, or the message as one type.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{
    HubError, HubResult, Invocation,
    args::{Args, json_text},
    hub::Category,
    protocol::Protocol,
    reading,
};

impl Invocation {
    /// Decodes one argument. `position` counts from 0. As in a hub method, a missing argument is `None` for
    /// an `Option` and an error for other types.
    ///
    /// ```
    /// # use hub_core::{Filter, HubError, HubResult, Invocation};
    /// struct NotTo(&'static str);
    ///
    /// impl Filter for NotTo {
    ///     async fn before(&self, call: &Invocation) -> HubResult {
    ///         let room: String = call.argument(0)?;
    ///         if room == self.0 { Err(HubError::denied("Not there")) } else { Ok(()) }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// When the argument is missing or of another type. The error text counts positions from 1.
    pub fn argument<T: DeserializeOwned>(&self, position: usize) -> HubResult<T> {
        Args::of(self, position.saturating_add(1))?.at(position)
    }

    /// Decodes all arguments as one value: a tuple, a list, or a struct read in order.
    ///
    /// # Errors
    /// When the arguments do not fit the type.
    pub fn arguments<T: DeserializeOwned>(&self) -> HubResult<T> {
        self.read(&self.argument_array())
            .map_err(|text| HubError::argument(None, format!("the arguments: {text}")))
    }

    /// Decodes the message as one value. The member `type` is always present. A call of a method also has
    /// `target`, `arguments` and, if the client expects a result, `invocationId`. `disconnected` has `error`
    /// if the connection ended with an error. The members have the same names in every protocol.
    ///
    /// # Errors
    /// When the message does not fit the type.
    pub fn body<T: DeserializeOwned>(&self) -> HubResult<T> {
        let body = match self.protocol() {
            Protocol::Json => self.json_body()?,
            #[cfg(feature = "msgpack")]
            Protocol::MessagePack => self.message_pack_body(),
        };
        self.read(&body).map_err(|text| HubError::argument(None, format!("the message: {text}")))
    }

    /// The encoded arguments. Connection events have an empty array.
    fn argument_array(&self) -> Bytes {
        match (self.category(), self.protocol()) {
            (Category::Message, _) => self.raw_arguments().clone(),
            (_, Protocol::Json) => Bytes::from_static(b"[]"),
            #[cfg(feature = "msgpack")]
            (_, Protocol::MessagePack) => Bytes::from_static(&[0x90]),
        }
    }

    fn read<T: DeserializeOwned>(&self, encoded: &[u8]) -> Result<T, String> {
        match self.protocol() {
            Protocol::Json => {
                let text = std::str::from_utf8(encoded).map_err(|error| error.to_string())?;
                reading::json(text, self.reading()).map_err(|error| json_text(&error))
            }
            #[cfg(feature = "msgpack")]
            Protocol::MessagePack => reading::message_pack(encoded, self.reading()),
        }
    }

    /// The message type in the hub protocol.
    fn message_type(&self) -> u8 {
        match self.category() {
            Category::Message => 1,
            Category::Connected | Category::Refreshed => 10,
            Category::Disconnected => 11,
        }
    }

    fn json_body(&self) -> HubResult<Vec<u8>> {
        #[derive(serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            r#type: u8,
            #[serde(skip_serializing_if = "Option::is_none")]
            target: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            arguments: Option<&'a RawValue>,
            #[serde(skip_serializing_if = "Option::is_none")]
            invocation_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<&'a str>,
        }

        let is_message = self.category() == Category::Message;
        let arguments = is_message.then(|| serde_json::from_slice(self.raw_arguments()));
        let body = Body {
            r#type: self.message_type(),
            target: is_message.then(|| self.event()),
            arguments: arguments
                .transpose()
                .map_err(|_| HubError::rejected("the arguments are not a JSON array"))?,
            invocation_id: self.invocation_id(),
            error: self.error(),
        };
        Ok(serde_json::to_vec(&body)?)
    }

    #[cfg(feature = "msgpack")]
    fn message_pack_body(&self) -> Vec<u8> {
        let is_message = self.category() == Category::Message;
        let texts = [
            ("target", is_message.then(|| self.event())),
            ("invocationId", self.invocation_id()),
            ("error", self.error()),
        ];
        let texts: Vec<_> =
            texts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
        let mut out = crate::protocol::msgpack::Writer(Vec::new());
        out.map(1 + texts.len() + usize::from(is_message));
        out.text("type");
        out.unsigned(self.message_type().into());
        for (name, text) in texts {
            out.text(name);
            out.text(text);
        }
        if is_message {
            out.text("arguments");
            out.raw(self.raw_arguments());
        }
        out.0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde::Deserialize;

    use super::*;
    use crate::invocation::InvocationParts;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Whole {
        r#type: u8,
        target: Option<String>,
        arguments: Option<(String, u8)>,
        invocation_id: Option<String>,
        error: Option<String>,
    }

    fn call(category: Category, protocol: Protocol, arguments: &'static [u8]) -> Invocation {
        let is_message = category == Category::Message;
        let parts = InvocationParts {
            protocol,
            arguments: Bytes::from_static(arguments),
            error: (category == Category::Disconnected).then(|| "gone".into()),
            invocation_id: is_message.then(|| "7".to_owned()),
            ..InvocationParts::new("chat", category, "say", "c")
        };
        Invocation::new(parts, Arc::new(()))
    }

    fn said() -> Vec<Invocation> {
        vec![
            call(Category::Message, Protocol::Json, br#"["a",2]"#),
            #[cfg(feature = "msgpack")]
            call(Category::Message, Protocol::MessagePack, b"\x92\xa1a\x02"),
        ]
    }

    #[test]
    fn arguments_are_decoded_one_by_one_or_together() {
        for call in said() {
            assert_eq!(call.argument::<String>(0).unwrap(), "a");
            assert_eq!(call.argument::<u8>(1).unwrap(), 2);
            assert_eq!(call.argument::<Option<u8>>(2).unwrap(), None);
            assert_eq!(call.arguments::<(String, u8)>().unwrap(), ("a".to_owned(), 2));
            assert_eq!(call.arguments::<Vec<serde_json::Value>>().unwrap().len(), 2);
        }
    }

    #[test]
    fn decode_errors_name_the_argument() {
        for call in said() {
            let text = |error: HubError| error.text().to_owned();

            assert_eq!(text(call.argument::<u8>(2).unwrap_err()), "argument 3 is missing");
            assert_eq!(
                text(call.argument::<u8>(0).unwrap_err()),
                "argument 1: invalid type: string \"a\", expected u8"
            );
            assert!(
                text(call.arguments::<(u8,)>().unwrap_err()).starts_with("the arguments: invalid")
            );
            assert!(text(call.body::<u8>().unwrap_err()).starts_with("the message: invalid"));
        }
    }

    #[test]
    fn the_message_is_one_value_with_the_same_members_in_every_protocol() {
        let whole = Whole {
            r#type: 1,
            target: Some("say".to_owned()),
            arguments: Some(("a".to_owned(), 2)),
            invocation_id: Some("7".to_owned()),
            error: None,
        };

        for call in said() {
            assert_eq!(call.body::<Whole>().unwrap(), whole);
        }
    }

    #[test]
    fn connection_events_have_a_message_and_no_arguments() {
        let protocols = [
            Protocol::Json,
            #[cfg(feature = "msgpack")]
            Protocol::MessagePack,
        ];
        for protocol in protocols {
            let connected = call(Category::Connected, protocol, b"");
            let disconnected = call(Category::Disconnected, protocol, b"");

            assert!(connected.arguments::<Vec<u8>>().unwrap().is_empty());
            assert_eq!(connected.body::<Whole>().unwrap().r#type, 10);
            let body = disconnected.body::<Whole>().unwrap();
            assert_eq!((body.r#type, body.error.as_deref()), (11, Some("gone")));
            assert_eq!(body.target, None);
        }
    }
}
