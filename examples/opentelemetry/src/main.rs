//! OpenTelemetry spans of a hub on standard output: `cargo run -p opentelemetry-example`.

#![allow(
    unreachable_pub,
    reason = "a binary has no public API; `pub` marks the interface of each module"
)]

mod export;
mod hub;
#[cfg(test)]
mod tests;

use axum::{Router, extract::State, http::StatusCode, routing::post};
use hub_runtime::prelude::*;
use tracing_subscriber::util::SubscriberInitExt;

use crate::hub::{Bell, BellClient};

/// Rings from outside the hub.
async fn ring(State(bell): State<HubContext<Bell>>) -> StatusCode {
    match bell.clients().all().rang("the house").await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::BAD_GATEWAY,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = export::provider(opentelemetry_stdout::SpanExporter::default());
    export::subscriber(&provider).init();

    let app = HubApp::builder()
        .signalr(SignalR::from_env_or_local()?)
        .trace_propagator(export::W3c::default())
        .hub(Bell)
        .build()?;
    let routes = Router::new().route("/ring", post(ring)).with_state(app.context::<Bell>());
    app.run_with(routes.fallback_service(app.service())).await?;

    Ok(provider.shutdown()?)
}
