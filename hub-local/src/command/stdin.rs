//! The end of standard input: the process that started the service has closed it, or has ended.

use std::{
    io::{self, ErrorKind, Read as _},
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

/// The pause before a standard input that does not wait for data is read again.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits for the end of standard input.
#[derive(Debug)]
pub(super) struct StdinEnd(Option<oneshot::Receiver<()>>);

impl StdinEnd {
    /// Reads standard input and discards what it gets. Without `is_on`, reads nothing and never ends.
    ///
    /// A thread of its own reads: the runtime cannot cancel a read that has started, and would wait for it when it stops.
    pub(super) fn watch(is_on: bool) -> io::Result<Self> {
        if !is_on {
            return Ok(Self(None));
        }
        let (ended, receiver) = oneshot::channel();
        thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            read_to_end();
            let _ = ended.send(());
        })?;
        Ok(Self(Some(receiver)))
    }

    /// Waits for the end; forever if standard input is not watched.
    pub(super) async fn wait(self) {
        match self.0 {
            Some(ended) => {
                let _ = ended.await;
            }
            None => std::future::pending().await,
        }
    }
}

/// Reads until the end. A standard input that cannot be read counts as closed, unless another process has set its open file
/// to not wait.
fn read_to_end() {
    let mut discarded = [0; 4096];
    let mut stdin = io::stdin().lock();
    loop {
        match stdin.read(&mut discarded) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(_) => return,
        }
    }
}
