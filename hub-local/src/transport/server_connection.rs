//! `GET /server/`: connections of app servers, which exist only outside of serverless mode.
//!
//! `AddAzureSignalR`, and the Management SDK with `ServiceTransportType.Persistent`, open a WebSocket here and
//! drop what they send while it fails, without an error for their callers. They log the error of the service's
//! handshake response, so that response contains the cause (`docs/specs/ServiceProtocol.md` of Azure/azure-signalr,
//! `HandshakeRequest` and `HandshakeResponse`).

use std::{io, sync::Arc};

use bytes::BytesMut;
use http::{HeaderValue, Method, Response, StatusCode, Version, header::ALLOW, request::Parts};
use hub_net::log_limit::shown;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::{
    routes::upgrading,
    websocket::{
        decode::{Decoder, Event},
        upgrade,
    },
};
use crate::{
    auth,
    body::{self, Body},
    causes::Cause,
    delivery::frame::{CloseStatus, Frame},
    query::Query,
    state::State,
};

/// Whether this is the path of app servers.
pub(crate) fn is_path(path: &str) -> bool {
    matches!(path, "/server" | "/server/")
}

/// Completes the upgrade of an app server with a valid token. The handshake response contains the cause.
pub(crate) fn respond(state: &Arc<State>, mut parts: Parts) -> Response<Body> {
    let upgrading = upgrading(&mut parts);
    let token = auth::bearer(&parts.headers).flatten();
    if let Err(refused) = state.authority.rest(token, "/server/") {
        return body::challenged(body::text(StatusCode::UNAUTHORIZED, refused.text));
    }
    let hub = Query::new(parts.uri.query()).first("hub").unwrap_or_default();
    let cause = Cause::ServerlessOnly;
    state.shared.log.line(cause.id(), |omitted| {
        tracing::warn!(
            hub = &*shown(&hub),
            cause = cause.id(),
            check = cause.check(),
            omitted,
            "an app that is not serverless: {}",
            cause.text()
        );
    });
    if parts.method != Method::GET {
        let mut answer = body::text(StatusCode::METHOD_NOT_ALLOWED, cause.sentence());
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return answer;
    }
    if parts.version < Version::HTTP_11 {
        return body::text(StatusCode::BAD_REQUEST, Cause::OldHttp.sentence());
    }
    if !upgrade::is_asked(&parts.headers) {
        return body::text(StatusCode::BAD_REQUEST, cause.sentence());
    }
    match upgrade::switch(&parts.headers) {
        Ok(switching) => {
            let closing = state.shared.closing.clone();
            let refusing = refuse(Arc::clone(state), upgrading);
            state.shared.tasks.spawn(closing.run_until_cancelled_owned(refusing));
            switching
        }
        Err(refusal) => *refusal,
    }
}

/// Answers the handshake, and closes the connection.
async fn refuse(state: Arc<State>, upgrading: OnUpgrade) {
    let Ok(stream) = upgrading.await else { return };
    let limits = &state.shared.limits;
    let mut server = AppServer::new(stream);
    // An app server that gets the response before it has sent its request may report a lost connection.
    let refused = timeout(limits.handshake_timeout, async {
        while !matches!(server.next().await?, Event::Data(_)) {}
        server.write(&Frame::binary(&handshake_response())).await?;
        server.write(&Frame::close(CloseStatus::Normal, "")).await
    });
    if matches!(refused.await, Ok(Ok(()))) {
        let closed = async { while !matches!(server.next().await, Ok(Event::Close) | Err(_)) {} };
        let _ = timeout(limits.close_timeout, closed).await;
    }
}

/// The WebSocket of an app server.
struct AppServer {
    stream: TokioIo<Upgraded>,
    decoder: Decoder,
    input: BytesMut,
}

impl AppServer {
    fn new(stream: Upgraded) -> Self {
        Self {
            stream: TokioIo::new(stream),
            decoder: Decoder::default(),
            input: BytesMut::default(),
        }
    }

    async fn next(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.decoder.next(&mut self.input).map_err(io::Error::other)? {
                return Ok(event);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn write(&mut self, frame: &Frame) -> io::Result<()> {
        self.stream.write_all(frame.bytes()).await?;
        self.stream.flush().await
    }
}

/// The message `[2, error, {}, ""]` in MessagePack: type, error, extension members, connection id. It follows its
/// length in base 128, the low bits first (`BinaryMessageFormatter`).
fn handshake_response() -> Vec<u8> {
    // Shorter than 256 bytes.
    let error = Cause::ServerlessOnly.sentence();
    let error = error.as_bytes();
    let length = u8::try_from(error.len()).unwrap_or(u8::MAX);
    let error = error.get(..usize::from(length)).unwrap_or_default();
    let message = [&[0x94, 2, 0xD9, length][..], error, &[0x80, 0xA0]].concat();
    let [low, high] = [message.len() % 128 + 128, message.len() / 128];
    let prefix = [low, high].map(|byte| u8::try_from(byte).unwrap_or_default());
    [&prefix[..], &message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_response_has_the_bytes_of_the_service_protocol() {
        let bytes = handshake_response();

        let text = Cause::ServerlessOnly.sentence();
        let length = text.len();
        assert_eq!(bytes[0] & 0x7F, ((length + 6) % 128) as u8);
        assert_eq!(usize::from(bytes[0] & 0x7F) + 128 * usize::from(bytes[1]), bytes.len() - 2);
        assert_eq!(bytes[2..6], [0x94, 2, 0xD9, length as u8]);
        assert_eq!(&bytes[6..6 + length], text.as_bytes());
        assert_eq!(bytes[6 + length..], [0x80, 0xA0]);
    }
}
