//! Error codes of the service's REST API that the app acts on.

use http::HeaderName;

/// The response header that contains the error code.
pub const CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

/// The code for a change of a connection that does not exist.
pub const CONNECTION_NOT_FOUND: &str = "Error.Connection.NotExisted";
/// The code for a refresh that would change the user of a connection.
pub const OTHER_USER: &str = "Error.Connection.PermissionChangeRejected";
/// The code of an existence check for a connection that does not exist.
pub const NO_CONNECTION: &str = "Warning.Connection.NotExisted";
/// The code of an existence check for a user without connections.
pub const NO_USER: &str = "Warning.User.NotExisted";
/// The code of an existence check for a group without connections.
pub const NO_GROUP: &str = "Warning.Group.NotExisted";
