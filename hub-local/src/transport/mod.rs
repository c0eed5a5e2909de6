//! How bytes come and go. A connection's life does not depend on it.

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
