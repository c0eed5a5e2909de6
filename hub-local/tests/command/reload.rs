//! Reloading of the settings file.

use crate::{
    app::App,
    client::Client,
    process::{Folder, Running},
};

fn settings(app: &App, hubs: &str) -> String {
    let url = &app.url;
    format!(
        r#"{{ "UpstreamSettings": {{ "Templates": [
            {{ "UrlTemplate": "{url}/", "HubPattern": "{hubs}" }} ] }} }}"#
    )
}

#[tokio::test]
async fn the_next_call_uses_the_new_settings() {
    let (first, second) = (App::named("first").await, App::named("second").await);
    let folder = Folder::new("reload");
    folder.write_settings(&settings(&first, "*"));
    let service = Running::start(&["--config", folder.text()]).await;
    let mut client = Client::connect(service.port, "chat").await;
    client.invoke("1", "m").await;
    assert_eq!(client.receive().await["result"], "first");

    folder.write_settings(&settings(&second, "chat, news"));
    service.log.line("settings reloaded").await;

    client.invoke("2", "m").await;
    assert_eq!(client.receive().await["result"], "second");
}

#[tokio::test]
async fn an_invalid_file_keeps_the_old_settings_and_is_logged() {
    let app = App::named("old").await;
    let folder = Folder::new("reload-broken");
    folder.write_settings(&settings(&app, "*"));
    let service = Running::start(&["--config", folder.text()]).await;
    let mut client = Client::connect(service.port, "chat").await;

    folder.write_settings("{ \"UpstreamSettings\": {\n \"Templates\": 5 } }");
    let line = service.log.line("keeping the last settings").await;

    assert!(line.contains("settings.json:2:"), "{line}");
    client.invoke("1", "m").await;
    assert_eq!(client.receive().await["result"], "old");
}

#[tokio::test]
async fn likely_typos_in_the_file_are_reported() {
    let folder = Folder::new("slips");
    folder.write_settings(r#"{ "UpstreamSettings": { "Template": [] } }"#);

    let service = Running::start(&["--config", folder.text()]).await;

    let line = service.log.line("unknown key").await;
    assert!(line.contains("did you mean `Templates`?"), "{line}");
}
