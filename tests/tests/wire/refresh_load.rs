//! Refreshes while messages flow: none is lost, and their order stays.

use std::{collections::HashMap, sync::Mutex};

use futures_util::future::join_all;
use hub_runtime::{
    prelude::*,
    testing::{Request, TestClient, TestHub},
};

const CLIENTS: usize = 1000;
const MESSAGES: usize = 10;

/// Records the numbers of each connection in the order in which they arrive.
#[derive(Default)]
struct Ledger {
    arrived: Mutex<HashMap<String, Vec<(usize, String)>>>,
}

#[serverless_hub]
impl Ledger {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn refresh(&self, request: RefreshRequest) -> HubResult<Negotiation> {
        let user = request.header("x-user").or_reject("no user")?;
        Ok(Negotiation::user(user).claim("version", "new").close_on_expiry())
    }

    async fn count(&self, ctx: &Context<Self>, number: usize) {
        let version = ctx.claims().get("version").unwrap_or("old").to_owned();
        let mut arrived = self.arrived.lock().unwrap();
        arrived.entry(ctx.connection_id().to_owned()).or_default().push((number, version));
    }
}

async fn refresh(client: &TestClient<Ledger>, user: &str) {
    let request = Request::builder().header("x-user", user).body(()).unwrap();
    client.refresh(request).await.unwrap();
}

#[tokio::test]
async fn a_thousand_connections_refresh_while_messages_flow() {
    let hub = TestHub::new(Ledger::default());
    let names: Vec<_> = (0..CLIENTS).map(|number| format!("user-{number}")).collect();
    let connecting = names.iter().map(|name| async { hub.user(name.as_str()).connect().await });
    let clients: Vec<_> = join_all(connecting).await.into_iter().map(Result::unwrap).collect();
    let context = hub.context();

    let counting = join_all(clients.iter().map(|client| async move {
        for number in 0..MESSAGES {
            client.send("count", (number,)).await.unwrap();
            tokio::task::yield_now().await;
        }
    }));
    let refreshing =
        join_all(clients.iter().zip(&names).map(|(client, name)| refresh(client, name)));
    let telling = async {
        for number in 0..MESSAGES {
            context.clients().all().send("news", (number,)).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(counting, refreshing, telling);
    for client in &clients {
        client.invoke::<()>("count", (MESSAGES,)).await.unwrap();
    }

    let expected: Vec<_> = (0..MESSAGES).map(|number| serde_json::json!([number])).collect();
    let arrived = hub.context_of(&clients[0]);
    let arrived = arrived.invocation().hub::<Ledger>().unwrap().arrived.lock().unwrap().clone();
    for client in &clients {
        assert_eq!(client.ended(), None);
        assert_eq!(client.received("news").await, expected);
        let calls = &arrived[client.connection_id()];
        assert!(calls.iter().map(|(number, _)| *number).eq(0..=MESSAGES), "{calls:?}");
        // From the refresh on, all calls have the new claims.
        let first_new = calls.iter().position(|(_, version)| version == "new").unwrap();
        assert!(calls[first_new..].iter().all(|(_, version)| version == "new"), "{calls:?}");
    }
}
