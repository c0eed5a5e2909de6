//! Differences from C# that break a ported page: rows of `docs/from-csharp.md`, before and after the fix that the row names.

use hub_runtime::{prelude::*, testing::TestHub};
use serde::{Deserialize, Serialize};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

/// A class of the C# app as it is ported first, without serde attributes.
#[derive(Deserialize)]
struct Plain {
    text: String,
    urgent: bool,
}

/// The same class as the page describes it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ported {
    text: Option<String>,
    #[serde(default)]
    urgent: bool,
}

struct Hub;

#[serverless_hub]
impl Hub {
    async fn negotiate(&self, _: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn plain(&self, message: Plain) -> HubResult<usize> {
        Ok(message.text.len() + usize::from(message.urgent))
    }

    async fn ported(&self, ctx: &Context<Self>, message: Ported) -> HubResult {
        Ok(ctx.clients().all().send("said", (message,)).await?)
    }

    async fn count(&self, count: u32) -> HubResult<u32> {
        Ok(count)
    }

    async fn any(&self, value: Value) -> HubResult<Value> {
        Ok(value)
    }

    async fn room(&self, room: Option<String>) -> HubResult<String> {
        Ok(room.unwrap_or_else(|| "lobby".to_owned()))
    }

    async fn refuse(&self) -> HubResult {
        Err(HubError::rejected("A message has at most 500 characters"))
    }

    #[filter(SignedIn)]
    async fn guarded(&self) {}
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

#[tokio::test]
async fn members_that_the_page_omits_or_sends_as_null_need_an_attribute() {
    let hub = TestHub::new(Hub);
    let page = hub.anonymous().connect().await.unwrap();

    for (message, error) in [
        (r#"{"text":"a"}"#, "argument 1 (`message`): missing field `urgent`"),
        (r#"{"text":null,"urgent":true}"#, "invalid type: null, expected a string"),
        (r#"{"text":"a","text":"b","urgent":true}"#, "duplicate field `text`"),
    ] {
        let refused = page.invoke::<usize>("plain", (raw(message),)).await.unwrap_err();
        assert!(refused.text().contains(error), "{refused}");
    }

    for message in [json!({}), json!({"Text": null}), json!({"Text": "a", "Urgent": true})] {
        page.invoke::<Value>("Ported", (message,)).await.unwrap();
    }
    assert_eq!(
        page.received("said").await,
        [
            json!([{"Text": null, "Urgent": false}]),
            json!([{"Text": null, "Urgent": false}]),
            json!([{"Text": "a", "Urgent": true}]),
        ]
    );
}

#[tokio::test]
async fn values_of_another_type_are_not_converted() {
    let hub = TestHub::new(Hub);
    let page = hub.anonymous().connect().await.unwrap();

    for (value, error) in [
        (json!("7"), "invalid type: string \"7\", expected u32"),
        (json!(1.5), "invalid type: floating point `1.5`, expected u32"),
    ] {
        let refused = page.invoke::<u32>("count", (&value,)).await.unwrap_err();
        assert!(refused.text().ends_with(error), "{refused}");
        assert_eq!(page.invoke::<Value>("any", (&value,)).await.unwrap(), value);
    }
    let number = page.invoke::<String>("room", (7,)).await.unwrap_err();
    assert!(number.text().ends_with("invalid type: integer `7`, expected a string"), "{number}");
    let date = json!("2026-11-10T00:00:00Z");
    assert_eq!(page.invoke::<Value>("any", (&date,)).await.unwrap(), date);
}

#[tokio::test]
async fn a_trailing_option_can_be_omitted() {
    let hub = TestHub::new(Hub);
    let page = hub.anonymous().connect().await.unwrap();

    assert_eq!(page.invoke::<String>("room", ()).await.unwrap(), "lobby");
    assert_eq!(
        page.invoke::<String>("room", (to_raw_value(&()).unwrap(),)).await.unwrap(),
        "lobby"
    );
    assert_eq!(page.invoke::<String>("room", ("den",)).await.unwrap(), "den");
}

#[tokio::test]
async fn texts_of_errors_have_no_prefix_and_those_of_filters_a_status() {
    let hub = TestHub::new(Hub);
    let page = hub.anonymous().connect().await.unwrap();

    let refused = page.invoke::<()>("refuse", ()).await.unwrap_err();
    let guarded = page.invoke::<()>("guarded", ()).await.unwrap_err();

    assert_eq!(refused.text(), "A message has at most 500 characters");
    assert!(guarded.text().starts_with("403 Forbidden: "), "{guarded}");
}
