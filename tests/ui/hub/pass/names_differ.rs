//! Client names default to camel case, and raw identifiers lose their `r#`.

use hub_runtime::prelude::*;

use crate::support::Bench;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn send_message(&self) {}

    async fn r#match(&self) {}

    #[hub(rename = "Close Room")]
    async fn close(&self) {}

    #[hub_runtime::hub(rename = "close")]
    async fn finish(&self) {}

    #[cfg(not(test))]
    async fn twice(&self) {}

    #[cfg(test)]
    async fn twice(&self) {}
}

struct Shouting;

#[serverless_hub(rename_all = "SCREAMING_SNAKE_CASE")]
impl Shouting {
    async fn send_message(&self) {}

    #[hub(rename = "join")]
    async fn enter(&self) {}
}

#[test]
fn method_names_are_camel_case_or_renamed() {
    let names = Bench::new(Chat).names();

    assert_eq!(names, ["sendMessage", "match", "Close Room", "close", "twice"]);
    assert_eq!(Bench::new(Shouting).names(), ["SEND_MESSAGE", "join"]);
}

#[test]
fn names_match_ignoring_case_and_underscores() {
    for name in ["sendMessage", "SendMessage", "send_message", "SENDMESSAGE"] {
        assert!(Bench::new(Chat).invoke(name, "[]").is_ok(), "{name}");
    }
}
