//! Recordings: what a replay reads, and what it does at a service.

use std::{sync::Arc, time::Duration};

use hub_local::{
    EventTap, LocalService,
    replay::{Recording, RecordingError, Replay},
};

use crate::{
    clients::{App, MAX_MESSAGE, URL},
    world::{self, KEY},
};

/// The first line of each recording.
const HEAD: &str = r#"{"version":1,"kind":"recording","started":"2026-11-29T15:00:00.000000Z"}"#;
/// The start of a line whose writer was killed.
const CUT: &[u8] = b"\n{\"at\":\"2026-11-29T1";

/// The input is the lines after the first one.
pub fn run(data: &[u8]) {
    let text = [HEAD.as_bytes(), b"\n", data].concat();
    let recording = match Recording::read(&text[..]) {
        Ok(recording) => recording,
        Err(RecordingError::Line { number, problem }) => {
            let lines = text.split(|byte| *byte == b'\n').count();
            assert!((2..=lines).contains(&number), "line {number} of {lines}");
            assert!(!problem.is_empty(), "the error has no reason");
            return;
        }
        Err(error) => panic!("the first line is valid, and the target reads no file: {error}"),
    };
    if !recording.is_cut {
        let cut = Recording::read(&[&text[..], CUT].concat()[..])
            .expect("the last line may be incomplete");
        assert!(cut.is_cut, "the recording ends in a line");
        assert_eq!(shown(&cut), shown(&recording), "an incomplete line has changed the steps");
    }
    world::run(replay(&recording));
}

/// All that a replay uses, apart from whether the last line is complete.
fn shown(recording: &Recording) -> String {
    let mut whole = recording.clone();
    whole.is_cut = false;
    format!("{:?} {:?}", whole.calls(), whole.left_out)
}

/// Replays the recording against an app that answers each call with an empty body.
async fn replay(recording: &Recording) {
    let tap = Arc::new(EventTap::default());
    let events = tap.open();
    let service = LocalService::builder()
        .key(KEY)
        .public_url(URL)
        .limits(hub_local::Limits::default().max_message_bytes(MAX_MESSAGE))
        .upstream(App::default())
        .record_to(tap)
        .build();
    let replay = Replay::new(&service, events).answer_timeout(Duration::from_secs(1));
    match replay.run(recording).await {
        Ok(report) => {
            assert!(report.differences.len() <= report.compared, "{report}");
            assert!(report.left_out.len() >= recording.left_out.len(), "{report}");
        }
        Err(error) => assert!(!error.failure.is_empty(), "the error has no reason"),
    }
    service.shutdown().await;
}
