//! Names of hubs as the service writes them.

/// The name of a hub in lower case, as the service writes it.
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
