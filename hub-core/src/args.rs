//! Arguments of a call: split without decoding, then bound one by one.

use std::fmt;

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, Error as _, IgnoredAny, SeqAccess, Visitor, value::Error as ValueError,
    },
    forward_to_deserialize_any,
};
use serde_json::value::{RawValue, Value};

#[cfg(feature = "msgpack")]
use crate::protocol::msgpack;
use crate::{
    HubError,
    hub::Category,
    invocation::Invocation,
    protocol::Protocol,
    reading::{self, MethodReading},
};

/// A type that client arguments are decoded into: any owned type that implements `Deserialize`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be bound from a client argument; derive `serde::Deserialize` for it, or mark the parameter with `#[from_context]`",
    label = "not an owned type that implements `serde::Deserialize`",
    note = "`#[from_context]` needs `impl FromContext for {Self}`"
)]
pub trait HubArg: Sized + Send {
    /// Decodes the next argument.
    fn bind(args: &mut Args<'_>, name: &'static str) -> Result<Self, HubError>;

    /// Decodes all arguments as one value.
    fn bind_arguments(call: &Invocation) -> Result<Self, HubError>;

    /// Decodes the message as one value.
    fn bind_body(call: &Invocation) -> Result<Self, HubError>;

    /// Whether the argument is optional at the end of the list.
    fn is_optional() -> bool;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + Send> HubArg for T {
    fn bind(args: &mut Args<'_>, name: &'static str) -> Result<Self, HubError> {
        args.position += 1;
        args.read(args.position - 1).map_err(|fault| fault.of(args.position, Some(name)))
    }

    fn bind_arguments(call: &Invocation) -> Result<Self, HubError> {
        call.arguments()
    }

    fn bind_body(call: &Invocation) -> Result<Self, HubError> {
        call.body()
    }

    fn is_optional() -> bool {
        T::deserialize(Absent).is_ok()
    }
}

/// Why an argument was not bound.
enum Fault {
    Missing,
    Unfit(String),
}

impl Fault {
    /// Returns the error for the client. `position` counts from 1.
    fn of(self, position: usize, name: Option<&str>) -> HubError {
        let name = name.map(|name| format!(" (`{name}`)")).unwrap_or_default();
        let text = match self {
            Self::Missing => format!("argument {position}{name} is missing"),
            Self::Unfit(text) => format!("argument {position}{name}: {text}"),
        };
        HubError::argument(Some(position), text)
    }
}

/// The arguments of one call that are not bound yet.
#[doc(hidden)]
#[derive(Debug)]
pub struct Args<'a> {
    /// Without the arguments that no parameter takes.
    items: Items<'a>,
    /// The number of all arguments.
    count: usize,
    position: usize,
    refuse_extra: bool,
    reading: Option<&'a MethodReading>,
}

