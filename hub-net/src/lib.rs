//! Network code shared by `hub-runtime` and `hub-local`. Internal: the API changes without notice.
//!
//! | Module | Feature | Content |
//! |---|---|---|
//! | [`body`] | | Reads bodies up to a size limit and a timeout |
//! | [`calls`] | `client`, `server` | Several upstream calls on one connection |
//! | [`clock`] | | Wall time that follows tokio's paused clock |
//! | [`client`] | `client`, `tls` | A pooled HTTP/1.1 client |
//! | [`connection`] | `server` | Serves HTTP/1.1 on one connection: requests of the usual form itself, all others with hyper |
//! | [`host`] | | The host of a request, and the hosts that a server answers |
//! | [`idle_sockets`] | `server` | Limits sockets that have not sent a request |
//! | [`listen`] | `server` | Binds listeners, backs off after failed accepts |
//! | [`log_limit`] | | Limits log lines that a peer can cause |
//! | [`origin`] | | Origins of pages that are allowed |
//! | [`rarely_ready`] | `server` | Avoids polls of a future that shares its task with a busy one |
//! | [`refusal`] | `server` | Responses of the server in place of those of a service |
//! | [`serve_error`] | | Why a server ended, as a text |
//! | [`standstill`] | | Timeouts that do not count a standstill of the process |
//! | [`stall_timeout`] | `server` | Closes sockets whose peer does not read |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod body;
#[cfg(any(feature = "client", feature = "server"))]
pub mod calls;
#[cfg(feature = "client")]
pub mod client;
pub mod clock;
#[cfg(feature = "server")]
pub mod connection;
pub mod host;
#[cfg(feature = "server")]
pub mod idle_sockets;
#[cfg(feature = "server")]
pub mod listen;
pub mod log_limit;
pub mod origin;
#[cfg(feature = "server")]
pub mod rarely_ready;
#[cfg(feature = "server")]
pub mod refusal;
pub mod serve_error;
#[cfg(feature = "server")]
pub mod stall_timeout;
pub mod standstill;
#[cfg(feature = "server")]
mod sync;

/// Any error that another task may handle.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
