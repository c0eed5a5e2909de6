//! A service that waits for an app on shutdown.

use crate::{
    app::{App, Response},
    client::Client,
    process::Running,
};

/// An app that never responds to `disconnected`.
pub(crate) async fn stuck() -> App {
    App::start(|request| (request.event() != "disconnected").then(|| Response::new(200, ""))).await
}

/// A service that has got SIGTERM, and whose shutdown waits for an app that is stuck.
pub(crate) async fn stopping() -> Running {
    let app = stuck().await;
    let service = Running::start(&["--upstream", &app.url, "--stop-within", "1h"]).await;
    let client = Client::connect(service.port, "chat").await;
    app.called("connected").await;
    service.signal("TERM");
    service.out.line("Stopping").await;
    drop(client);
    app.called("disconnected").await;
    service
}
