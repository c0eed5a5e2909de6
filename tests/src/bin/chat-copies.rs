//! Copies of the hub of the chat, for `typescript.test.js`. `CHAT_COPY` selects one: without a change, with a method
//! under another name, or with a field of another type.

#![allow(dead_code, reason = "the hubs are described, and never called")]

macro_rules! copy {
    ($module:ident, $send_message:ident, $text:ty) => {
        mod $module {
            use hub_runtime::prelude::*;
            use schemars::JsonSchema;
            use serde::Serialize;

            /// One message in a room.
            #[derive(Serialize, JsonSchema)]
            #[serde(rename_all = "camelCase")]
            pub(crate) struct NewMessage {
                room: String,
                from: String,
                text: $text,
            }

            #[hub_client]
            pub(crate) trait ChatClient {
                async fn new_message(&self, message: &NewMessage);
                async fn presence(&self, user: &str, online: bool);
                async fn room_opened(&self, room: &str);
                async fn confirm(&self, question: &str) -> bool;
            }

            pub(crate) struct Chat;

            #[serverless_hub(client = ChatClient)]
            impl Chat {
                /// The names of all rooms. `room_opened` reports each room that is opened later.
                async fn rooms(&self) -> HubResult<Vec<String>> {
                    Ok(Vec::new())
                }

                /// Returns the room's name in the spelling of its opening, because `room` may differ in case.
                async fn join(&self, room: String) -> HubResult<String> {
                    Ok(room)
                }

                /// Sends a message and returns its length. With `notify`, the operators receive it too.
                async fn $send_message(
                    &self,
                    _room: String,
                    text: String,
                    _notify: Option<bool>,
                ) -> HubResult<usize> {
                    Ok(text.len())
                }

                /// For moderators only. Asks the caller to confirm.
                async fn open_room(&self, _room: String) -> HubResult<bool> {
                    Ok(false)
                }
            }

            pub(crate) fn app() -> Result<HubApp, Box<dyn std::error::Error>> {
                Ok(HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(Chat).build()?)
            }
        }
    };
}

copy!(unchanged, send_message, String);
copy!(renamed, post_message, String);
copy!(retyped, send_message, Vec<String>);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = match std::env::var("CHAT_COPY").as_deref() {
        Ok("renamed") => renamed::app(),
        Ok("retyped") => retyped::app(),
        _ => unchanged::app(),
    }?;
    Ok(app.run().await?)
}
