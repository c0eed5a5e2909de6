//! Types for `#[schemars(with = "…")]` on fields with an adapter of this crate, so that the contract of an app and the
//! files of [`HubApp::typescript`](crate::HubApp::typescript) have the form that the adapter writes.
//!
//! ```
//! # use std::time::SystemTime;
//! # use schemars::JsonSchema;
//! # use serde::{Deserialize, Serialize};
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct Photo {
//!     #[serde(with = "hub_runtime::timestamp")]
//!     #[schemars(with = "hub_runtime::schema::Timestamp")]
//!     taken: SystemTime,
//!     #[serde(with = "hub_runtime::timestamp")]
//!     #[schemars(with = "Option<hub_runtime::schema::Timestamp>")]
//!     edited: Option<SystemTime>,
//!     #[serde(with = "hub_runtime::binary")]
//!     #[schemars(with = "hub_runtime::schema::Binary")]
//!     pixels: Vec<u8>,
//! }
//! ```

#[doc(inline)]
pub use hub_core::values::schema::{Binary, Timestamp};
