//! Recordings and their replays at the command.

use std::{path::Path, time::Duration};

use serde_json::Value;
use tokio::time::sleep;

use crate::{
    app::{App, Response},
    client::Client,
    process::{Folder, KEY, Running, output},
};

const FUNCTION_KEY: &str = "a-key-of-a-function-app-0123456789";

/// An app that answers each call with this text.
async fn app(text: &'static str) -> App {
    App::named(text).await
}

fn upstream(app: &App) -> String {
    format!("{}/hook?code={FUNCTION_KEY}", app.url)
}

/// Records a client that calls three methods and leaves.
async fn record(app: &App, file: &Path) {
    let file = file.to_str().unwrap();
    let mut service = Running::start(&["--upstream", &upstream(app), "--record", file]).await;
    service.out.line("Recording").await;
    let mut client = Client::connect(service.port, "chat").await;
    for (id, method) in [("1", "join"), ("2", "say"), ("3", "say")] {
        client.invoke(id, method).await;
        assert_eq!(client.receive().await["invocationId"], id);
    }
    drop(client);
    app.called("disconnected").await;
    service.signal("TERM");
    assert_eq!(service.exit().await, 0);
}

async fn replay(file: &Path, app: &App, more: &[&str]) -> (i32, String, String) {
    let (file, to) = (file.to_str().unwrap(), upstream(app));
    output(&[&["replay", file, "--to", &to, "--port", "0"], more].concat()).await
}

#[tokio::test]
async fn a_recording_is_replayed_and_answers_that_differ_are_printed() {
    let folder = Folder::new("record");
    let (file, first) = (folder.path().join("run.jsonl"), app("one").await);
    record(&first, &file).await;

    let (code, out, errors) = replay(&file, &app("one").await, &[]).await;
    assert_eq!((code, &*errors), (0, ""), "{out}");
    assert!(out.contains("5 answers compared, 0 differ"), "{out}");

    let changed = app("two").await;
    let (code, out, _) = replay(&file, &changed, &["--diff"]).await;
    assert_eq!(code, 1);
    assert!(
        out.contains(
            "chat.join of Zoë:\n  - 200 {\"result\":\"one\"}\n  + 200 {\"result\":\"two\"}"
        ),
        "{out}"
    );
    assert!(out.contains("5 answers compared, 3 differ"), "{out}");
    let (_, short, _) = replay(&file, &changed, &[]).await;
    assert!(short.contains("call 2, chat.join\n") && !short.contains("two"), "{short}");

    let old = first.called("join").await;
    let new = changed.called("join").await;
    for header in ["X-ASRS-Connection-Id", "X-ASRS-Signature"] {
        assert_ne!(old.header(header), new.header(header), "{header}");
        assert!(new.header(header).is_some());
    }
    assert_eq!(new.header("X-ASRS-User-Id"), Some("Zoë"));
    let ids = [&old, &new]
        .map(|it| serde_json::from_slice::<Value>(&it.body).unwrap()["invocationId"].clone());
    assert_ne!(ids[0], ids[1]);
    let events = ["connected", "join", "say", "say", "disconnected"];
    assert_eq!(changed.events()[..5], events);
}

#[tokio::test]
async fn a_recording_contains_no_secret_of_its_run() {
    let folder = Folder::new("record-secrets");
    let (file, app) = (folder.path().join("run.jsonl"), app("one").await);
    record(&app, &file).await;

    let text = std::fs::read_to_string(&file).unwrap();

    let call = app.called("say").await;
    let signature = call.header("X-ASRS-Signature").unwrap().to_owned();
    for secret in [KEY, FUNCTION_KEY, &signature, "access_token", "eyJ"] {
        assert!(!text.contains(secret), "{secret} is in the recording");
    }
    assert!(text.contains("\"method\":\"say\"") && text.lines().count() > 10, "{text}");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "only the owner can read the file");
}

