//! Transports: WebSockets, Server-Sent Events, long polling and in-memory pipes. A transport carries the
//! bytes of a connection. The module `connection` implements the life cycle of connections.

mod admission;
mod cors;
mod http_requests;
mod inbox;
mod long_polling;
pub(crate) mod memory;
pub(crate) mod negotiate;
pub(crate) mod negotiations;
pub(crate) mod routes;
pub(crate) mod server_connection;
mod server_sent_events;
pub(crate) mod websocket;
