//! Queue of the bytes that a client with Server-Sent Events or long polling sends in POST requests. The
//! connection reads from the queue.

use std::collections::VecDeque;

use bytes::Bytes;
use hub_core::protocol::ProtocolError;
use hub_net::body::{BodyLimits, ReadError, UnreadBody};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The number of unread bytes at which further posts have to wait. If the maximum size of a post is
/// smaller, that size applies instead.
const MAX_UNREAD_BYTES: usize = 64 * 1024;

/// The posts of one client in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    /// Held while a post is read and queued, so that the queue has the order of arrival.
    turn: tokio::sync::Mutex<()>,
    arrived: Notify,
    room: Notify,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct Queue {
    posts: VecDeque<Bytes>,
    bytes: usize,
    /// The limit that a post exceeded. The posts before it are read first.
    exceeded: Option<usize>,
}

/// Why a post was refused.
#[derive(Debug)]
pub(super) enum PostError {
    Body(ReadError),
    /// The connection ended.
    Closed,
}

impl Inbox {
    /// Reads a body and adds it to the queue as a whole. Waits for earlier posts, and for room in the
    /// queue.
    pub(super) async fn take(&self, body: UnreadBody, limits: BodyLimits) -> Result<(), PostError> {
        let taking = async {
            let _turn = self.turn.lock().await;
            // The connection ends with the post that exceeded the limit: later posts are not read.
            if self.queue.lock().exceeded.is_some() {
                return Ok(());
            }
            let bytes = body.read(limits).await.map_err(PostError::Body)?;
            while !self.has_room(limits.max_bytes) {
                self.room.notified().await;
            }
            // Copy the bytes: a slice would keep the whole read buffer of the socket in memory, but only
            // the length of the slice would be counted.
            self.put(Bytes::copy_from_slice(&bytes));
            Ok(())
        };
        self.closed.run_until_cancelled(taking).await.unwrap_or(Err(PostError::Closed))
    }

    fn has_room(&self, size: usize) -> bool {
        self.queue.lock().bytes < MAX_UNREAD_BYTES.min(size)
    }

    fn put(&self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let mut queue = self.queue.lock();
        queue.bytes += kept_size(&bytes);
        queue.posts.push_back(bytes);
        drop(queue);
        self.arrived.notify_one();
    }

    /// Ends the connection, because a post exceeded this limit. The response with status 413 is not enough: some
    /// clients, such as the official Java client, ignore the status of a post.
    pub(super) fn exceed(&self, limit: usize) {
        self.queue.lock().exceeded = Some(limit);
        self.arrived.notify_one();
    }

    /// Receives the next post. Cancel safe.
    ///
    /// # Errors
    /// When a post exceeded the limit.
    pub(super) async fn next(&self) -> Result<Bytes, ProtocolError> {
        loop {
            if let Some(bytes) = self.pop() {
                return Ok(bytes);
            }
            if let Some(limit) = self.queue.lock().exceeded {
                return Err(ProtocolError::TooLarge { limit });
            }
            self.arrived.notified().await;
        }
    }

    fn pop(&self) -> Option<Bytes> {
        let mut queue = self.queue.lock();
        let bytes = queue.posts.pop_front()?;
        queue.bytes -= kept_size(&bytes);
        drop(queue);
        self.room.notify_one();
        Some(bytes)
    }

    /// Refuses new posts, and cancels the posts in progress.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }
}

/// The memory of a post in the queue. A short one needs more than its bytes.
fn kept_size(post: &Bytes) -> usize {
    post.len() + size_of::<Bytes>() + 32
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use http_body_util::Full;
    use tokio::time::timeout;

    use super::*;

    const LIMITS: BodyLimits =
        BodyLimits { max_bytes: MAX_UNREAD_BYTES, timeout: Duration::from_secs(30) };

    fn body(bytes: Vec<u8>) -> UnreadBody {
        UnreadBody::new(Full::new(Bytes::from(bytes)))
    }

    #[tokio::test(start_paused = true)]
    async fn posts_wait_above_the_limit_of_unread_bytes_in_order() {
        let inbox = Arc::new(Inbox::default());
        inbox.take(body(vec![1; MAX_UNREAD_BYTES]), LIMITS).await.unwrap();
        let posting = |byte| {
            let inbox = Arc::clone(&inbox);
            tokio::spawn(async move { inbox.take(body(vec![byte]), LIMITS).await })
        };

        let (second, third) = (posting(2), posting(3));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!second.is_finished());

        assert_eq!(inbox.next().await.unwrap().len(), MAX_UNREAD_BYTES);
        assert_eq!(inbox.next().await.unwrap(), vec![2]);
        assert_eq!(inbox.next().await.unwrap(), vec![3]);
        second.await.unwrap().unwrap();
        third.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_post_over_the_limit_is_refused_and_discarded() {
        let inbox = Inbox::default();

        let refused = inbox.take(body(vec![0; 11]), BodyLimits { max_bytes: 10, ..LIMITS }).await;

        assert!(matches!(refused, Err(PostError::Body(ReadError::TooLarge))));
        assert!(timeout(Duration::from_secs(1), inbox.next()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_posts_end_with_the_connection() {
        let inbox = Arc::new(Inbox::default());
        inbox.take(body(vec![1; MAX_UNREAD_BYTES]), LIMITS).await.unwrap();
        let waiting = tokio::spawn({
            let inbox = Arc::clone(&inbox);
            async move { inbox.take(body(vec![2]), LIMITS).await }
        });
        tokio::task::yield_now().await;

        inbox.close();

        assert!(matches!(waiting.await.unwrap(), Err(PostError::Closed)));
        assert!(matches!(inbox.take(body(vec![3]), LIMITS).await, Err(PostError::Closed)));
    }
}
