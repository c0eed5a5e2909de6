//! A minimal hub with a page: `cargo run -p counter`, then open the printed address in two tabs.

#![allow(
    unreachable_pub,
    reason = "a binary has no public API; `pub` marks the interface of each module"
)]

mod hub;
#[cfg(test)]
mod tests;

use hub_runtime::prelude::*;

const FILES: [(&str, &str); 4] = [
    ("/", include_str!("../page/index.html")),
    ("/counter.css", include_str!("../page/counter.css")),
    ("/counter.js", include_str!("../page/counter.js")),
    ("/counter-hub.js", include_str!("../page/counter-hub.js")),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = hub::Counter::default();
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(hub).build()?;
    let page = example_page::routes(app.client_url(), &FILES);
    Ok(app.run_with(page.fallback_service(app.service())).await?)
}
