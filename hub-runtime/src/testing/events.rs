//! Connection events that the app has handled. Test clients wait for them.

use std::{collections::HashSet, sync::Arc};

use http::{HeaderMap, HeaderName};
use hub_core::upstream;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Connection events by name and connection id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    answered: Mutex<HashSet<(String, String)>>,
    news: Notify,
}

impl Events {
    /// Records an upstream call that the app has handled.
    pub(crate) fn note(&self, headers: &HeaderMap) {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if text(upstream::CATEGORY) != Some(upstream::CONNECTIONS) {
            return;
        }
        let (Some(event), Some(id)) = (text(upstream::EVENT), text(upstream::CONNECTION_ID)) else {
            return;
        };
        self.shared.answered.lock().insert((event.to_owned(), id.to_owned()));
        self.shared.news.notify_waiters();
    }

    /// Waits until the app has handled an event of a connection.
    pub(crate) async fn answered(&self, event: &str, connection_id: &str) {
        let wanted = (event.to_owned(), connection_id.to_owned());
        loop {
            let news = self.shared.news.notified();
            if self.shared.answered.lock().contains(&wanted) {
                return;
            }
            news.await;
        }
    }
}
