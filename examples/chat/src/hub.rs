//! The `Chat` hub and the interface of its pages.

use std::time::Duration;

use hub_runtime::prelude::*;
use tokio::sync::Mutex;

use crate::messages::{NewMessage, TextError};
use crate::people::People;
use crate::rooms::{RoomError, Rooms};
use crate::sessions::Sessions;

/// Methods that every page implements.
#[hub_client]
pub trait ChatClient {
    async fn new_message(&self, message: &NewMessage);
    async fn presence(&self, user: &str, online: bool);
    async fn room_opened(&self, room: &str);
    async fn confirm(&self, question: &str) -> bool;
}

/// Errors of the chat. `into_hub_error` decides which texts reach the client.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    #[error(transparent)]
    Room(#[from] RoomError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("The service did not accept the message.")]
    Send(#[from] SendError),
}

impl IntoHubError for ChatError {
    fn into_hub_error(self) -> HubError {
        match self {
            Self::Room(_) | Self::Text(_) => HubError::rejected(self.to_string()),
            Self::Send(source) => HubError::internal(source),
        }
    }
}

/// The signed-in caller. The name comes from the connection, never from the arguments.
pub struct User(String);

impl FromContext for User {
    async fn from_context(call: &Invocation) -> HubResult<Self> {
        let id = call.user_id().or_reject("Sign in first.")?;
        Ok(Self(id.to_owned()))
    }
}

/// The hub. Its fields are the application state, shared by all calls.
pub struct Chat {
    pub rooms: Rooms,
    /// Locked while presence is sent, so that updates about a user stay in order.
    pub people: Mutex<People>,
    pub sessions: Sessions,
}

#[serverless_hub(client = ChatClient)]
#[filter(SignedIn)]
impl Chat {
    /// Determines the user of the connection.
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let token = request.bearer_token();
        let session = self.sessions.verify(token).map_err(HubError::unauthenticated)?;
        Ok(Negotiation::user(session.user).claim("role", session.role))
    }

    async fn on_connected(&self, ctx: &Context<Self>, #[from_context] user: User) -> HubResult {
        ctx.groups().add(ctx.connection_id(), Rooms::LOBBY).await?;
        let mut people = self.people.lock().await;
        if people.enter(&user.0, ctx.connection_id()) {
            ctx.clients().others().presence(&user.0, true).await?;
        }
        for name in people.names() {
            ctx.clients().caller().presence(name, true).await?;
        }
        Ok(())
    }

    async fn on_disconnected(&self, ctx: &Context<Self>, #[from_context] user: User) -> HubResult {
        let mut people = self.people.lock().await;
        if people.leave(&user.0, ctx.connection_id()) {
            ctx.clients().all().presence(&user.0, false).await?;
        }
        Ok(())
    }

    /// The names of all rooms. `room_opened` reports each room that is opened later.
    async fn rooms(&self) -> HubResult<Vec<String>> {
        Ok(self.rooms.names())
    }

    /// Returns the room's name in the spelling of its opening, because `room` may differ in case.
    async fn join(&self, ctx: &Context<Self>, room: String) -> Result<String, ChatError> {
        let room = self.rooms.find(&room)?;
        ctx.groups().add(ctx.connection_id(), &room).await?;
        Ok(room)
    }

    /// Sends a message and returns its length. With `notify`, the operators receive it too.
    async fn send_message(
        &self,
        ctx: &Context<Self>,
        room: String,
        text: String,
        notify: Option<bool>,
        #[from_context] user: User,
    ) -> Result<usize, ChatError> {
        let message = NewMessage::new(self.rooms.find(&room)?, user.0, text)?;
        ctx.clients().group(&message.room).new_message(&message).await?;
        if notify.unwrap_or(false) {
            ctx.clients().user("ops").new_message(&message).await?;
        }
        Ok(message.text.len())
    }

    /// For moderators only. Asks the caller to confirm.
    #[filter(RequireClaim("role", "moderator"))]
    async fn open_room(&self, ctx: &Context<Self>, room: String) -> HubResult<bool> {
        self.rooms.check_new(&room).map_err(HubError::rejected)?;
        let question = format!("Open the room {room}?");
        let asked = ctx.clients().caller().confirm(&question).timeout(Duration::from_secs(30));
        if !asked.await.or_reject("The question was not answered, so the room was not opened.")? {
            return Ok(false);
        }
        self.rooms.open(&room).map_err(HubError::rejected)?;
        ctx.clients().all().room_opened(&room).await?;
        Ok(true)
    }
}
