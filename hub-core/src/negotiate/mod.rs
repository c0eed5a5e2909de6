//! Negotiate: the identity of a new connection.

mod answer;
mod app_service;
mod request;

pub use self::{answer::Negotiation, app_service::AppServiceUser, request::NegotiateRequest};
