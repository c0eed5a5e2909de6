//! Values of each type in JSON and in MessagePack, with their bytes: as arguments, results, messages to clients and
//! client results. docs/values.md has the table.

mod bytes;
mod dates;
mod dotnet;
mod errors;
mod keys;
mod plain;

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use ::bytes::Bytes;
use async_trait::async_trait;
use hub_core::{
    Category, HubContext, HubError, Invocation, InvocationParts, Payload, Reply,
    outbound::{Change, Check, InvokeError, MemberPage, Outbound, SendError, Target},
    private::HubReply,
    protocol::{Message, Outcome, Protocol, convert, frame::Frames},
};
use serde::{Serialize, de::DeserializeOwned};

/// The bytes of a text with hexadecimal digits.
pub(crate) fn hex(digits: &str) -> Bytes {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|two| str::from_utf8(two).unwrap());
    pairs.map(|two| u8::from_str_radix(two, 16).unwrap()).collect()
}

/// A call with these encoded arguments.
pub(crate) fn call_with(protocol: Protocol, arguments: Bytes) -> Invocation {
    let parts = InvocationParts {
        protocol,
        arguments,
        ..InvocationParts::new("values", Category::Message, "m", "c")
    };
    Invocation::new(parts, Arc::new(()))
}

/// Reads an argument.
fn argument<T: DeserializeOwned>(protocol: Protocol, value: &[u8]) -> Result<T, String> {
    let array = match protocol {
        Protocol::Json => [b"[", value, b"]"].concat(),
        _ => [b"\x91", value].concat(),
    };
    let error = |error: HubError| error.text().to_owned();
    call_with(protocol, array.into()).argument(0).map_err(error)
}

fn from_json<T: DeserializeOwned>(value: &str) -> Result<T, String> {
    argument(Protocol::Json, value.as_bytes())
}

fn from_hex<T: DeserializeOwned>(value: &str) -> Result<T, String> {
    argument(Protocol::MessagePack, &hex(value))
}

/// The encoded result of a hub method.
fn result<T: Serialize>(value: &T, protocol: Protocol) -> Result<Bytes, HubError> {
    let parts = InvocationParts {
        protocol,
        invocation_id: Some("1".to_owned()),
        ..InvocationParts::new("values", Category::Message, "m", "c")
    };
    let call = Invocation::new(parts, Arc::new(()));
    let Reply::Completion(framed) = Ok::<_, HubError>(value).into_reply(&call)? else {
        panic!("no value")
    };
    let mut frames = Frames::new(framed.len());
    frames.switch_to(protocol);
    frames.push(&framed);
    let frame = frames.next_frame().unwrap().unwrap();
    match protocol.parse(&frame).unwrap() {
        Some(Message::Completion { outcome: Outcome::Result(value), .. }) => Ok(value),
        other => panic!("no result: {other:?}"),
    }
}

/// Keeps the last message, and answers each invocation of a client with the same encoded JSON.
#[derive(Default)]
struct Service {
    sent: Mutex<Option<Payload>>,
    answer: Bytes,
}

#[async_trait]
impl Outbound for Service {
    async fn send(&self, _: &str, _: Target, payload: Payload) -> Result<(), SendError> {
        *self.sent.lock().unwrap() = Some(payload);
        Ok(())
    }

    async fn invoke(
        &self,
        _: &str,
        _: &str,
        payload: Payload,
        _: Option<Duration>,
    ) -> Result<Bytes, InvokeError> {
        *self.sent.lock().unwrap() = Some(payload);
        Ok(self.answer.clone())
    }

    async fn change(&self, _: &str, _: Change) -> Result<(), SendError> {
        Ok(())
    }

    async fn check(&self, _: &str, _: Check) -> Result<bool, SendError> {
        Ok(false)
    }

    async fn members(&self, _: &str, _: &str, _: Option<String>) -> Result<MemberPage, SendError> {
        Ok(MemberPage::default())
    }
}

struct Hub;

#[hub_runtime::serverless_hub]
impl Hub {}

impl Service {
    fn context(self: &Arc<Self>) -> HubContext<Hub> {
        HubContext::new(Arc::clone(self) as Arc<dyn Outbound>, "values".into())
    }

    fn sent(&self) -> Option<Payload> {
        self.sent.lock().unwrap().take()
    }
}

/// Sends a value to all clients. Returns the arguments in both protocols.
async fn broadcast<T: Serialize + Sync>(value: &T) -> Result<[Bytes; 2], SendError> {
    let service = Arc::new(Service::default());
    service.context().clients().all().send("m", (value,)).await.inspect_err(|_| {
        assert!(service.sent().is_none(), "something was sent");
    })?;
    let payload = service.sent().unwrap();
    Ok([Protocol::Json, Protocol::MessagePack].map(|protocol| payload.arguments(protocol).clone()))
}

/// What a client's result in this protocol is read as. The service converts MessagePack to JSON.
async fn client_result<T: DeserializeOwned + 'static>(
    protocol: Protocol,
    value: Bytes,
) -> Result<T, String> {
    let answer = convert(&value, protocol, Protocol::Json).unwrap();
    let service = Arc::new(Service { answer, ..Service::default() });
    let answer = service.context().clients().client("c").invoke::<T>("m", ()).await;
    answer.map_err(|error| match error {
        InvokeError::Decode(source) => source.to_string(),
        other => other.to_string(),
    })
}

/// Checks a value in all four places: its JSON, its MessagePack (in hexadecimal digits), and what both are read as.
async fn is_written<T>(value: T, json: &str, packed: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + Sync + 'static,
{
    let packed = hex(packed);
    assert_eq!(result(&value, Protocol::Json).unwrap(), json, "result");
    assert_eq!(result(&value, Protocol::MessagePack).unwrap(), packed, "result of {json}");
    let [sent, sent_packed] = broadcast(&value).await.unwrap();
    assert_eq!(sent, format!("[{json}]"), "message");
    assert_eq!(sent_packed, [b"\x91", &packed[..]].concat(), "message of {json}");
    is_read(value, json, &packed).await;
}

/// Checks what a JSON value and a MessagePack value are read as, as an argument and as a client result.
async fn is_read<T>(value: T, json: &str, packed: &[u8])
where
    T: DeserializeOwned + PartialEq + Debug + 'static,
{
    for (protocol, encoded) in [(Protocol::Json, json.as_bytes()), (Protocol::MessagePack, packed)]
    {
        let read = argument::<T>(protocol, encoded);
        assert_eq!(read.as_ref(), Ok(&value), "{protocol:?} argument of {json}");
        let encoded = Bytes::copy_from_slice(encoded);
        let read = client_result::<T>(protocol, encoded).await;
        assert_eq!(read.as_ref(), Ok(&value), "{protocol:?} client result of {json}");
    }
}

/// Checks that a value has no form in MessagePack, and that nothing is sent.
async fn has_no_form<T: Serialize + Sync>(value: &T, parts: &[&str]) {
    let error = broadcast(value).await.unwrap_err();
    let SendError::Encode(source) = &error else { panic!("{error:?}") };
    let text = source.to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}
