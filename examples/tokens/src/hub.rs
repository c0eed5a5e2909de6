//! The `Tokens` hub: clients ask questions, and the hub sends the answers word by word.

use std::time::Duration;

use hub_runtime::prelude::*;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    model::FakeModel,
    rooms::{Answer, Rooms},
};

/// Time that the model needs per token.
const PACE: Duration = Duration::from_millis(60);

/// Methods that every page implements.
#[hub_client]
pub trait TokensClient {
    /// A question in the room. The tokens of the answer follow.
    async fn asked(&self, answer: &Answer);
    /// One token of an answer. `index` is its position in the answer. Tokens can arrive in any order.
    async fn token(&self, id: u64, index: usize, text: &str);
    /// The answer is complete.
    async fn done(&self, id: u64);
}

/// The hub. Separate tasks, which outlive the call, write the answers.
#[derive(Default)]
pub struct Tokens {
    pub rooms: Rooms,
    pub writers: TaskTracker,
}

#[serverless_hub(client = TokensClient)]
impl Tokens {
    /// Any client may read and ask, since this is a demonstration.
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    /// Joins a room and returns its answers so far. A token of a running answer can arrive twice, with the
    /// same index: in the result and in a message.
    async fn join(&self, ctx: &Context<Self>, room: String) -> HubResult<Vec<Answer>> {
        Rooms::check_name(&room).map_err(HubError::rejected)?;
        ctx.groups().add(ctx.connection_id(), &room).await?;
        Ok(self.rooms.said_in(&room))
    }

    async fn leave(&self, ctx: &Context<Self>, room: String) -> HubResult {
        Rooms::check_name(&room).map_err(HubError::rejected)?;
        Ok(ctx.groups().remove(ctx.connection_id(), &room).await?)
    }

    /// Asks the model and returns the id of the answer. All clients in the room receive the answer.
    async fn ask(&self, ctx: &Context<Self>, room: String, prompt: String) -> HubResult<u64> {
        let (answer, cancelled) = self.rooms.ask(&room, &prompt).map_err(HubError::rejected)?;
        let id = answer.id;
        let writer =
            Writer { rooms: self.rooms.clone(), hub: ctx.hub().clone(), room, answer, cancelled };
        self.writers.spawn(writer.write());
        Ok(id)
    }

    /// Stops an answer. Returns false if it has ended already. Any client may stop any answer.
    async fn cancel(&self, id: u64) -> HubResult<bool> {
        Ok(self.rooms.cancel(id))
    }
}

/// Writes one answer to its room.
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
        // Run this also after a failed send, so that the answer ends and the room accepts the next question.
        self.rooms.end(self.answer.id);
        let ended = self.hub.clients().group(&self.room).done(self.answer.id).await;
        if let Err(error) = written.and(ended) {
            tracing::warn!(%error, "cannot send a token to the room");
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
            // Store the token before sending it. A client that joins between these steps receives the token twice,
            // but never misses it.
            self.rooms.say(id, &text);
            room.token(id, index, &text).await?;
        }
        Ok(())
    }
}
