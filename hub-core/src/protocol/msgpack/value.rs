//! Serialization of values of the application.

use serde::Serialize;

use super::from_json;

/// The error for a value that cannot be serialised.
type EncodeError = rmp_serde::encode::Error;

/// Appends a value in the form that clients expect: structs are maps, and types with a human-readable
/// form, such as UUIDs, are text.
pub(crate) fn write_value<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
) -> Result<(), EncodeError> {
    let start = out.len();
    let mut serializer =
        rmp_serde::Serializer::new(&mut *out).with_struct_map().with_human_readable();
    value.serialize(&mut serializer)?;
    if !holds_json_text(&out[start..]) {
        return Ok(());
    }
    let failed = |error: &dyn std::fmt::Display| EncodeError::Syntax(error.to_string());
    let json = serde_json::to_vec(value).map_err(|error| failed(&error))?;
    let converted = from_json(&json).map_err(|error| failed(&error))?;
    out.truncate(start);
    out.extend_from_slice(&converted);
    Ok(())
}

/// Whether a value contains raw JSON text, such as `serde_json::value::RawValue`, which `serde_json` marks
/// with a private struct name.
fn holds_json_text(encoded: &[u8]) -> bool {
    const NAME: &[u8] = b"$serde_json::private::";
    let dollars = encoded.iter().enumerate().filter(|(_, byte)| **byte == b'$');
    dollars.map(|(at, _)| at).any(|at| encoded[at..].starts_with(NAME))
}
