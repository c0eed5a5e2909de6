//! The hub: what pages call, and what they receive. Change this file first.

use hub_runtime::prelude::*;
use serde::Serialize;

const LOBBY: &str = "lobby";

/// The methods that a page has: `connection.on("said", (message) => …)`.
#[hub_client]
pub trait ChatClient {
    async fn joined(&self, user: &str);
    async fn left(&self, user: &str);
    async fn said(&self, message: &Message);
}

/// A message, in JSON `{ "user": "ada", "text": "hi" }`.
#[derive(Debug, Serialize)]
pub struct Message {
    pub user: String,
    pub text: String,
}

pub struct Chat;

#[serverless_hub(client = ChatClient)]
impl Chat {
    /// Determines the user of a new connection: `withUrl("/chat?user=ada")`. A real app checks a
    /// session or a token here.
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let user = request
            .query()
            .get("user")
            .map(str::trim)
            .filter(|user| !user.is_empty());
        Ok(Negotiation::user(user.or_reject("Enter a name.")?))
    }

    async fn on_connected(&self, ctx: &Context<Self>) -> HubResult {
        ctx.groups().add(ctx.connection_id(), LOBBY).await?;
        Ok(ctx.clients().group(LOBBY).joined(user(ctx)?).await?)
    }

    async fn on_disconnected(&self, ctx: &Context<Self>) -> HubResult {
        Ok(ctx.clients().group(LOBBY).left(user(ctx)?).await?)
    }

    /// `await connection.invoke("say", "hi")`
    async fn say(&self, ctx: &Context<Self>, text: String) -> HubResult {
        if text.trim().is_empty() {
            return Err(HubError::rejected("Enter a text."));
        }
        let message = Message {
            user: user(ctx)?.to_owned(),
            text,
        };
        Ok(ctx.clients().group(LOBBY).said(&message).await?)
    }
}

/// The user, as `negotiate` has determined it.
fn user(ctx: &Context<Chat>) -> HubResult<&str> {
    ctx.user_id().or_reject("Sign in first.")
}
