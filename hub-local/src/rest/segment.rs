//! Names in paths. Segments are split first, then decoded and checked, so an encoded `/` stays part of a
//! name.

use hub_core::names::{self, NameError};
use percent_encoding::percent_decode_str;

use super::error::RestError;

const MAX_STREAM_ID_CHARS: usize = 100;

pub(super) fn hub(segment: &str) -> Result<String, RestError> {
    let name = decode(segment)?;
    check("hub", names::check_hub(&name))?;
    Ok(name)
}

pub(super) fn group(segment: &str) -> Result<String, RestError> {
    let name = decode(segment)?;
    check("group", names::check_group(&name))?;
    Ok(name)
}

pub(super) fn user(segment: &str) -> Result<String, RestError> {
    let id = decode(segment)?;
    check("user", names::check_user(&id))?;
    Ok(id)
}

pub(super) fn connection(segment: &str) -> Result<String, RestError> {
    let id = decode(segment)?;
    check("connection", names::check_connection_id(&id))?;
    Ok(id)
}

/// Checks the id of a stream: not blank, at most 100 characters (Azure SignalR REST API 2024-12-01).
pub(super) fn check_stream(segment: &str) -> Result<(), RestError> {
    let id = decode(segment)?;
    if id.trim().is_empty() {
        return Err(RestError::invalid("stream", "a stream id must not be empty"));
    }
    if id.chars().count() > MAX_STREAM_ID_CHARS {
        let message = format!("a stream id has at most {MAX_STREAM_ID_CHARS} characters");
        return Err(RestError::invalid("stream", message));
    }
    Ok(())
}

/// Converts a name error; `target` is the part of the request that contains the name.
pub(super) fn check(target: &'static str, checked: Result<(), NameError>) -> Result<(), RestError> {
    checked.map_err(|error| RestError::invalid(target, error.to_string()))
}

fn decode(segment: &str) -> Result<String, RestError> {
    percent_decode_str(segment)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| RestError::invalid("path", "the path is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ids_have_one_to_a_hundred_characters() {
        assert!(check_stream("%C3%BC%2F1").is_ok());
        assert!(check_stream(&"%C3%BC".repeat(100)).is_ok());
        for bad in [String::new(), "%20%09".to_owned(), "%C3%BC".repeat(101), "%FF".to_owned()] {
            assert!(check_stream(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn groups_are_counted_in_characters() {
        assert!(group(&"%F0%9F%98%80".repeat(1024)).is_ok());
        assert!(group(&"%F0%9F%98%80".repeat(1025)).is_err());
        assert!(group("%20").is_err());
    }
}
