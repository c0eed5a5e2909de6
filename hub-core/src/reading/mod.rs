//! Decoding of the values that clients send.
//!
//! The fields of structs match the members of objects without ASCII case, because the .NET clients write the
//! properties of a class as C# spells them (MessagePack always, JSON without a naming policy). Numbers do not
//! lose digits silently.

mod any_case;
mod digits;
mod fields;
mod inside;
mod names;

use std::{
    cell::{Cell, RefCell},
    error::Error,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use serde::de::DeserializeOwned;

use self::{any_case::AnyCase, fields::Unmatched};
#[cfg(feature = "msgpack")]
use crate::protocol::msgpack;
use crate::values::Reading;

/// How the arguments of one hub method are read.
#[derive(Debug)]
pub(crate) struct MethodReading {
    pub(crate) hub: &'static str,
    /// The client name of the method.
    pub(crate) method: &'static str,
    /// The key `exact_names`.
    pub(crate) exact_names: bool,
    /// Whether the warning about an object without a known member was logged.
    warned: AtomicBool,
}

impl MethodReading {
    pub(crate) fn new(hub: &'static str, method: &'static str, exact_names: bool) -> Self {
        Self { hub, method, exact_names, warned: AtomicBool::new(false) }
    }

    fn warn(&self, object: &Unmatched) {
        if self.warned.swap(true, Relaxed) {
            return;
        }
        tracing::warn!(
            hub = self.hub,
            method = self.method,
            "a client sent an object in which no member is a field of `{}`: its first member is `{}`, the fields are \
             {}. Unknown members are ignored. Rename the members at the client, or the fields (`#[serde(rename)]`). \
             Further objects of this method are not logged",
            object.type_name,
            object.member,
            object.fields(),
        );
    }
}

/// The state of one decoding.
#[derive(Debug, Default)]
struct Notes {
    exact_names: bool,
    /// Whether numbers are checked for lost digits. The first decoding does not check them, because that needs
    /// the text of each number.
    checks_digits: bool,
    /// Whether a number was decoded as a float.
    has_floats: Cell<bool>,
    /// The first object without a known member.
    unmatched: RefCell<Option<Unmatched>>,
}

impl Notes {
    fn of(method: Option<&MethodReading>) -> Self {
        let exact_names = method.is_some_and(|method| method.exact_names);
        Self { exact_names, ..Self::default() }
    }

    fn report(self, method: Option<&MethodReading>) {
        if let (Some(method), Some(object)) = (method, self.unmatched.into_inner()) {
            method.warn(&object);
        }
    }
}

/// The text about a number of a JSON document that loses digits as a `serde_json::Value`, if there is one.
#[must_use]
pub fn lost_number(json: &[u8]) -> Option<String> {
    let lost = digits::lost_in(str::from_utf8(json).ok()?, |number| {
        number.parse::<i64>().is_err() && number.parse::<u64>().is_err() && digits::lost(number)
    });
    lost.map(digits::error)
}

/// Decodes a JSON value of a client.
pub(crate) fn json<T: DeserializeOwned>(
    text: &str,
    method: Option<&MethodReading>,
) -> Result<T, serde_json::Error> {
    let notes = Notes::of(method);
    let mut value = json_with(text, &notes);
    if notes.has_floats.get() && value.is_ok() && digits::lost_in(text, digits::lost).is_some() {
        value = json_with(text, &Notes { checks_digits: true, ..Notes::of(method) });
    }
    notes.report(method);
    value
}

fn json_with<T: DeserializeOwned>(text: &str, notes: &Notes) -> Result<T, serde_json::Error> {
    let mut source = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(AnyCase::new(Reading::new(&mut source), notes))?;
    source.end()?;
    Ok(value)
}

/// Decodes a MessagePack value of a client. The error is a text for the client.
#[cfg(feature = "msgpack")]
pub(crate) fn message_pack<T: DeserializeOwned>(
    value: &[u8],
    method: Option<&MethodReading>,
) -> Result<T, String> {
    let notes = Notes::of(method);
    let value = msgpack::read_value(value, AnyCase::new(std::marker::PhantomData::<T>, &notes));
    notes.report(method);
    value
}

/// Decodes the result of a client method. The service sends it as JSON.
pub(crate) fn client_result<T: DeserializeOwned>(
    json: &[u8],
) -> Result<T, Box<dyn Error + Send + Sync>> {
    Ok(self::json(str::from_utf8(json)?, None)?)
}

#[cfg(test)]
mod tests;
