//! The hub. It is stateless, because the Functions host can start any number of instances. Keep
//! lasting state in groups of the service, or in a store that the instances share.

use hub_runtime::prelude::*;
use serde::{Deserialize, Serialize};

/// Maximum number of points of a line. Messages should be small, since all clients on the board receive
/// them.
const MAX_POINTS: usize = 500;

/// A line on a board.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Any CSS colour.
    pub colour: String,
    /// Points with x and y from 0 to 1.
    pub points: Vec<(f32, f32)>,
}

/// Methods that every page implements.
#[hub_client]
pub trait BoardClient {
    /// `connection.on("drawn", (line, by) => …)`
    async fn drawn(&self, line: &Line, by: Option<&str>);
    /// `connection.on("cleared", by => …)`
    async fn cleared(&self, by: &str);
}

/// A hub of boards that clients draw on together.
pub struct Board;

#[serverless_hub(client = BoardClient)]
impl Board {
    /// Users who signed in with App Service authentication connect under their user id. Other clients are
    /// anonymous, and may draw too.
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(match request.app_service_user() {
            Some(user) => Negotiation::user(user.id),
            None => Negotiation::anonymous(),
        })
    }

    async fn join(&self, ctx: &Context<Self>, board: String) -> HubResult {
        Ok(ctx.groups().add(ctx.connection_id(), &board).await?)
    }

    /// Sends the line to the other clients. Returns the number of points.
    async fn draw(&self, ctx: &Context<Self>, board: String, line: Line) -> HubResult<usize> {
        let points = line.points.len();
        (points <= MAX_POINTS).then_some(()).or_reject("A line has at most 500 points")?;
        ctx.clients().others_in_group(&board).drawn(&line, ctx.user_id()).await?;
        Ok(points)
    }

    /// Clears the board. Only signed-in users can call it.
    #[filter(SignedIn)]
    async fn clear(&self, ctx: &Context<Self>, board: String) -> HubResult {
        let user = ctx.user_id().or_reject("Sign in first")?;
        Ok(ctx.clients().group(&board).cleared(user).await?)
    }
}
