//! An error type is `HubError`, to which `?` converts any error, or a type with `IntoHubError`.

use hub_runtime::prelude::*;

use crate::support::Bench;

enum ChatError {
    NoSuchRoom(String),
}

impl IntoHubError for ChatError {
    fn into_hub_error(self) -> HubError {
        match self {
            Self::NoSuchRoom(room) => HubError::rejected(format!("there is no room called {room}")),
        }
    }
}

struct Chat;

#[serverless_hub]
impl Chat {
    async fn join(&self, room: String) -> Result<(), ChatError> {
        Err(ChatError::NoSuchRoom(room))
    }

    async fn load(&self) -> HubResult<String> {
        Ok(std::fs::read_to_string("/no/such/file")?)
    }
}

#[test]
fn the_client_gets_the_text_of_the_error() {
    let chat = Bench::new(Chat);

    assert_eq!(chat.invoke("join", r#"["x"]"#).unwrap_err(), "there is no room called x");
    assert_eq!(chat.invoke("load", "[]").unwrap_err(), "internal");
}
