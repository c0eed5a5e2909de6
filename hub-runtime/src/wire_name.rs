//! Names of hubs as the service writes them.

/// The service writes hub names in lower case.
pub(crate) fn wire_name(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The name of a hub at the service.
pub(crate) fn at_service(application: Option<&str>, hub: &str) -> String {
    match application {
        None => wire_name(hub),
        Some(application) => format!("{application}_{}", wire_name(hub)),
    }
}
