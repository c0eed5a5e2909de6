//! The table of finished calls of an app, which prevents that a duplicate runs again. It holds calls for
//! 60 seconds, and at most 4,096. Its size must not affect the comparison of resource levels, so the
//! tests fill it at the start and empty it before each measurement.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hub_runtime::HubApp;
use tower_service::Service as _;

use crate::{proxied_world::pass, recording_client::HUB};

/// The maximum number of calls in the table.
const KEPT: usize = 4096;
/// Longer than the time for which a call stays in the table.
const WINDOW: Duration = Duration::from_secs(61);
const CONNECTION: &str = "conn-0001";
/// The signature of [`CONNECTION`] with [`test_support::KEY`].
const SIGNATURE: &str = "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1";

/// Makes calls without a socket, which replace the entries of the table.
#[derive(Debug)]
pub(crate) struct Replays {
    app: HubApp,
    next: usize,
}

impl Replays {
    /// Fills the table, so that it has its full capacity from now on.
    pub(crate) async fn full(app: &HubApp) -> Self {
        let mut replays = Self { app: app.clone(), next: 0 };
        replays.call(KEPT + 2).await;
        replays
    }

    /// Makes the app forget all calls but one. Each call removes two expired ones.
    pub(crate) async fn forget(&mut self) {
        let mut left = KEPT;
        while left > 1 {
            pass(WINDOW).await;
            left = left.div_ceil(2);
            self.call(left).await;
        }
    }

    async fn call(&mut self, times: usize) {
        for _ in 0..times {
            self.next += 1;
            // Ids of equal length, so that all answers have the same length.
            let id = 1_000_000 + self.next;
            let body =
                format!(r#"{{"type":1,"invocationId":"{id}","target":"idle","arguments":[]}}"#);
            let request = Request::post("/runtime/webhooks/signalr")
                .header("X-ASRS-Connection-Id", CONNECTION)
                .header("X-ASRS-Hub", HUB)
                .header("X-ASRS-Category", "messages")
                .header("X-ASRS-Event", "idle")
                .header("X-Hub-Request-Id", id)
                .header("X-ASRS-Signature", SIGNATURE)
                .header("Content-Type", "application/json")
                .body(Full::new(Bytes::from(body)));
            let answer = self.app.service().call(request.unwrap()).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
        }
    }
}
