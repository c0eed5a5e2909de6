//! `hub-local upstream init` and `list`.

use crate::process::{Folder, output};

#[tokio::test]
async fn start_and_list_read_the_file_of_init() {
    let folder = Folder::new("init");
    let inner = folder.path().join("new");
    let path = inner.to_str().unwrap();

    let (code, out, _) = output(&["upstream", "init", "-o", path]).await;
    assert_eq!(code, 0);
    assert!(out.contains("settings.json"), "{out}");
    let (code, out, _) = output(&["upstream", "list", "-c", path]).await;
    assert_eq!(code, 0);
    let expected =
        "1. http://localhost:7071/runtime/webhooks/signalr\n   any hub, any category, any event\n";
    assert_eq!(out, expected);
}

#[tokio::test]
async fn init_overwrites_only_if_requested() {
    let folder = Folder::new("init-twice");
    folder.write_settings("{}");

    let (code, _, errors) = output(&["upstream", "init", "-o", folder.text()]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("use --force to overwrite it"), "{errors}");
    assert_eq!(std::fs::read_to_string(folder.path().join("settings.json")).unwrap(), "{}");

    let (code, ..) = output(&["upstream", "init", "--force", "-o", folder.text()]).await;
    assert_eq!(code, 0);
}

#[tokio::test]
async fn list_shows_the_patterns_and_likely_typos() {
    let folder = Folder::new("list");
    folder.write_settings(
        r#"{ "UpstreamSettings": { "Templates": [
            { "UrlTemplate": "http://a/?code=secret", "HubPattern": "chat, news", "Auth": {} },
            { "UrlTemplate": "http://b/" } ] } }"#,
    );

    let (code, out, errors) = output(&["upstream", "list", "-c", folder.text()]).await;

    assert_eq!(code, 0);
    assert!(
        out.contains("1. http://a/\n   hub chat or news, any category, any event\n2."),
        "{out}"
    );
    assert!(!out.contains("secret"), "{out}");
    assert!(errors.contains("settings.json:2: `Auth` is ignored"), "{errors}");
}

#[tokio::test]
async fn list_without_a_file_is_a_failure() {
    let (code, _, errors) = output(&["upstream", "list", "-c", "/not/there.json"]).await;

    assert_eq!(code, 1);
    assert!(errors.contains("`hub-local upstream init` writes one"), "{errors}");
}
