//! Serialization of values of the application.
//!
//! Structs are maps, types with a human-readable form, such as UUIDs, are text, and map keys are texts or numbers,
//! because clients refuse other keys (`@msgpack/msgpack`, `Decoder.ts`: "The type of key must be string or number").
//! Map entries with the key `__proto__` are omitted.

use std::any::type_name;

use serde::{
    Serialize, Serializer,
    ser::{
        Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
        SerializeTuple, SerializeTupleStruct, SerializeTupleVariant,
    },
};

use super::{
    TIMESTAMP, ValueError, Writer, from_json,
    proto_key::KEY,
    reader::{Reader, Token},
};
use crate::{
    dotnet::PACKED as PACKED_MARK,
    values::{Moment, TIMESTAMP_MARK, to_base64},
};

/// The beginning of the private names by which `serde_json` marks raw JSON and numbers with any number of digits.
const JSON_MARK: &str = "$serde_json::private::";

/// Appends a value. The error names the type that has no form in MessagePack.
pub(crate) fn write_value<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
) -> Result<(), ValueError> {
    let start = out.len();
    let mut writer = Writer(std::mem::take(out));
    let written = value.serialize(Output::<false>(&mut writer));
    *out = writer.0;
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// The serializer of a value. Inside of a value with a form of its own in MessagePack it is not human-readable, so that
/// the value writes that form.
struct Output<'a, const PACKED: bool = false>(&'a mut Writer);

impl<'a, const PACKED: bool> Output<'a, PACKED> {
    fn begin(self, length: Option<usize>, head: fn(&mut Writer, usize)) -> Items<'a> {
        let start = self.0.0.len();
        head(self.0, length.unwrap_or(0));
        let content = self.0.0.len();
        Items { out: self.0, start, content, declared: length, count: 0, head, omits: false }
    }

    /// Begins the content of an enum variant: a map with the variant's name as its key.
    fn variant(self, name: &str) -> Self {
        self.0.map(1);
        self.0.text(name);
        self
    }

    fn wide(self, number: impl TryInto<u64> + TryInto<i64> + Copy + ToString) -> Written {
        if let Ok(number) = number.try_into() {
            self.0.unsigned(number);
            return Ok(());
        }
        let signed: Result<i64, _> = number.try_into();
        let too_large = |_| {
            let number = number.to_string();
            ValueError(format!(
                "the integer {number} has no form in MessagePack: it has more than 64 bits"
            ))
        };
        self.0.signed(signed.map_err(too_large)?);
        Ok(())
    }
}

type Written = Result<(), ValueError>;

macro_rules! scalars {
    ($($method:ident $ty:ty => $write:ident;)+) => {
        $(
            fn $method(self, value: $ty) -> Written {
                self.0.$write(value.into());
                Ok(())
            }
        )+
    };
}

impl<'a, const PACKED: bool> Serializer for Output<'a, PACKED> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Items<'a>;

    fn is_human_readable(&self) -> bool {
        !PACKED
    }

    scalars! {
        serialize_bool bool => bool;
        serialize_i8 i8 => signed;
        serialize_i16 i16 => signed;
        serialize_i32 i32 => signed;
        serialize_i64 i64 => signed;
        serialize_u8 u8 => unsigned;
        serialize_u16 u16 => unsigned;
        serialize_u32 u32 => unsigned;
        serialize_u64 u64 => unsigned;
        serialize_f32 f32 => single;
        serialize_f64 f64 => float;
        serialize_str &str => text;
        serialize_bytes &[u8] => binary;
    }

    fn serialize_i128(self, value: i128) -> Written {
        self.wide(value)
    }

    fn serialize_u128(self, value: u128) -> Written {
        self.wide(value)
    }

    fn serialize_char(self, value: char) -> Written {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.0.nil();
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Written {
        if name == PACKED_MARK {
            return value.serialize(Output::<true>(self.0));
        }
        if name != TIMESTAMP_MARK {
            return value.serialize(self);
        }
        let data = Moment::parse(&text_of(value)?).and_then(Moment::to_extension);
        self.0.extension(TIMESTAMP, &data.ok_or_else(|| ValueError::custom("no timestamp"))?);
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self.variant(variant))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items<'a>, ValueError> {
        Ok(self.begin(length, Writer::array))
    }

    fn serialize_tuple(self, length: usize) -> Result<Items<'a>, ValueError> {
        Ok(self.begin(Some(length), Writer::array))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Items<'a>, ValueError> {
        Ok(self.begin(Some(length), Writer::array))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Items<'a>, ValueError> {
        Ok(self.variant(variant).begin(Some(length), Writer::array))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Items<'a>, ValueError> {
        Ok(self.begin(length, Writer::map))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Members<'a>, ValueError> {
        if name.starts_with(JSON_MARK) {
            return Ok(Members::Json(self.0));
        }
        Ok(Members::Named(self.begin(Some(length), Writer::map)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Items<'a>, ValueError> {
        Ok(self.variant(variant).begin(Some(length), Writer::map))
    }
}

