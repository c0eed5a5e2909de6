//! Clocks that jump ahead, as after a night in suspend. Clocks that are set back are covered by the
//! unit tests of token verification and signing, which take the time as a parameter.

use std::time::Duration;

use hub_core::protocol::handshake::ACCEPTED;
use hub_local::LocalService;
use hub_runtime::testing::TestHub;
use test_support::KEY;
use tests::{
    history::{History, check},
    ledger::Ledger,
};
use tokio::time::advance;

use crate::recording_client::{HUB, client_token};

const NIGHT: Duration = Duration::from_hours(12);
const PING: &str = "{\"type\":6}\x1e";

#[tokio::test(start_paused = true)]
async fn connections_stay_usable_after_a_clock_jump() {
    let history = History::default();
    let noting = history.clone();
    let hub = TestHub::new(Ledger::new(move |event| noting.note(event)));
    let ada = hub.user("ada").connect().await.unwrap();
    let accepted = "accepted".to_owned();
    assert_eq!(ada.invoke("tell", (1_u64,)).await, Ok(accepted.clone()));

    for night in 0..3 {
        advance(NIGHT).await;

        // The tokens of the hub's REST calls have expired, so it must sign new ones.
        assert_eq!(ada.invoke("tell", (2 + night as u64,)).await, Ok(accepted.clone()));
        let bob = hub.user("bob").connect().await.unwrap();
        assert_eq!(bob.invoke("tell", (1_u64,)).await, Ok(accepted.clone()));
        assert_eq!(ada.received("told").await.len(), 1 + 2 * (night + 1));
        bob.disconnect().await;
    }

    assert_eq!(ada.ended(), None);
    assert_eq!(check(&history.events()), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn after_a_clock_jump_old_tokens_are_expired_and_one_ping_is_sent() {
    let service = LocalService::builder().key(KEY).build();
    let url = format!("http://127.0.0.1:8888/client/?hub={HUB}");
    let old = client_token();
    let mut client = service.connect_memory(&url, &old).unwrap();
    client.send("{\"protocol\":\"json\",\"version\":1}\x1e").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), ACCEPTED);

    advance(NIGHT).await;

    assert_eq!(client.recv().await.unwrap(), PING);
    let next = tokio::time::timeout(Duration::from_secs(14), client.recv()).await;
    assert!(next.is_err(), "{next:?}");
    assert_eq!(client.recv().await.unwrap(), PING);
    let refused = service.connect_memory(&url, &old).unwrap_err();
    assert_eq!(refused.status.as_u16(), 401);
    assert_eq!(service.counters().connections, 1);
}
