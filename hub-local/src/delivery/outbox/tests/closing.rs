//! Outboxes that are closed or abandoned.

use super::*;

#[tokio::test]
async fn an_abandoned_outbox_sends_only_its_last_frame() {
    let outbox = outbox(100, 100);
    let mut sink = Recorder::default();
    assert_eq!(outbox.push(frame(5)), PushOutcome::Queued);

    outbox.abandon(Some(frame(7)));
    sink.drain(&outbox).await.unwrap();

    assert_eq!(sink.0, [vec![7], vec![]]);
}

#[tokio::test]
async fn after_a_frame_that_did_not_fit_only_the_last_frame_is_sent() {
    let backlog = backlog();
    let log = Arc::new(Log::new(Arc::clone(&backlog), WakePacer::new(TaskTracker::new())));
    let limits = Limits { max_outbox_messages: 2, ..Limits::default() };
    let outbox = Outbox::new(&limits, Arc::clone(&backlog));
    outbox.follow(&log);
    let mut sink = Recorder::default();
    send(&log, &[&outbox], 1);
    assert_eq!(outbox.push(frame(2)), PushOutcome::Queued);

    assert_eq!(outbox.push(frame(3)), PushOutcome::Full);
    assert_eq!(backlog.bytes(), 0);
    assert_eq!(outbox.push(frame(4)), PushOutcome::Full);
    assert!(send(&log, &[&outbox], 5).is_empty());
    outbox.abandon(Some(frame(7)));
    sink.drain(&outbox).await.unwrap();

    assert_eq!(sink.0, [vec![7], vec![]]);
}

#[tokio::test]
async fn no_broadcast_follows_the_last_frame() {
    let (log, closed, abandoned) = (log(), outbox(100, 100), outbox(100, 100));
    let both = [&closed, &abandoned];
    both.iter().for_each(|outbox| outbox.follow(&log));
    let mut sink = Recorder::default();
    send(&log, &both, 1);

    closed.close(Some(frame(7)));
    abandoned.abandon(Some(frame(8)));
    send(&log, &both, 2);
    sink.drain(&closed).await.unwrap();
    sink.drain(&abandoned).await.unwrap();

    assert_eq!(sink.0, [vec![1, 7], vec![], vec![8], vec![]]);
}

#[test]
fn a_closed_outbox_gets_no_later_broadcast() {
    let backlog = backlog();
    let log = Arc::new(Log::new(Arc::clone(&backlog), WakePacer::new(TaskTracker::new())));
    let outbox = Outbox::new(&Limits::default(), Arc::clone(&backlog));
    outbox.follow(&log);
    send(&log, &[&outbox], 1);

    // The steps of `close`, with a concurrent sender in between.
    let mut queue = outbox.queue.lock();
    let end = queue.reader.as_mut().unwrap().leave();
    log.send(frame(2), |_| {});
    let left = queue.own(end);
    backlog.add(7);
    queue.append(frame(7));
    drop((queue, left));

    assert_eq!(take(&outbox), [1, 7]);
    assert_eq!(backlog.bytes(), 0);
}

#[test]
fn a_task_that_waits_for_its_transport_is_woken_at_the_end() {
    struct Task(std::sync::atomic::AtomicUsize);
    impl std::task::Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let task = Arc::new(Task(0.into()));
    let woken = || task.0.load(std::sync::atomic::Ordering::Relaxed);
    let outbox = outbox(100, 100);
    outbox.wake_at_end(&Arc::clone(&task).into());

    assert_eq!(outbox.push(frame(1)), PushOutcome::Queued);
    assert_eq!(woken(), 0);
    outbox.close(None);

    assert_eq!(woken(), 1);
}