/// The text that a value is written as.
fn text_of<T: Serialize + ?Sized>(value: &T) -> Result<String, ValueError> {
    let mut writer = Writer::default();
    value.serialize(Output::<false>(&mut writer))?;
    Reader::new(&writer.0).text().map(str::to_owned).map_err(ValueError::custom)
}

/// An array or a map. Its header is corrected at the end if it has another length than declared.
struct Items<'a> {
    out: &'a mut Writer,
    start: usize,
    content: usize,
    declared: Option<usize>,
    count: usize,
    head: fn(&mut Writer, usize),
    /// Whether the value of the last key is omitted.
    omits: bool,
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.count += 1;
        value.serialize(Output::<false>(&mut *self.out))
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        let start = self.out.0.len();
        key.serialize(Output::<false>(&mut *self.out))?;
        let text = match Reader::new(&self.out.0[start..]).token().map_err(ValueError::custom)? {
            Token::Text(text) => {
                self.omits = text == KEY.as_bytes();
                return Ok(());
            }
            Token::Unsigned(_) | Token::Signed(_) => return Ok(()),
            Token::Float64(key) if key.is_finite() => return Ok(()),
            Token::Float32(key) if key.is_finite() => return Ok(()),
            Token::Bool(key) => key.to_string(),
            Token::Binary(bytes) => to_base64(bytes).to_string(),
            Token::Extension(TIMESTAMP, data) => {
                Moment::from_extension(data).map(Moment::text).unwrap_or_default()
            }
            _ => {
                let name = type_name::<T>().trim_start_matches('&');
                return Err(ValueError(format!(
                    "a map key of type `{name}` has no form: key must be a text, a number or a boolean"
                )));
            }
        };
        self.out.0.truncate(start);
        self.out.text(&text);
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        if self.omits {
            self.omits = false;
            let key = 1 + KEY.len();
            let start = self.out.0.len() - key;
            self.out.0.truncate(start);
            return Ok(());
        }
        self.item(value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        if name == KEY {
            return Ok(());
        }
        self.out.text(name);
        self.item(value)
    }

    fn finish(self) -> Written {
        if self.declared != Some(self.count) {
            let mut head = Writer::default();
            (self.head)(&mut head, self.count);
            self.out.0.splice(self.start..self.content, head.0);
        }
        Ok(())
    }
}

macro_rules! items {
    ($($trait:ident $method:ident($($name:ident: $ty:ty)?) $part:ident;)+) => {
        $(
            impl $trait for Items<'_> {
                type Ok = ();
                type Error = ValueError;

                fn $method<T: Serialize + ?Sized>(&mut self, $($name: $ty,)? value: &T) -> Written {
                    self.$part($($name,)? value)
                }

                fn end(self) -> Written {
                    self.finish()
                }
            }
        )+
    };
}

items! {
    SerializeSeq serialize_element() item;
    SerializeTuple serialize_element() item;
    SerializeTupleStruct serialize_field() item;
    SerializeTupleVariant serialize_field() item;
    SerializeStructVariant serialize_field(name: &'static str) field;
}

impl SerializeMap for Items<'_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.value(value)
    }

    fn end(self) -> Written {
        self.finish()
    }
}

/// The fields of a struct, or the JSON text that `serde_json` writes as a struct.
enum Members<'a> {
    Named(Items<'a>),
    Json(&'a mut Writer),
}

impl SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        match self {
            Self::Named(items) => items.field(name, value),
            Self::Json(out) => {
                let value = from_json(text_of(value)?.as_bytes()).map_err(ValueError::custom)?;
                out.raw(&value);
                Ok(())
            }
        }
    }

    fn end(self) -> Written {
        match self {
            Self::Named(items) => items.finish(),
            Self::Json(_) => Ok(()),
        }
    }
}
