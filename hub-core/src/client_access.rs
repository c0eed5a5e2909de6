//! How a client connects to the service: the URL, and the claims of its access token that the service
//! evaluates.
//!
//! Source: the management SDK of Azure/azure-signalr, which writes these claims.

use http::HeaderName;

/// The request header with the token of a connection that refreshes its authentication. A secret of the client.
///
/// Source: `Microsoft.AspNetCore.SignalR.Client` 11.0.0.
pub const CONNECTION_TOKEN: HeaderName = HeaderName::from_static("x-signalr-connection-token");

/// The access key of Microsoft's emulator of the service. It is public and protects nothing.
pub const EMULATOR_KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

/// The longest access token that the service accepts, in characters.
pub const MAX_TOKEN_CHARS: usize = 4096;

/// The prefix of the claims that the service reads and does not send upstream.
pub const SYSTEM_CLAIM_PREFIX: &str = "asrs.s.";
/// The prefix that SDKs add to an application's claim with a reserved name.
pub const USER_CLAIM_PREFIX: &str = "asrs.u.";

/// The user id.
pub const USER_ID_CLAIM: &str = "asrs.s.uid";
/// Whether the connection closes at the time of [`EXPIRY_CLAIM`].
pub const CLOSE_ON_EXPIRY_CLAIM: &str = "asrs.s.coae";
/// The time at which the authentication expires, in seconds since 1970.
pub const EXPIRY_CLAIM: &str = "asrs.s.aeo";
/// Whether the client is a diagnostic client.
pub const DIAGNOSTIC_CLAIM: &str = "asrs.s.dc";
/// The timeout of the handshake, in seconds.
pub const HANDSHAKE_TIMEOUT_CLAIM: &str = "asrs.s.cht";
/// Whether the client receives detailed error texts.
pub const DETAILED_ERRORS_CLAIM: &str = "asrs.s.derror";
/// The number of endpoints that the app has.
pub const ENDPOINT_COUNT_CLAIM: &str = "asrs.s.secn";

/// The URL at which a client connects to a hub. It is also the audience of the client's token. `base` has
/// no trailing slash. `hub` is percent-encoded where necessary.
#[must_use]
pub fn client_url(base: &str, hub: &str) -> String {
    format!("{base}/client/?hub={hub}")
}
