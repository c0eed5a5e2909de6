//! The hub. It is stateless, because Lambda starts and stops instances at any time and runs many at once.

use hub_runtime::prelude::*;

/// The allowed reactions.
const REACTIONS: [&str; 4] = ["👍", "👏", "😂", "🤔"];

/// Methods that every page implements.
#[hub_client]
pub trait TalkClient {
    /// `connection.on("reacted", reaction => …)`
    async fn reacted(&self, reaction: &str);
}

/// Reactions of an audience.
pub struct Talk;

#[serverless_hub(client = TalkClient)]
impl Talk {
    /// Any client may listen and react.
    async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn join(&self, ctx: &Context<Self>, talk: String) -> HubResult {
        Ok(ctx.groups().add(ctx.connection_id(), &talk).await?)
    }

    /// Sends a reaction to all clients in the talk.
    async fn react(&self, ctx: &Context<Self>, talk: String, reaction: String) -> HubResult {
        REACTIONS
            .contains(&reaction.as_str())
            .then_some(())
            .or_reject("There is no such reaction")?;
        Ok(ctx.clients().group(&talk).reacted(&reaction).await?)
    }
}
