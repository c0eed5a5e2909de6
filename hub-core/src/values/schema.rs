//! Schemas of values that the adapters write.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::timestamp;

/// The schema of a date with the adapter `timestamp`: RFC 3339 text in JSON, the timestamp extension in MessagePack.
#[derive(Clone, Copy, Debug)]
pub struct Timestamp(());

/// The schema of bytes with the adapter `binary`, and of types that ask serde for bytes, such as `serde_bytes::ByteBuf`
/// and `bytes::Bytes`: Base64 in JSON, binary data in MessagePack.
#[derive(Clone, Copy, Debug)]
pub struct Binary(());

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time", "x-hub": "timestamp"})
    }
}

impl JsonSchema for Binary {
    fn schema_name() -> Cow<'static, str> {
        "Binary".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "contentEncoding": "base64", "x-hub": "binary"})
    }
}

impl<T> JsonSchema for timestamp::Timestamp<T> {
    fn schema_name() -> Cow<'static, str> {
        Timestamp::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Timestamp::json_schema(generator)
    }
}
