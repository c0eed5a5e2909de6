//! The `Tokens` hub: questions come in, answers go out word by word.

use std::time::Duration;

use hub_runtime::prelude::*;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    model::FakeModel,
    rooms::{Answer, Rooms},
};

/// How long the model thinks about a token.
const PACE: Duration = Duration::from_millis(60);

/// What every page implements.
#[hub_client]
pub trait TokensClient {
    /// Somebody in the room asked; the tokens of the answer follow.
    async fn asked(&self, answer: &Answer);
    /// One token of an answer. Its place is `index`, whenever it arrives.
    async fn token(&self, id: u64, index: usize, text: &str);
    /// There will be no more tokens of this answer.
    async fn done(&self, id: u64);
}

/// The hub. Answers are written by tasks of their own, which outlive the call that asked.
#[derive(Default)]
pub struct Tokens {
    pub rooms: Rooms,
    pub writers: TaskTracker,
}

#[serverless_hub(client = TokensClient)]
impl Tokens {
    /// Anybody may read and ask: this is a demonstration.
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    /// Enters a room and returns what was said there so far. Tokens that are being said now may come
    /// twice, as a message and in the result; their index tells.
    async fn join(&self, ctx: &Context<Self>, room: String) -> HubResult<Vec<Answer>> {
        Rooms::check_name(&room).map_err(HubError::rejected)?;
        ctx.groups().add(ctx.connection_id(), &room).await?;
        Ok(self.rooms.said_in(&room))
    }

    async fn leave(&self, ctx: &Context<Self>, room: String) -> HubResult {
        Rooms::check_name(&room).map_err(HubError::rejected)?;
        Ok(ctx.groups().remove(ctx.connection_id(), &room).await?)
    }

    /// Asks the model before the whole room; the result is the answer's id.
    async fn ask(&self, ctx: &Context<Self>, room: String, prompt: String) -> HubResult<u64> {
        let (answer, cancelled) = self.rooms.ask(&room, &prompt).map_err(HubError::rejected)?;
        let id = answer.id;
        let writer =
            Writer { rooms: self.rooms.clone(), hub: ctx.hub().clone(), room, answer, cancelled };
        self.writers.spawn(writer.write());
        Ok(id)
    }

    /// Stops an answer; false when it is at its end already. Anybody who reads it may.
    async fn cancel(&self, id: u64) -> HubResult<bool> {
        Ok(self.rooms.cancel(id))
    }
}

/// Writes one answer into its room.
struct Writer {
    rooms: Rooms,
    hub: HubContext<Tokens>,
    room: String,
    answer: Answer,
    cancelled: CancellationToken,
}

impl Writer {
    async fn write(self) {
        let written = self.tokens().await;
        // Also when a send failed: the answer has an end, and the room is free again.
        self.rooms.end(self.answer.id);
        let ended = self.hub.clients().group(&self.room).done(self.answer.id).await;
        if let Err(error) = written.and(ended) {
            tracing::warn!(%error, "an answer did not reach the room");
        }
    }

    async fn tokens(&self) -> Result<(), SendError> {
        let (id, room) = (self.answer.id, self.hub.clients().group(&self.room));
        room.asked(&self.answer).await?;
        for (index, text) in FakeModel.answer(&self.answer.prompt).enumerate() {
            tokio::select! {
                () = tokio::time::sleep(PACE) => {}
                () = self.cancelled.cancelled() => return Ok(()),
            }
            // First kept, then sent: who joins in between gets it twice, and nobody misses it.
            self.rooms.say(id, &text);
            room.token(id, index, &text).await?;
        }
        Ok(())
    }
}