#[tokio::test]
async fn a_service_that_is_killed_leaves_a_recording_that_can_be_replayed() {
    let folder = Folder::new("record-killed");
    let (file, app) = (folder.path().join("run.jsonl"), app("one").await);
    let path = file.to_str().unwrap();
    let mut service = Running::start(&["--upstream", &upstream(&app), "--record", path]).await;
    let mut client = Client::connect(service.port, "chat").await;
    client.invoke("1", "join").await;
    client.receive().await;
    sleep(Duration::from_millis(100)).await;
    service.signal("KILL");
    service.ended().await;

    let (code, out, errors) = replay(&file, &app, &[]).await;
    assert_eq!((code, &*errors), (0, ""), "{out}");

    // As a disk that was full leaves it.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 20]).unwrap();
    let (code, out, errors) = replay(&file, &app, &[]).await;
    assert_eq!(code, 0, "{out}{errors}");
    assert!(
        errors.contains(
            "the last line of the recording is incomplete; the 1 calls before it are replayed"
        ),
        "{errors}"
    );
}

#[tokio::test]
async fn an_app_that_is_down_other_files_and_other_versions_have_clear_texts() {
    let folder = Folder::new("record-texts");
    let (file, app) = (folder.path().join("run.jsonl"), app("one").await);
    record(&app, &file).await;
    let text = |name: &str| folder.path().join(name);

    let (code, _, errors) =
        output(&["replay", file.to_str().unwrap(), "--to", "http://127.0.0.1:9/", "--port", "0"])
            .await;
    assert_eq!(code, 2);
    assert!(
        errors.contains("http://127.0.0.1:9/runtime/webhooks/signalr: the app answered none"),
        "{errors}"
    );
    assert!(
        errors.contains("connection refused") || errors.contains("Connection refused"),
        "{errors}"
    );
    assert!(errors.contains("that the app runs, and listens on the port of the URL"), "{errors}");

    std::fs::write(
        text("version"),
        "{\"version\":7,\"kind\":\"recording\",\"hub_local\":\"9.0.0\"}\n",
    )
    .unwrap();
    std::fs::write(text("other"), "hello\n").unwrap();
    for (name, part) in [
        ("version", "has version 7, and this hub-local reads version 1"),
        ("other", "the file is no recording"),
        ("missing", "cannot be read: No such file"),
    ] {
        let (code, _, errors) = replay(&text(name), &app, &[]).await;
        assert!(code == 2 && errors.contains(part), "{name}: {errors}");
    }

    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, _, errors) =
        output(&["replay", file.to_str().unwrap(), "--to", &app.url, "--port", &port]).await;
    assert!(code == 2 && errors.contains("stop `hub-local start` first"), "{errors}");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_an_error_at_start() {
    for file in ["/nonexistent/run.jsonl", "/dev/full"] {
        let (code, _, errors) = output(&["start", "--port", "0", "--record", file]).await;
        assert!(
            code == 1 && errors.contains(&format!("--record: {file} cannot be written")),
            "{errors}"
        );
    }
}

#[tokio::test]
async fn masked_fields_and_payloads_are_not_in_a_recording() {
    let folder = Folder::new("record-masked");
    let file = folder.path().join("run.jsonl");
    let app = App::start(|request| {
        let is_message = request.header("X-ASRS-Category") == Some("messages");
        Some(if is_message { request.completion("s3cret-result") } else { Response::new(200, "") })
    })
    .await;
    for (options, is_shown) in [
        (&["--inspector-mask", "email"][..], true),
        (&["--inspector-payloads", "off", "--inspector", "off"], false),
    ] {
        let arguments = ["--upstream", &app.url, "--record", file.to_str().unwrap()];
        let service = Running::start(&[&arguments, options].concat()).await;
        let mut client = Client::connect(service.port, "chat").await;
        let call = r#"{"type":1,"invocationId":"1","target":"m","arguments":[{"email":"ada@example.org","n":1}]}"#;
        client.send(call).await;
        client.receive().await;
        drop(service);

        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("ada@example.org"), "{text}");
        assert_eq!(text.contains("s3cret-result"), is_shown, "{text}");
        let (code, out, _) = replay(&file, &app, &[]).await;
        assert!(code == 0 && out.contains("not replayed: call 2 of `m`"), "{out}");
    }
}
