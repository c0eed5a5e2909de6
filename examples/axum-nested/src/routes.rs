//! The router: a page, an HTTP interface of its own, and the hub's routes under `/realtime`.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get},
};
use hub_runtime::prelude::*;

use crate::{
    hub::{Board, BoardClient},
    notes::{Note, NoteError, Notes},
};

const FILES: [(&str, &str); 3] = [
    ("/", include_str!("../page/index.html")),
    ("/board.css", include_str!("../page/board.css")),
    ("/board.js", include_str!("../page/board.js")),
];

/// What every route may use: the hub's own state, and the way to its clients.
#[derive(Clone)]
struct Shared {
    notes: Arc<Notes>,
    board: HubContext<Board>,
}

/// Everything that the program serves.
///
/// The router strips `/realtime` before it asks the app, so that pages connect to `/realtime/board`, and
/// Azure's upstream URL is `https://<app>/realtime/runtime/webhooks/signalr`.
pub fn routes(app: &HubApp, notes: Arc<Notes>) -> Router {
    let shared = Shared { notes, board: app.context() };
    example_page::routes(app.client_url(), &FILES)
        .route("/api/notes", get(list).post(add))
        .route("/api/notes/{id}", delete(remove))
        .with_state(shared)
        .nest_service("/realtime", app.service())
}

async fn list(State(shared): State<Shared>) -> Json<Vec<Note>> {
    Json(shared.notes.all())
}

/// The body is the note's text.
async fn add(State(shared): State<Shared>, text: String) -> Result<Response, Response> {
    let note = shared.notes.add(&text).map_err(refused)?;
    // Answered when the pages have been told: who removes the note then cannot be ahead of the news.
    shared.board.clients().all().added(&note).await.map_err(|error| not_told(&error))?;
    Ok((StatusCode::CREATED, Json(note)).into_response())
}

async fn remove(State(shared): State<Shared>, Path(id): Path<u64>) -> Result<StatusCode, Response> {
    shared.notes.remove(id).map_err(refused)?;
    shared.board.clients().all().removed(id).await.map_err(|error| not_told(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

fn refused(error: NoteError) -> Response {
    let status = match error {
        NoteError::Text => StatusCode::BAD_REQUEST,
        NoteError::Full => StatusCode::CONFLICT,
        NoteError::Unknown(_) => StatusCode::NOT_FOUND,
    };
    (status, error.to_string()).into_response()
}

fn not_told(error: &SendError) -> Response {
    tracing::error!(%error, "the pages could not be told");
    (StatusCode::BAD_GATEWAY, "the board has changed, but the pages could not be told")
        .into_response()
}
