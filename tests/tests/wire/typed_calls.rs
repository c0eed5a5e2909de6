//! Hub methods as functions of test clients, for each form of a method.

use std::{borrow::Cow, collections::BTreeMap, marker::PhantomData};

use hub_runtime::{
    prelude::*,
    testing::{TestClient, TestHub},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A hub in a module of its own, with private methods and private types.
mod inner {
    use super::*;

    #[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
    pub(super) struct Line {
        pub(super) from: u8,
        pub(super) to: u8,
    }

    /// An argument that only deserializes.
    #[derive(Deserialize)]
    pub(super) struct Received {
        name: String,
    }

    /// A result that only serializes.
    #[derive(Serialize)]
    pub(super) struct Shown {
        name: &'static str,
    }

    #[derive(Deserialize, Serialize)]
    pub(super) struct Tagged<H> {
        tag: u8,
        #[serde(skip)]
        hub: PhantomData<fn() -> H>,
    }

    impl<H> Tagged<H> {
        pub(super) fn of(tag: u8) -> Self {
            Self { tag, hub: PhantomData }
        }
    }

    pub(super) struct Caller(String);

    impl FromContext for Caller {
        async fn from_context(call: &Invocation) -> HubResult<Self> {
            Ok(Self(call.user_id().or_reject("Sign in")?.to_owned()))
        }
    }

    pub(super) type Answer<T> = Result<T, HubError>;

    pub(super) struct Forms;

    #[serverless_hub]
    impl Forms {
        async fn nothing(&self) {}

        async fn unit(&self) -> HubResult {
            Ok(())
        }

        async fn whisper(
            &self,
            _ctx: &Context<Self>,
            text: String,
            #[from_context] caller: Caller,
            loud: Option<bool>,
        ) -> Answer<(String, String, Option<bool>)> {
            Ok((caller.0, text, loud))
        }

        async fn numbers(&self, small: u8, large: i64, ratio: f32) -> HubResult<f64> {
            Ok(f64::from(small) + f64::from(i32::try_from(large)?) + f64::from(ratio))
        }

        async fn draw(&self, line: Line, more: Vec<Line>) -> HubResult<Vec<Line>> {
            Ok([vec![line], more].concat())
        }

        async fn text<'a>(&self, text: Cow<'a, str>, other: Cow<'_, str>) -> HubResult<String> {
            Ok(format!("{text}{other}"))
        }

        #[hub(rename = "say it")]
        async fn r#match(&self, r#type: String, _number: u8, number: u8) -> HubResult<String> {
            Ok(format!("{type}{_number}{number}"))
        }

        async fn received(&self, received: Received) -> HubResult<String> {
            Ok(received.name)
        }

        async fn shown(&self) -> HubResult<Shown> {
            Ok(Shown { name: "ada" })
        }

        async fn opaque(&self) -> HubResult<impl Serialize> {
            Ok(json!({ "a": 1 }))
        }

        async fn own(&self, tagged: Tagged<Self>) -> HubResult<Tagged<Self>> {
            Ok(tagged)
        }

        async fn sum(&self, #[hub(arguments)] numbers: Vec<i32>) -> HubResult<i32> {
            Ok(numbers.into_iter().sum())
        }

        async fn whole(&self, #[hub(body)] message: BTreeMap<String, Value>) -> HubResult<Value> {
            Ok(message["arguments"].clone())
        }

        async fn fails(&self) -> HubResult<u8> {
            Err(HubError::rejected("not today"))
        }

        #[cfg(not(test))]
        async fn never(&self, _value: Missing) {}

        #[cfg(test)]
        async fn conditional(&self, #[cfg(not(test))] never: Missing, value: u8) -> HubResult<u8> {
            Ok(value)
        }

        #[deprecated]
        async fn old(&self) -> HubResult<u8> {
            Ok(1)
        }

        // Also methods of `TestClient`.
        async fn send(&self, next: String) -> HubResult<String> {
            Ok(next)
        }

        #[allow(clippy::too_many_arguments, reason = "more than `ArgumentList` has")]
        async fn many(
            &self,
            a: u8,
            b: u8,
            c: u8,
            d: u8,
            e: u8,
            f: u8,
            g: u8,
            h: u8,
            i: u8,
            j: u8,
            k: u8,
            l: u8,
            m: u8,
        ) -> HubResult<Vec<u8>> {
            Ok(vec![a, b, c, d, e, f, g, h, i, j, k, l, m])
        }

        #[hub(fallback)]
        async fn other(&self, ctx: &Context<Self>) -> HubResult<String> {
            Ok(ctx.invocation().event().to_owned())
        }
    }
}

