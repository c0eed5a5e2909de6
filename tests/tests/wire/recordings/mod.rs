//! Replays recorded traffic of Microsoft's programs against the local service. `tests/recordings` holds the
//! data and describes it.

mod dotnet_values;
mod emulator;
mod management_sdk;
mod outcome;
mod peer;
mod request;

/// Reads a file of `tests/recordings`.
fn read(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/").to_owned() + name;
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
