//! Logs the hubs when an app starts.

use hub_core::{Category, mounted::MountedHub};

use crate::shared::Hubs;

/// Logs a mounted hub with its methods.
pub(crate) fn mounted(hub: &dyn MountedHub) {
    tracing::info!(
        hub = hub.name(),
        hub_type = hub.type_name(),
        negotiate = hub.negotiates(),
        refresh = hub.refreshes(),
        methods = methods(hub),
        "hub mounted"
    );
}

/// The methods in one line: `join(room), sendMessage(room, text), connected`.
fn methods(hub: &dyn MountedHub) -> String {
    let rows = hub.methods().iter().map(|method| match method.category {
        Category::Message if method.fallback => "any other".to_owned(),
        Category::Message => format!("{}({})", method.name, method.params.join(", ")),
        Category::Connected | Category::Disconnected | Category::Refreshed => {
            method.name.to_owned()
        }
    });
    rows.collect::<Vec<_>>().join(", ")
}

/// Logs hubs that the program links but the app does not mount, intentionally or by mistake.
#[cfg(feature = "discover")]
pub(crate) fn not_mounted(hubs: &Hubs) {
    for entry in hub_core::registry::registered() {
        let mounted = hubs.find(entry.name).is_some_and(|mount| entry.is(&*mount.hub));
        if !mounted {
            tracing::info!(
                hub = entry.name,
                module = entry.module,
                "hub linked, but not mounted: mount it with `.discover()` or `.hub(…)`"
            );
        }
    }
}

#[cfg(not(feature = "discover"))]
pub(crate) fn not_mounted(_: &Hubs) {}
