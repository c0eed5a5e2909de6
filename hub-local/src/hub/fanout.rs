//! One message to many clients: encoded once, framed once.

use std::{collections::HashSet, sync::Arc};

use hub_core::protocol::{Message, json};

use super::members::Audience;
use crate::{
    connection::{Connection, ending::Ending},
    transport::websocket::frame::text_frame,
};

/// Sends the message to everyone of the audience but the excluded ids. Waits for nobody: a client
/// that has no room for it is closed.
pub(crate) fn send(audience: &Audience, excluded: &HashSet<String>, message: &Message) {
    let frame = text_frame(&json::encode(message));
    for connection in remaining(audience, excluded) {
        let _ = connection.send(frame.clone());
    }
}

/// Closes everyone of the audience but the excluded ids.
pub(crate) fn close(audience: &Audience, excluded: &HashSet<String>, reason: Option<&str>) {
    for connection in remaining(audience, excluded) {
        connection.end(Ending::by_service(reason.map(str::to_owned)));
    }
}

fn remaining<'a>(
    audience: &'a Audience,
    excluded: &'a HashSet<String>,
) -> impl Iterator<Item = &'a Arc<Connection>> {
    audience.iter().filter(|connection| !excluded.contains(&connection.id))
}