#[derive(Clone, Copy, Debug)]
enum Item<'a> {
    Json(&'a RawValue),
    #[cfg(feature = "msgpack")]
    MessagePack(&'a [u8]),
    Text(Option<&'a str>),
}

/// The number of items that need no allocation. Most methods have fewer parameters.
const FEW: usize = 4;

/// A list of items. A short list is in the value itself.
#[derive(Debug, Default)]
struct Items<'a> {
    few: [Option<Item<'a>>; FEW],
    more: Vec<Item<'a>>,
    length: usize,
}

impl<'a> Items<'a> {
    fn push(&mut self, item: Item<'a>) {
        match self.few.get_mut(self.length) {
            Some(place) => *place = Some(item),
            None => self.more.push(item),
        }
        self.length += 1;
    }

    fn get(&self, position: usize) -> Option<Item<'a>> {
        match self.few.get(position) {
            Some(item) => *item,
            None => self.more.get(position.checked_sub(FEW)?).copied(),
        }
    }
}

/// The first items of a JSON array, at most this number, and the number of all items.
struct ItemsVisitor(usize);

impl<'a> Visitor<'a> for ItemsVisitor {
    type Value = (Items<'a>, usize);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut items = Items::default();
        while items.length < self.0 {
            let Some(raw) = array.next_element::<&RawValue>()? else { break };
            items.push(Item::Json(raw));
        }
        let mut count = items.length;
        while array.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((items, count))
    }
}

fn json_items(array: &[u8], limit: usize) -> Result<(Items<'_>, usize), serde_json::Error> {
    // Checks the encoding once, and not for each item.
    let array = str::from_utf8(array).map_err(serde_json::Error::custom)?;
    let mut reader = serde_json::Deserializer::from_str(array);
    let items = (&mut reader).deserialize_seq(ItemsVisitor(limit))?;
    reader.end()?;
    Ok(items)
}

impl<'a> Args<'a> {
    /// Splits the first `limit` arguments of a call without decoding them, and counts the others.
    ///
    /// # Errors
    /// When the argument array itself is malformed.
    pub fn of(call: &'a Invocation, limit: usize) -> Result<Self, HubError> {
        match call.category() {
            Category::Message => Self::message(call, limit),
            Category::Connected | Category::Refreshed => Ok(Self {
                items: Items::default(),
                count: 0,
                position: 0,
                refuse_extra: true,
                reading: None,
            }),
            // The close reason is optional for the method, so an unbound argument is not an error.
            Category::Disconnected => {
                let mut items = Items::default();
                items.push(Item::Text(call.error()));
                Ok(Self { items, count: 1, position: 0, refuse_extra: false, reading: None })
            }
        }
    }

    fn message(call: &'a Invocation, limit: usize) -> Result<Self, HubError> {
        let (items, count) = match call.protocol() {
            Protocol::Json => json_items(call.raw_arguments(), limit)
                .map_err(|_| HubError::rejected("the arguments are not a JSON array"))?,
            #[cfg(feature = "msgpack")]
            Protocol::MessagePack => {
                let mut items = Items::default();
                let count = msgpack::each_element(call.raw_arguments(), |element| {
                    if items.length < limit {
                        items.push(Item::MessagePack(element));
                    }
                });
                let count = count
                    .map_err(|_| HubError::rejected("the arguments are not a MessagePack array"))?;
                (items, count)
            }
        };
        Ok(Self { items, count, position: 0, refuse_extra: true, reading: call.reading() })
    }

    /// Decodes one argument. `position` counts from 0.
    pub(crate) fn at<T: DeserializeOwned>(&self, position: usize) -> Result<T, HubError> {
        self.read(position).map_err(|fault| fault.of(position.saturating_add(1), None))
    }

    fn read<T: DeserializeOwned>(&self, position: usize) -> Result<T, Fault> {
        let bound = match self.items.get(position) {
            Some(Item::Json(raw)) => {
                reading::json(raw.get(), self.reading).map_err(|e| json_text(&e))
            }
            #[cfg(feature = "msgpack")]
            Some(Item::MessagePack(value)) => reading::message_pack(value, self.reading),
            Some(Item::Text(text)) => {
                // A `Value` can be deserialized into any type, including `Option`.
                let value = text.map_or(Value::Null, Value::from);
                T::deserialize(value).map_err(|error| error.to_string())
            }
            None => return T::deserialize(Absent).map_err(|_| Fault::Missing),
        };
        bound.map_err(Fault::Unfit)
    }

    /// Fails if unbound arguments remain.
    ///
    /// # Errors
    /// When the call has more arguments than the method has parameters.
    pub fn finish(self) -> Result<(), HubError> {
        if !self.refuse_extra || self.count <= self.position {
            return Ok(());
        }
        let (takes, got) = (self.position, self.count);
        let plural = if takes == 1 { "" } else { "s" };
        let text = format!("too many arguments: expected {takes} argument{plural}, got {got}");
        Err(HubError::argument(None, text))
    }
}

pub(crate) fn json_text(error: &serde_json::Error) -> String {
    // Remove the position: it is relative to the argument, not to the message of the client.
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The deserializer of an argument that the client did not send.
struct Absent;

impl<'de> Deserializer<'de> for Absent {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ValueError> {
        Err(ValueError::custom("missing"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::invocation::InvocationParts;

    type Alias = Option<bool>;

    fn call(arguments: &'static str) -> Invocation {
        call_in(Protocol::Json, arguments.as_bytes())
    }

    fn call_in(protocol: Protocol, arguments: &'static [u8]) -> Invocation {
        let parts = InvocationParts {
            protocol,
            arguments: Bytes::from_static(arguments),
            ..InvocationParts::new("chat", Category::Message, "m", "c")
        };
        Invocation::new(parts, Arc::new(()))
    }

    fn split(call: &Invocation) -> Result<Args<'_>, HubError> {
        Args::of(call, 3)
    }

    #[test]
    fn arguments_that_no_parameter_takes_are_counted_and_not_kept() {
        let many = format!("[1{}]", ",1".repeat(100_000)).leak();
        let call = call(many);
        let mut args = Args::of(&call, 1).unwrap();

        assert_eq!((args.items.length, args.items.more.capacity()), (1, 0));
        u8::bind(&mut args, "number").unwrap();
        let error = args.finish().unwrap_err();
        assert_eq!(error.text(), "too many arguments: expected 1 argument, got 100001");
    }

    #[test]
    fn long_lists_are_bound_in_order_up_to_their_end() {
        let call = call("[1,2,3,4,5,6]");
        let mut args = Args::of(&call, 7).unwrap();

        for number in 1..=6 {
            assert_eq!(u8::bind(&mut args, "number").unwrap(), number);
        }
        let error = u8::bind(&mut args, "number").unwrap_err();
        assert_eq!(error.text(), "argument 7 (`number`) is missing");
    }

    #[test]
    fn a_trailing_option_may_be_omitted_or_null() {
        for arguments in [r#"["a"]"#, r#"["a",null]"#] {
            let call = call(arguments);
            let mut args = split(&call).unwrap();

            assert_eq!(String::bind(&mut args, "room").unwrap(), "a");
            assert_eq!(Alias::bind(&mut args, "notify").unwrap(), None);
            args.finish().unwrap();
        }
    }

    #[test]
    fn a_missing_argument_is_named_by_position_and_name() {
        let call = call(r#"["a"]"#);
        let mut args = split(&call).unwrap();
        String::bind(&mut args, "room").unwrap();

        let error = String::bind(&mut args, "text").unwrap_err();

        assert_eq!(error.text(), "argument 2 (`text`) is missing");
    }

    #[test]
    fn a_wrong_type_is_named_by_position_and_name() {
        let call = call("[7]");
        let mut args = split(&call).unwrap();

        let error = String::bind(&mut args, "room").unwrap_err();

        assert_eq!(
            error.text(),
            "argument 1 (`room`): invalid type: integer `7`, expected a string"
        );
    }

    #[test]
    fn extra_arguments_are_refused() {
        let call = call(r#"["a","b"]"#);
        let mut args = split(&call).unwrap();
        String::bind(&mut args, "room").unwrap();

        let error = args.finish().unwrap_err();

        assert_eq!(error.text(), "too many arguments: expected 1 argument, got 2");
    }

    #[cfg(feature = "msgpack")]
    mod in_messagepack {
        use super::*;

        fn call(arguments: &'static [u8]) -> Invocation {
            call_in(Protocol::MessagePack, arguments)
        }

        #[test]
        fn a_trailing_option_may_be_omitted_or_nil() {
            for arguments in [&b"\x91\xa1a"[..], b"\x92\xa1a\xc0"] {
                let call = call(arguments);
                let mut args = split(&call).unwrap();

                assert_eq!(String::bind(&mut args, "room").unwrap(), "a");
                assert_eq!(Alias::bind(&mut args, "notify").unwrap(), None);
                args.finish().unwrap();
            }
        }

        #[test]
        fn failures_have_the_texts_of_json() {
            let call = call(b"\x92\x07\xa1b");
            let mut args = split(&call).unwrap();

            let wrong = String::bind(&mut args, "room").unwrap_err();
            assert_eq!(
                wrong.text(),
                "argument 1 (`room`): invalid type: integer `7`, expected a string"
            );
            String::bind(&mut args, "text").unwrap();
            let missing = String::bind(&mut args, "more").unwrap_err();
            assert_eq!(missing.text(), "argument 3 (`more`) is missing");
            let mut args = split(&call).unwrap();
            u8::bind(&mut args, "number").unwrap();
            let extra = args.finish().unwrap_err();
            assert_eq!(extra.text(), "too many arguments: expected 1 argument, got 2");
        }

        #[test]
        fn arguments_that_are_no_array_are_refused() {
            for arguments in [&b""[..], b"\x80", b"\x92\x01", b"\xdd\xff\xff\xff\xff"] {
                assert!(split(&call(arguments)).is_err(), "{arguments:x?}");
            }
        }
    }
}
