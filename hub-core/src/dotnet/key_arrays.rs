//! `[MessagePackObject]` with `[Key(0)]`: an array in MessagePack.

use serde::{
    Deserialize, Serialize, Serializer,
    ser::{Error, Impossible, SerializeStruct, SerializeTuple},
};

/// A struct that is an object in JSON and an array of its fields in MessagePack, like a C# class with
/// `[MessagePackObject]` and `[Key(0)]`, `[Key(1)]`, …
///
/// The fields have the order of the keys. Structs read both forms without this type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
pub struct Keyed<T>(pub T);

impl<T: Serialize> Serialize for Keyed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        keyed::serialize(&self.0, serializer)
    }
}

/// The fields of a struct as an array.
struct Fields<T>(T);

impl<T: Serialize> Serialize for Fields<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(ToArray(serializer))
    }
}

/// A struct as a [`Keyed`] struct.
pub mod keyed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Fields;

    /// Writes the struct.
    ///
    /// # Errors
    /// When the type is not a struct with named fields.
    pub fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        crate::dotnet::write(serializer, value, Fields(value))
    }

    /// Reads the struct from an array or an object.
    ///
    /// # Errors
    /// When the value does not fit the struct.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::deserialize(deserializer)
    }
}

/// A serializer that writes a struct as an array.
struct ToArray<S>(S);

struct Elements<A>(A);

impl<A: SerializeTuple> SerializeStruct for Elements<A> {
    type Ok = A::Ok;
    type Error = A::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), A::Error> {
        self.0.serialize_element(value)
    }

    /// A skipped field is nil, so that the fields after it keep their positions.
    fn skip_field(&mut self, _: &'static str) -> Result<(), A::Error> {
        self.0.serialize_element(&())
    }

    fn end(self) -> Result<A::Ok, A::Error> {
        self.0.end()
    }
}

fn no_struct<T, E: Error>() -> Result<T, E> {
    Err(E::custom("only a struct with named fields is an array of its fields"))
}

macro_rules! refuse {
    ($($method:ident($($ty:ty),*) $(<$generic:ident>)? -> $ok:ty;)+) => {
        $(
            fn $method$(<$generic: Serialize + ?Sized>)?(self, $(_: $ty),*) -> Result<$ok, S::Error> {
                no_struct()
            }
        )+
    };
}

impl<S: Serializer> Serializer for ToArray<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Impossible<S::Ok, S::Error>;
    type SerializeTuple = Impossible<S::Ok, S::Error>;
    type SerializeTupleStruct = Impossible<S::Ok, S::Error>;
    type SerializeTupleVariant = Impossible<S::Ok, S::Error>;
    type SerializeMap = Impossible<S::Ok, S::Error>;
    type SerializeStruct = Elements<S::SerializeTuple>;
    type SerializeStructVariant = Impossible<S::Ok, S::Error>;

    fn serialize_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.0.serialize_tuple(length).map(Elements)
    }

    refuse! {
        serialize_bool(bool) -> S::Ok;
        serialize_i8(i8) -> S::Ok;
        serialize_i16(i16) -> S::Ok;
        serialize_i32(i32) -> S::Ok;
        serialize_i64(i64) -> S::Ok;
        serialize_u8(u8) -> S::Ok;
        serialize_u16(u16) -> S::Ok;
        serialize_u32(u32) -> S::Ok;
        serialize_u64(u64) -> S::Ok;
        serialize_f32(f32) -> S::Ok;
        serialize_f64(f64) -> S::Ok;
        serialize_char(char) -> S::Ok;
        serialize_str(&str) -> S::Ok;
        serialize_bytes(&[u8]) -> S::Ok;
        serialize_none() -> S::Ok;
        serialize_some(&T) <T> -> S::Ok;
        serialize_unit() -> S::Ok;
        serialize_unit_struct(&'static str) -> S::Ok;
        serialize_unit_variant(&'static str, u32, &'static str) -> S::Ok;
        serialize_newtype_struct(&'static str, &T) <T> -> S::Ok;
        serialize_newtype_variant(&'static str, u32, &'static str, &T) <T> -> S::Ok;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}
