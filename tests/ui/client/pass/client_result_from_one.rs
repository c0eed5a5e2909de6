//! One connection can return a client result, inside and outside of a call.

use std::time::Duration;

use hub_runtime::prelude::*;

use crate::support::Bench;

#[hub_client]
pub(crate) trait ChatClient {
    async fn confirm(&self, question: &str) -> bool;
}

pub(crate) struct Chat;

#[serverless_hub(client = ChatClient)]
impl Chat {
    async fn ask(&self, ctx: &Context<Self>) -> HubResult<bool> {
        let caller = ctx.clients().client(ctx.connection_id());
        Ok(caller.confirm("Sure?").timeout(Duration::from_secs(1)).await?)
    }
}

pub(crate) async fn ask_from_outside(chat: HubContext<Chat>) -> Result<bool, InvokeError> {
    chat.clients().client("c2").confirm("Sure?").await
}

#[test]
fn the_trait_works_outside_of_a_call_too() {
    let _compiles = ask_from_outside;
}

#[test]
fn the_result_is_returned() {
    let chat = Bench::new(Chat);

    assert_eq!(chat.invoke("ask", "[]").unwrap(), "true");
    assert_eq!(chat.sent(), [r#"c1.confirm["Sure?"]"#]);
}