use inner::{Forms, Line, Tagged};

/// The client, and the hub that ends when it is dropped.
async fn forms() -> (TestHub<Forms>, TestClient<Forms>) {
    let hub = TestHub::new(Forms);
    let ada = hub.user("ada").connect().await.unwrap();
    (hub, ada)
}

#[tokio::test]
async fn a_function_takes_the_arguments_of_clients_and_returns_the_result() {
    let (_hub, ada) = forms().await;

    let said = ada.call().whisper("hi", Some(true)).await.unwrap();
    assert_eq!(said, ("ada".to_owned(), "hi".to_owned(), Some(true)));
    assert_eq!(ada.call().whisper(String::from("hi"), None).await.unwrap().2, None);
    assert!((ada.call().numbers(1, 2, 0.5).await.unwrap() - 3.5).abs() < f64::EPSILON);
    assert_eq!(ada.call().many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13).await.unwrap().len(), 13);
    assert_eq!(ada.call().conditional(7).await.unwrap(), 7);
}

#[tokio::test]
async fn an_argument_may_be_borrowed() {
    let (_hub, ada) = forms().await;
    let line = Line { from: 1, to: 2 };

    let drawn = ada.call().draw(&line, vec![]).await.unwrap();
    assert_eq!(drawn, std::slice::from_ref(&line));
    assert_eq!(ada.call().draw(Line::default(), &drawn).await.unwrap().len(), 2);
    let text = String::from("a");
    assert_eq!(ada.call().text(Cow::from(&text), Cow::from("b")).await.unwrap(), "ab");
}

#[tokio::test]
async fn a_method_without_a_result_returns_nothing() {
    let (_hub, ada) = forms().await;

    let () = ada.call().nothing().await.unwrap();
    let () = ada.call().unit().await.unwrap();
    ada.call().nothing().send().await.unwrap();
}

#[tokio::test]
async fn an_error_is_the_text_that_the_client_receives() {
    let (_hub, ada) = forms().await;

    assert_eq!(ada.call().fails().await.unwrap_err(), "not today");
}

#[tokio::test]
async fn a_renamed_method_keeps_its_rust_name() {
    let (_hub, ada) = forms().await;

    assert_eq!(ada.call().r#match("a", 1, 2).await.unwrap(), "a12");
    assert_eq!(ada.call().send("x").await.unwrap(), "x");
}

#[tokio::test]
async fn a_result_that_only_serializes_is_decoded_as_another_type() {
    #[derive(Deserialize)]
    struct Name {
        name: String,
    }
    let (_hub, ada) = forms().await;

    assert_eq!(ada.call().shown().decode::<Name>().await.unwrap().name, "ada");
    assert_eq!(ada.call().opaque().await.unwrap(), json!({ "a": 1 }));
    assert_eq!(ada.call().own(Tagged::of(3)).decode::<Value>().await.unwrap(), json!({ "tag": 3 }));
}

#[tokio::test]
async fn an_argument_that_only_deserializes_is_sent_by_name() {
    let (_hub, ada) = forms().await;

    let name = ada.invoke::<String>("received", (json!({ "name": "eve" }),)).await.unwrap();

    assert_eq!(name, "eve");
}

#[tokio::test]
async fn all_arguments_are_one_list() {
    let (_hub, ada) = forms().await;

    assert_eq!(ada.call().sum(vec![1, 2, 3]).await.unwrap(), 6);
    assert_eq!(ada.call().sum(vec![]).await.unwrap(), 0);
    assert_eq!(ada.call().whole((1, "x")).await.unwrap(), json!([1, "x"]));
}

#[tokio::test]
#[expect(deprecated, reason = "the test calls a deprecated method")]
async fn a_deprecated_method_has_a_deprecated_function() {
    let (_hub, ada) = forms().await;

    assert_eq!(ada.call().old().await.unwrap(), 1);
}

trait Store: Send + Sync + 'static {
    type Item: DeserializeOwned + Serialize + Send;
}

struct Memory;

impl Store for Memory {
    type Item = u16;
}

struct Rooms<S>(S);

#[serverless_hub(rename_all = "PascalCase")]
impl<S: Store> Rooms<S> {
    async fn keep(&self, item: S::Item) -> HubResult<S::Item> {
        let _ = &self.0;
        Ok(item)
    }
}

#[tokio::test]
async fn a_generic_hub_has_functions() {
    let hub = TestHub::new(Rooms(Memory));
    let ada = hub.anonymous().connect().await.unwrap();

    assert_eq!(ada.call().keep(513).await.unwrap(), 513_u16);
}
