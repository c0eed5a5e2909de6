//! Tests of the hub, in memory, and of the generated deployment files.

use std::{collections::BTreeSet, fs, path::Path};

use hub_runtime::{HubApp, SignalR, testing::TestHub};
use serde_json::json;

use crate::hub::{Board, Line};

#[tokio::test]
async fn a_line_reaches_only_other_clients_of_the_board() {
    let hub = TestHub::new(Board);
    let ada = hub.user("ada").connect().await.unwrap();
    let bob = hub.anonymous().connect().await.unwrap();
    let eve = hub.anonymous().connect().await.unwrap();
    let line = Line { colour: "red".into(), points: vec![(0.0, 0.5), (1.0, 0.5)] };
    for (client, board) in [(&ada, "one"), (&bob, "one"), (&eve, "two")] {
        client.call().join(board).await.unwrap();
    }

    let points = ada.call().draw("one", &line).await.unwrap();

    assert_eq!(points, 2);
    assert_eq!(bob.received("drawn").await, [json!([line, "ada"])]);
    assert!(ada.received("drawn").await.is_empty());
    assert!(eve.received("drawn").await.is_empty());
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused() {
    let hub = TestHub::new(Board);
    let ada = hub.user("ada").connect().await.unwrap();
    let line = Line { colour: "red".into(), points: vec![(0.0, 0.0); 501] };

    let error = ada.call().draw("one", line).await.unwrap_err();

    assert_eq!(error, "A line has at most 500 points");
}

#[tokio::test]
async fn only_signed_in_users_can_clear_a_board() {
    let hub = TestHub::new(Board);
    let guest = hub.anonymous().connect().await.unwrap();
    let ada = hub.user("ada").connect().await.unwrap();
    guest.call().join("one").await.unwrap();

    let error = guest.call().clear("one").await.unwrap_err();
    ada.call().clear("one").await.unwrap();

    assert_eq!(error, "403 Forbidden: Sign in first");
    assert_eq!(guest.received("cleared").await, [json!(["ada"])]);
}

#[tokio::test]
async fn the_files_in_this_folder_match_the_hub() {
    const KEY: &str =
        "Endpoint=http://127.0.0.1:1;AccessKey=0123456789abcdef0123456789abcdef;Version=1.0;";
    let signalr = SignalR::from_connection_string(KEY).unwrap();
    let app = HubApp::builder().signalr(signalr).hub(Board).build().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));

    let files = app.deployment().executable("functions").files();

    let mut functions = BTreeSet::new();
    for file in files {
        let there = fs::read_to_string(folder.join(&file.path)).unwrap_or_default();
        assert_eq!(
            there, file.content,
            "{} differs: cargo run -p functions -- deploy-files examples/functions",
            file.path
        );
        functions.extend(file.path.strip_suffix("/function.json").map(str::to_owned));
    }
    let folders = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let there: BTreeSet<_> = folders
        .filter(|entry| entry.path().join("function.json").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, functions);
}
