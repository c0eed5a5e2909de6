//! Error codes of the service's REST API that the app acts on.

use http::HeaderName;

/// The header that carries the code of an error.
pub const CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

/// A change names a connection that does not exist.
pub const CONNECTION_NOT_FOUND: &str = "Error.Connection.NotExisted";
/// The answer to the question whether a connection exists, if it does not.
pub const NO_CONNECTION: &str = "Warning.Connection.NotExisted";
/// The answer to the question whether a user has connections, if there are none.
pub const NO_USER: &str = "Warning.User.NotExisted";
/// The answer to the question whether a group has connections, if there are none.
pub const NO_GROUP: &str = "Warning.Group.NotExisted";
