//! Output whose reader has ended.

use std::{io::pipe, process::Stdio};

use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{
    client::status,
    process::{Folder, command, with_timeout},
};

#[tokio::test]
async fn a_command_whose_output_is_not_read_ends_as_usual() {
    let folder = Folder::new("closed-output");
    folder.write_settings(
        r#"{ "UpstreamSettings": { "Templates": [{ "UrlTemplate": "http://a/", "Auth": {} }] } }"#,
    );
    for (arguments, code) in
        [(["upstream", "list", "-c", folder.text()], 0), (["upstream", "list", "-c", "/none"], 1)]
    {
        let (out, errors) = (pipe().unwrap().1, pipe().unwrap().1);
        let mut running = command();

        let status = running.args(arguments).stdout(out).stderr(errors).status();

        let status = with_timeout("the end", status).await.unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}: {status}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn output_that_is_lost_is_an_error() {
    let folder = Folder::new("full-output");
    folder.write_settings(
        r#"{ "UpstreamSettings": { "Templates": [{ "UrlTemplate": "http://a/" }] } }"#,
    );
    let full = std::fs::File::create("/dev/full").unwrap();
    let mut list = command();
    list.args(["upstream", "list", "-c", folder.text()]).stdout(full);

    // `output` would take the standard output, too.
    let running = list.stderr(Stdio::piped()).spawn().unwrap();
    let done = with_timeout("the end", running.wait_with_output()).await.unwrap();

    let errors = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{errors}");
    assert!(errors.contains("error: standard output cannot be written: "), "{errors}");
}

#[tokio::test]
async fn requests_are_served_after_the_reader_of_the_log_has_ended() {
    let (reader, log) = pipe().unwrap();
    let mut start = command();
    start.args(["start", "--json", "--port", "0", "--log", "debug"]);
    let mut service = start.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    // `command` holds the writing end, too.
    drop(start);
    let mut lines = BufReader::new(service.stdout.take().unwrap()).lines();
    let line = with_timeout("the start", lines.next_line()).await.unwrap().unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let port = line["url"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    drop(reader);

    for _ in 0..3 {
        let path = "/client/negotiate?hub=chat&negotiateVersion=1";
        assert_eq!(with_timeout("the response", status(port, "POST", path)).await, 401);
    }

    service.kill().await.unwrap();
}
