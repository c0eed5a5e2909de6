//! Injected parameters are extracted before arguments are decoded, and have no position.

use hub_runtime::prelude::*;
use serde::Deserialize;

use crate::support::Bench;

/// A type that a client could send as an argument if the parameter had no `#[from_context]`.
#[derive(Deserialize)]
struct User(String);

impl FromContext for User {
    async fn from_context(call: &Invocation) -> HubResult<Self> {
        Ok(Self(call.user_id().or_reject("Sign in first")?.to_owned()))
    }
}

struct Chat;

#[serverless_hub]
impl Chat {
    async fn send(
        &self,
        room: String,
        #[from_context] User(name): User,
        text: String,
    ) -> HubResult<String> {
        Ok(format!("{room}/{name}: {text}"))
    }

    async fn whoami(&self, #[hub_runtime::from_context] user: User) -> HubResult<String> {
        Ok(user.0)
    }
}

#[test]
fn the_client_cannot_send_an_injected_value() {
    let chat = Bench::new(Chat);

    assert_eq!(chat.rows()[0].params, ["room", "text"]);
    assert_eq!(chat.invoke("send", r#"["r","hi"]"#).unwrap(), r#""r/ada: hi""#);
    assert!(
        chat.invoke("send", r#"["r","eve","hi"]"#).unwrap_err().starts_with("too many arguments")
    );
    assert_eq!(chat.invoke("whoami", "[]").unwrap(), r#""ada""#);
}

#[test]
fn injected_values_are_extracted_before_arguments() {
    assert_eq!(Bench::new(Chat).invoke_anonymously("send", "[7]").unwrap_err(), "Sign in first");
}
