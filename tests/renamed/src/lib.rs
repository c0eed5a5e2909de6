//! A hub in a crate that knows the runtime only under another name.

/// What the macros are told with `crate = …`: a path of this crate, and not the dependency's own.
pub mod rt {
    pub use signalr::*;
}

use rt::{Context, HubResult, filter::SignedIn, hub_client, serverless_hub};

/// What the clients implement.
#[hub_client(crate = signalr)]
pub trait ChatClient {
    /// A text for everyone.
    async fn new_message(&self, text: &str);
}

/// The hub.
#[derive(Debug, Default)]
pub struct Chat {}

#[serverless_hub(client = ChatClient, crate = crate::rt)]
#[crate::rt::filter(SignedIn)]
impl Chat {
    async fn send_message(&self, ctx: &Context<Self>, text: String) -> HubResult<usize> {
        ctx.clients().all().new_message(&text).await?;
        Ok(text.len())
    }
}
