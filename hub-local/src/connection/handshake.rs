//! The handshake (HubProtocol.md, Overview) and its errors.

use std::sync::Arc;

use hub_core::protocol::{
    Protocol,
    frame::Frames,
    handshake::{ACCEPTED, HandshakeRequest, parse_request},
};
use hub_net::standstill::timeout;

use super::{
    Connection,
    ending::Ending,
    link::{Incoming, Source},
};
use crate::delivery::outbox::PushOutcome;

/// Versions 1 and 2 differ only in stateful reconnect, which is negotiated separately.
const NEWEST_VERSION: i64 = 2;
/// Protocol version with stateful reconnect.
const RESUMABLE_VERSION: i64 = 2;
const CANCELED: &str = "Handshake was canceled.";
const UNEXPECTED: &str = "An unexpected error occurred during connection handshake.";

/// Waits for the handshake and accepts it. Data after the handshake stays in `frames`.
pub(super) async fn receive(
    connection: &Arc<Connection>,
    source: &mut impl Source,
    frames: &mut Frames,
) -> Result<(), Ending> {
    let limit =
        connection.token_options.handshake().unwrap_or(connection.shared.limits.handshake_timeout);
    // Boxed: a timer in this future would enlarge the future of every idle client.
    let record = Box::pin(async {
        tokio::select! {
            biased;
            () = connection.shared.closing.cancelled() => Err(Ending::shutdown()),
            record = timeout(limit, first_record(connection, source, frames)) => {
                record.map_err(|_| Ending::refused(CANCELED))?
            }
        }
    })
    .await?;
    let request = parse_request(&record).map_err(|error| {
        if connection.detailed_errors() {
            return Ending::refused(format!("{UNEXPECTED} ProtocolError: {error}"));
        }
        Ending::refused(UNEXPECTED)
    })?;
    let protocol = check(connection, &request)?;
    frames.switch_to(protocol);
    connection.outbox.set_protocol(protocol);
    if let Some(acks) = &connection.acks {
        acks.decide(request.version == RESUMABLE_VERSION);
    }
    // The response already uses the frame type of the protocol: text for JSON, binary for MessagePack.
    match connection.outbox.push(connection.frame(ACCEPTED)) {
        PushOutcome::Queued => Ok(()),
        PushOutcome::Full | PushOutcome::Closed => Err(Ending::lost()),
    }
}

async fn first_record(
    connection: &Connection,
    source: &mut impl Source,
    frames: &mut Frames,
) -> Result<bytes::Bytes, Ending> {
    loop {
        match frames.next_frame() {
            Ok(Some(record)) => return Ok(record),
            Ok(None) => {}
            // The handshake is larger than a message may be.
            Err(_) => return Err(Ending::refused(CANCELED)),
        }
        match source.receive().await {
            Ok(Incoming::Data(bytes)) => frames.take(bytes),
            // Ignored: a connection can be resumed only after the handshake.
            Ok(Incoming::Suspended | Incoming::Resumed) => {}
            Ok(Incoming::Closed) => return Err(Ending::transport_closed()),
            Err(error) => return Err(Ending::broken(&error, connection.detailed_errors())),
        }
    }
}

fn check(connection: &Connection, request: &HandshakeRequest) -> Result<Protocol, Ending> {
    let HandshakeRequest { protocol, version } = request;
    let Some(known) = Protocol::from_name(protocol) else {
        return Err(Ending::refused(format!("The protocol '{protocol}' is not supported.")));
    };
    if *version > NEWEST_VERSION {
        let text =
            format!("The server does not support version {version} of the '{protocol}' protocol.");
        return Err(Ending::refused(text));
    }
    if known.is_binary() && !connection.transport.carries_binary() {
        return Err(Ending::refused(format!(
            "Cannot use the '{}' protocol on the current transport. The transport does not \
             support 'Binary' transfer format.",
            known.name()
        )));
    }
    Ok(known)
}
