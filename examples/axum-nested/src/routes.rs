//! The router: a page, an HTTP API, and the routes of the hub under `/realtime`.

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

const FILES: [(&str, &str); 4] = [
    ("/", include_str!("../page/index.html")),
    ("/board.css", include_str!("../page/board.css")),
    ("/board.js", include_str!("../page/board.js")),
    ("/board-hub.js", include_str!("../page/board-hub.js")),
];

/// State of the routes: the notes, and a handle to the clients of the hub.
#[derive(Clone)]
struct Shared {
    notes: Arc<Notes>,
    board: HubContext<Board>,
}

/// All routes of the program.
///
/// The router strips `/realtime` before it calls the app. Pages connect to `/realtime/board`, and the upstream
/// URL in Azure is `https://<app>/realtime/runtime/webhooks/signalr`.
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

/// The body is the text of the note.
async fn add(State(shared): State<Shared>, text: String) -> Result<Response, Response> {
    let note = shared.notes.add(&text).map_err(refused)?;
    // Notify the pages before responding. Otherwise the caller could remove the note at once, and a page
    // could receive `removed` before `added`.
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
    tracing::error!(%error, "cannot notify the pages");
    (StatusCode::BAD_GATEWAY, "the board has changed, but the pages were not notified")
        .into_response()
}
