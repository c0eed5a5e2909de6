//! A hub in a crate that depends on the runtime under another name.

/// The target of `crate = …`: a path in this crate instead of the name of the dependency.
pub mod rt {
    pub use signalr::*;
}

use rt::{Context, HubResult, filter::SignedIn, hub_client, serverless_hub};

/// The client methods.
#[hub_client(crate = signalr)]
pub trait ChatClient {
    /// Delivers a text to all clients.
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
