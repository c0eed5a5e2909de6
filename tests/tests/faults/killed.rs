//! The app and the service are killed under load, and start again at the same address.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use test_support::{until, within};
use tokio::task::JoinSet;

use crate::{level::times, processes::Site, recording_client::RecordingClient};

const CLIENTS: usize = 4;
/// Minimum number of calls per client before and after a process is killed.
const CALLS: usize = 15;
const PLENTY: u32 = 1024;

/// Clients that call methods one after another until the test stops them or their connection ends.
struct Load {
    clients: Vec<Arc<RecordingClient>>,
    answered: Arc<[AtomicUsize; CLIENTS]>,
    errors: Arc<[AtomicUsize; CLIENTS]>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Load {
    async fn start(site: &Site) -> Self {
        let mut load = Self {
            clients: Vec::new(),
            answered: Arc::default(),
            errors: Arc::default(),
            stop: Arc::default(),
            tasks: JoinSet::new(),
        };
        for _ in 0..CLIENTS {
            load.clients.push(Arc::new(site.client().await));
        }
        for (number, client) in load.clients.iter().cloned().enumerate() {
            let (answered, errors) = (Arc::clone(&load.answered), Arc::clone(&load.errors));
            let stop = Arc::clone(&load.stop);
            load.tasks.spawn(async move {
                while client.ended().is_none() && !stop.load(Ordering::SeqCst) {
                    match client.invoke("tell").await {
                        Ok(_) => answered[number].fetch_add(1, Ordering::SeqCst),
                        Err(text) => {
                            assert!(is_expected(&text), "{text}");
                            tokio::time::sleep(Duration::from_millis(5)).await;
                            errors[number].fetch_add(1, Ordering::SeqCst)
                        }
                    };
                }
            });
        }
        load
    }

    /// Waits until each client has completed [`CALLS`] more calls.
    async fn goes_on(&self) {
        let before = self.answered.each_ref().map(|it| it.load(Ordering::SeqCst));
        until("answers for every client", || {
            let now = self.answered.each_ref().map(|it| it.load(Ordering::SeqCst));
            now.iter().zip(before).all(|(now, before)| *now >= before + CALLS)
        })
        .await;
    }

    /// Waits until each client has received another error.
    async fn fails(&self) {
        let before = self.errors.each_ref().map(|it| it.load(Ordering::SeqCst));
        until("errors for every client", || {
            let now = self.errors.each_ref().map(|it| it.load(Ordering::SeqCst));
            now.iter().zip(before).all(|(now, before)| *now > before)
        })
        .await;
    }

    async fn stop(mut self) -> Vec<RecordingClient> {
        self.stop.store(true, Ordering::SeqCst);
        within("the clients stop", async {
            while let Some(done) = self.tasks.join_next().await {
                done.unwrap();
            }
        })
        .await;
        self.clients.into_iter().map(|client| Arc::into_inner(client).unwrap()).collect()
    }
}

/// Whether a client may receive this error while a process is down.
fn is_expected(text: &str) -> bool {
    text == "Invocation failed, status code 500"
        || text.starts_with("Invocation failed, error: ")
        || text.starts_with("lost: ")
}

#[tokio::test]
async fn clients_of_a_killed_app_get_errors_and_stay_connected() {
    let site = Site::new();
    let mut service = site.service(PLENTY).await;
    let mut app = site.app(PLENTY).await;
    let load = Load::start(&site).await;

    for _ in 0..2 * times() {
        load.goes_on().await;
        app.kill().await;
        load.fails().await;
        app = site.app(PLENTY).await;
        load.goes_on().await;
    }
    let clients = load.stop().await;
    site.check().await;

    assert!(service.lives());
    let ids: Vec<_> = clients.iter().map(|client| client.id.clone()).collect();
    for client in clients {
        assert_eq!((client.ended(), client.garbage()), (None, 0));
        client.leave().await;
    }
    until("the app is told of every end", || site.told_as_gone(&ids) == CLIENTS).await;
    site.check().await;
}

#[tokio::test]
async fn clients_of_a_killed_service_reconnect_with_new_connections() {
    let site = Site::new();
    let mut service = site.service(PLENTY).await;
    let mut app = site.app(PLENTY).await;
    let mut before = Vec::new();

    for _ in 0..2 * times() {
        let load = Load::start(&site).await;
        load.goes_on().await;
        service.kill().await;
        let clients = load.stop().await;
        for client in &clients {
            let why = client.end().await;
            assert!(why.starts_with("lost: "), "{why}");
        }
        before.extend(clients.into_iter().map(|client| client.id.clone()));
        service = site.service(PLENTY).await;
    }
    let load = Load::start(&site).await;
    load.goes_on().await;
    let clients = load.stop().await;
    site.check().await;

    assert!(app.lives());
    assert!(clients.iter().all(|client| !before.contains(&client.id)));
    let ids: Vec<_> = clients.iter().map(|client| client.id.clone()).collect();
    for client in clients {
        client.leave().await;
    }
    until("the app is told of every end", || site.told_as_gone(&ids) == CLIENTS).await;
    assert_eq!(site.told_as_gone(&before), 0, "who knew them is dead");
}

#[tokio::test]
async fn a_client_cannot_resume_after_the_service_was_killed() {
    let site = Site::new();
    let service = site.service(PLENTY).await;
    let _app = site.app(PLENTY).await;
    let client = RecordingClient::try_connect(site.service, &site.history, true).await.unwrap();
    assert_eq!(client.invoke("tell").await.unwrap(), "accepted");

    service.kill().await;
    let _service = site.service(PLENTY).await;

    assert_eq!(client.end().await, "lost: HTTP error: 404 Not Found");
    assert_eq!(site.client().await.invoke("tell").await.unwrap(), "accepted");
    site.check().await;
}
