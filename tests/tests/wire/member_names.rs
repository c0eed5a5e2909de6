//! Members of objects in the spelling of .NET clients.

use hub_runtime::{prelude::*, testing::TestHub};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    street_name: Option<String>,
    number: Option<u32>,
}

struct Post;

#[serverless_hub]
impl Post {
    async fn negotiate(&self, _: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn send(&self, place: Place) -> HubResult<String> {
        Ok(format!("{:?} {:?}", place.street_name, place.number))
    }

    #[hub(exact_names)]
    async fn send_exactly(&self, place: Place) -> HubResult<String> {
        self.send(place).await
    }
}

#[tokio::test]
async fn members_in_pascal_case_bind_to_fields_unless_names_are_exact() {
    let hub = TestHub::new(Post);
    let client = hub.anonymous().connect().await.unwrap();
    let place = json!({"StreetName": "Main", "NUMBER": 7});

    let bound: String = client.invoke("send", (&place,)).await.unwrap();
    let exact: String = client.invoke("sendExactly", (&place,)).await.unwrap();

    assert_eq!((bound.as_str(), exact.as_str()), (r#"Some("Main") Some(7)"#, "None None"));
}

#[tokio::test]
async fn two_spellings_of_a_member_are_refused_with_a_text() {
    let hub = TestHub::new(Post);
    let client = hub.anonymous().connect().await.unwrap();

    let refused = client.invoke::<String>("send", (json!({"number": 1, "Number": 2}),)).await;

    assert_eq!(
        refused.unwrap_err(),
        "argument 1 (`place`): two members are the field `number`, because names are compared without case; send one \
         of them"
    );
}

#[tokio::test]
async fn an_object_without_a_known_member_is_logged_once_per_method() {
    let hub = TestHub::new(Post);
    let client = hub.anonymous().connect().await.unwrap();

    for method in ["send", "send", "sendExactly"] {
        client.invoke::<String>(method, (json!({"street": "Main"}),)).await.unwrap();
    }

    let log: Vec<_> = hub.log().into_iter().filter(|line| line.level == "WARN").collect();
    assert_eq!(log.len(), 1, "{log:#?}");
    assert_eq!((log[0].field("hub"), log[0].field("method")), (Some("Post"), Some("send")));
    assert!(log[0].contains("no member is a field of `Place`: its first member is `street`"));
    assert!(log[0].contains("the fields are `streetName`, `number`"), "{log:#?}");
}
