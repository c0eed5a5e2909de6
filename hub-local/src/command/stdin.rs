//! The end of standard input: the process that started the service has closed it, or has ended.

use std::{io, thread};

use tokio::sync::oneshot;

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
            // A standard input that cannot be read counts as closed.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
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
