//! Replays recordings in a test.

use std::{fmt, path::Path};

use hub_core::Hub;
use hub_local::replay::{Difference, Recording, Replay, Report};

use super::{TestFailure, TestHub};

/// What [`TestHub::replay`] has found.
#[derive(Clone, Debug)]
pub struct Replayed(Report, Vec<ReplayDifference>);

/// An answer of the app that differs from the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayDifference {
    /// The number of the call in the recording.
    pub call: u64,
    /// The user of the client.
    pub user: Option<String>,
    /// The called method, `connected` or `disconnected`.
    pub method: String,
    /// The recorded answer: the status, and the result or error.
    pub recorded: String,
    /// The answer of the replay.
    pub replayed: String,
}

impl ReplayDifference {
    fn of(difference: &Difference) -> Self {
        let Difference { call, user, method, recorded, replayed, .. } = difference.clone();
        Self { call, user, method, recorded, replayed }
    }
}

impl Replayed {
    /// The number of answers that were compared.
    #[must_use]
    pub fn compared(&self) -> usize {
        self.0.compared
    }

    /// The answers that differ, in the order of the recording.
    #[must_use]
    pub fn differences(&self) -> &[ReplayDifference] {
        &self.1
    }

    /// Why some calls were not replayed.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.0.left_out
    }

    /// Asserts that the recording has answers and that all of them are the same again.
    ///
    /// # Panics
    /// When an answer differs, with both answers; when a call was not replayed; when nothing was compared.
    #[track_caller]
    pub fn assert_same(&self) {
        let Report { compared, differences, left_out, .. } = &self.0;
        assert!(differences.is_empty() && left_out.is_empty() && *compared > 0, "{self}");
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<H: Hub> TestHub<H> {
    /// Repeats the calls of a recording and compares the answers of the hub with the recorded ones. The recorded clients
    /// connect with their users and claims, and call the methods in the same order.
    ///
    /// A recording is a file of `hub-local start --record FILE` or of [`HubAppBuilder::record`](crate::HubAppBuilder::record). The ids of
    /// connections and invocations are new, and are not compared. Clients return an error if the hub asks them for a result.
    ///
    /// ```
    /// use hub_runtime::{prelude::*, testing::TestHub};
    ///
    /// struct Shop {
    ///     price: u32,
    /// }
    ///
    /// #[serverless_hub]
    /// impl Shop {
    ///     async fn total(&self, count: u32) -> HubResult<u32> {
    ///         Ok(count * self.price)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let file = std::env::temp_dir().join(format!("shop-{}.jsonl", std::process::id()));
    /// let recorded = TestHub::configured(Shop { price: 3 }, |app| app.record(&file));
    /// let ada = recorded.user("ada").connect().await.unwrap();
    /// ada.call().total(2).await.unwrap();
    ///
    /// let same = TestHub::new(Shop { price: 3 }).replay(&file).await.unwrap();
    /// same.assert_same();
    ///
    /// let dearer = TestHub::new(Shop { price: 4 }).replay(&file).await.unwrap();
    /// let [difference] = dearer.differences() else { panic!("{dearer}") };
    /// assert_eq!(difference.method, "total");
    /// assert_eq!(difference.recorded, r#"200 {"result":6}"#);
    /// assert_eq!(difference.replayed, r#"200 {"result":8}"#);
    /// # std::fs::remove_file(&file).unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read, is no recording or has another version, or when the hub answers no call.
    pub async fn replay(&self, file: impl AsRef<Path>) -> Result<Replayed, TestFailure> {
        let recording = Recording::open(file).map_err(TestFailure::new)?;
        let app = &self.app.inner;
        let Some(embedded) = &app.embedded else {
            return Err(TestFailure::new("the app has no embedded service"));
        };
        let replay = Replay::new(&embedded.service, self.tap.open());
        let replay = match app.first_group.keys.seals().first() {
            Some(key) => replay.sealing_key(key.clone()),
            None => replay,
        };
        let report = replay.run(&recording).await.map_err(TestFailure::new)?;
        let differences = report.differences.iter().map(ReplayDifference::of).collect();
        Ok(Replayed(report, differences))
    }
}
