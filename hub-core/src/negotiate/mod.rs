//! Negotiate and refresh: the identity of a connection.

mod answer;
mod app_service;
mod refresh;
mod request;

pub use self::{
    answer::Negotiation, app_service::AppServiceUser, refresh::RefreshRequest,
    request::NegotiateRequest,
};
