//! The `Board` hub: shared notes that clients and HTTP requests can change.

use std::sync::Arc;

use hub_runtime::prelude::*;

use crate::notes::{Note, Notes};

/// Methods that every page implements.
#[hub_client]
pub trait BoardClient {
    async fn added(&self, note: &Note);
    async fn removed(&self, id: u64);
}

/// The hub. It shares its notes with the HTTP routes.
pub struct Board {
    pub notes: Arc<Notes>,
}

#[serverless_hub(client = BoardClient)]
impl Board {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    /// Returns the current state. Pages call it after each connect and reconnect.
    async fn notes(&self) -> HubResult<Vec<Note>> {
        Ok(self.notes.all())
    }

    async fn add(&self, ctx: &Context<Self>, text: String) -> HubResult<u64> {
        let note = self.notes.add(&text).map_err(HubError::rejected)?;
        ctx.clients().all().added(&note).await?;
        Ok(note.id)
    }

    async fn remove(&self, ctx: &Context<Self>, id: u64) -> HubResult {
        self.notes.remove(id).map_err(HubError::rejected)?;
        Ok(ctx.clients().all().removed(id).await?)
    }
}
