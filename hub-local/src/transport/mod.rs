//! Transports: WebSockets, Server-Sent Events, long polling and in-memory pipes. They carry the bytes
//! of a connection; its life cycle is in `connection`.

mod admission;
mod cors;
mod http_requests;
mod inbox;
mod long_polling;
pub(crate) mod memory;
pub(crate) mod negotiate;
pub(crate) mod negotiations;
pub(crate) mod routes;
mod server_sent_events;
pub(crate) mod websocket;
