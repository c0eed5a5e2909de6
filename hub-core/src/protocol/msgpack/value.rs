//! Serialization of values of the application.

use serde::Serialize;

use super::{from_json, proto_key};

/// The error for a value that cannot be serialised.
type EncodeError = rmp_serde::encode::Error;

/// Appends a value in the form that clients expect: structs are maps, and types with a human-readable
/// form, such as UUIDs, are text. Map entries with the key `__proto__` are omitted.
pub(crate) fn write_value<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
) -> Result<(), EncodeError> {
    let start = out.len();
    let mut serializer =
        rmp_serde::Serializer::new(&mut *out).with_struct_map().with_human_readable();
    value.serialize(&mut serializer)?;
    let written = &out[start..];
    if !written.iter().any(|byte| matches!(byte, b'$' | b'_')) {
        return Ok(());
    }
    let failed = |error: &dyn std::fmt::Display| EncodeError::Syntax(error.to_string());
    let replacement = if holds_json_text(written) {
        let json = serde_json::to_vec(value).map_err(|error| failed(&error))?;
        from_json(&json).map_err(|error| failed(&error))?.into()
    } else if proto_key::is_mentioned(written) {
        proto_key::without(written).map_err(|error| failed(&error))?
    } else {
        return Ok(());
    };
    out.truncate(start);
    out.extend_from_slice(&replacement);
    Ok(())
}

/// Whether a value contains raw JSON text, such as `serde_json::value::RawValue`, which `serde_json` marks
/// with a private struct name.
fn holds_json_text(encoded: &[u8]) -> bool {
    const NAME: &[u8] = b"$serde_json::private::";
    let dollars = encoded.iter().enumerate().filter(|(_, byte)| **byte == b'$');
    dollars.map(|(at, _)| at).any(|at| encoded[at..].starts_with(NAME))
}
