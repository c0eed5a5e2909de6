//! A parameter may take all arguments, or the whole message, as one value.

use hub_runtime::prelude::*;
use serde::Deserialize;

use crate::support::Bench;

struct Chat;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    target: String,
    arguments: (String, u8),
    invocation_id: Option<String>,
}

struct User(String);

impl FromContext for User {
    async fn from_context(call: &Invocation) -> HubResult<Self> {
        Ok(Self(call.user_id().or_reject("Sign in")?.to_owned()))
    }
}

#[serverless_hub]
impl Chat {
    async fn sum(&self, #[hub(arguments)] numbers: Vec<i32>) -> HubResult<i32> {
        Ok(numbers.into_iter().sum())
    }

    async fn pair(&self, #[hub(arguments)] (text, number): (String, u8)) -> HubResult<String> {
        Ok(format!("{text}{number}"))
    }

    async fn message(
        &self,
        _ctx: &Context<Self>,
        #[hub(body)] message: Message,
        #[from_context] user: User,
    ) -> HubResult<String> {
        let Message { target, arguments: (text, number), invocation_id } = message;
        Ok(format!("{} {target} {text} {number} {}", user.0, invocation_id.unwrap_or_default()))
    }
}

#[test]
fn all_arguments_bind_to_one_value() {
    let chat = Bench::new(Chat);

    assert_eq!(chat.invoke("sum", "[1,2,3]").unwrap(), "6");
    assert_eq!(chat.invoke("sum", "[]").unwrap(), "0");
    assert_eq!(chat.invoke("pair", r#"["a",1]"#).unwrap(), r#""a1""#);
    assert_eq!(
        chat.invoke("sum", r#"["x"]"#).unwrap_err(),
        "the arguments: invalid type: string \"x\", expected i32"
    );
}

#[test]
fn the_message_binds_to_one_value() {
    let message = Bench::new(Chat).invoke("message", r#"["a",1]"#).unwrap();

    assert_eq!(message, r#""ada message a 1 1""#);
}
