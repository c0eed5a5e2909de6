//! Signals that stop the process.

use std::{io, time::Duration};

use tokio::time::timeout;

/// Signals within this time are one request to stop. A terminal, a process group, a launcher and `timeout` send the same
/// signal to the launcher and to this process, and the launcher passes it on.
const SAME_REQUEST: Duration = Duration::from_millis(500);

/// SIGINT and SIGTERM; on Windows Ctrl+C, Ctrl+Break, and the end of the console or session.
#[derive(Debug)]
pub(super) struct Signals {
    #[cfg(unix)]
    unix: [tokio::signal::unix::Signal; 2],
    #[cfg(windows)]
    windows: (
        tokio::signal::windows::CtrlC,
        tokio::signal::windows::CtrlBreak,
        tokio::signal::windows::CtrlClose,
        tokio::signal::windows::CtrlShutdown,
    ),
}

impl Signals {
    /// Installs the handlers. Until then, a signal ends the process.
    #[cfg(unix)]
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { unix: [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?] })
    }

    #[cfg(windows)]
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};

        Ok(Self { windows: (ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?) })
    }

    /// Waits for a signal that is another request than the one that [`next`](Self::next) has returned just now.
    pub(super) async fn next_request(&mut self) {
        let rest_of_request = async {
            loop {
                self.next().await;
            }
        };
        let _: Result<(), _> = timeout(SAME_REQUEST, rest_of_request).await;
        self.next().await;
    }

    /// Waits for the next signal.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        let [interrupt, terminate] = &mut self.unix;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }

    #[cfg(windows)]
    pub(super) async fn next(&mut self) {
        let (c, r#break, close, shutdown) = &mut self.windows;
        tokio::select! {
            _ = c.recv() => {}
            _ = r#break.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
        }
    }
}
