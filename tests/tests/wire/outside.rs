//! A hub's handles outside of its calls: in tasks, threads and other types.

use std::time::Duration;

use hub_runtime::{HubContext, prelude::*, testing::TestHub};

/// A hub without `Clone` and `Debug`, because a context must not require them.
struct Board;

#[hub_client]
trait BoardClient {
    async fn changed(&self, value: u8);
    async fn ready(&self) -> bool;
}

#[serverless_hub(client = BoardClient)]
impl Board {
    /// Spawns a task that outlives the call.
    async fn later(&self, ctx: &Context<Self>) {
        let (board, caller) = (ctx.hub().clone(), ctx.connection_id().to_owned());
        tokio::spawn(async move { board.clients().client(caller).changed(9).await });
    }
}

/// A hub that no test mounts.
struct Lobby;

#[serverless_hub]
impl Lobby {}

/// State of an application that contains a hub context.
#[derive(Clone)]
struct Worker {
    board: HubContext<Board>,
}

fn travels<T: Clone + Send + Sync + 'static>(value: &T) -> T {
    value.clone()
}

#[tokio::test]
async fn a_context_can_be_moved_to_tasks_and_threads() {
    let hub = TestHub::new(Board);
    let ada = hub.user("ada").connect().await.unwrap();
    let worker = Worker { board: travels(&hub.context()) };

    let (task, thread) = (worker.clone(), worker.clone());
    tokio::spawn(async move { task.board.clients().user("ada").changed(1).await })
        .await
        .unwrap()
        .unwrap();
    let handle = tokio::runtime::Handle::current();
    let sent = tokio::task::spawn_blocking(move || {
        std::thread::spawn(move || {
            handle.block_on(async { thread.board.clients().all().changed(2).await })
        })
        .join()
    });
    sent.await.unwrap().unwrap().unwrap();

    let received = ada.received("changed").await;
    assert_eq!(received, [serde_json::json!([1]), serde_json::json!([2])]);
}

#[tokio::test(start_paused = true)]
async fn a_timer_can_send_and_invoke_outside_a_call() {
    let hub = TestHub::new(Board);
    let ada = hub.user("ada").connect().await.unwrap();
    ada.on("ready", |_: ()| true);
    let (board, id) = (hub.context(), ada.connection_id().to_owned());

    let timer = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        board.groups().add(&id, "lobby").await?;
        board.clients().group("lobby").changed(3).await?;
        HubResult::Ok(board.clients().client(id).ready().await?)
    });

    assert!(timer.await.unwrap().unwrap());
    assert_eq!(ada.next("changed", 0).await.unwrap(), serde_json::json!([3]));
}

#[tokio::test]
async fn tasks_can_keep_handles_after_the_call() {
    let hub = TestHub::new(Board);
    let ada = hub.user("ada").connect().await.unwrap();

    ada.invoke::<()>("later", ()).await.unwrap();

    assert_eq!(ada.next("changed", 0).await.unwrap(), serde_json::json!([9]));
}

#[tokio::test]
#[should_panic(
    expected = "the hub `Lobby` is not mounted: add `.hub(…)` for `wire::outside::Lobby` to the builder; mounted hubs: board"
)]
async fn the_context_of_a_hub_that_is_not_mounted_panics_with_the_fix() {
    let _ = TestHub::new(Board).app().context::<Lobby>();
}

#[tokio::test]
#[should_panic(expected = "the hub `Lobby` is not mounted")]
async fn the_endpoints_of_a_hub_that_is_not_mounted_panic_with_the_fix() {
    let _ = TestHub::new(Board).app().endpoints::<Lobby>();
}
