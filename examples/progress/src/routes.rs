//! Routes of the application: the page, `POST /visit` and `POST /jobs`.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;

use crate::{jobs::JobError, visitor::Visitor, worker::Queue};

const FILES: [(&str, &str); 4] = [
    ("/", include_str!("../page/index.html")),
    ("/progress.css", include_str!("../page/progress.css")),
    ("/progress.js", include_str!("../page/progress.js")),
    ("/progress-hub.js", include_str!("../page/progress-hub.js")),
];

/// All routes except the routes of the hub. `service` is the URL that the page connects to.
pub fn routes(queue: Queue, service: &str) -> Router {
    example_page::routes(service, &FILES)
        .route("/visit", post(visit))
        .route("/jobs", post(begin))
        .with_state(queue)
}

/// Sets a cookie for new visitors.
async fn visit(headers: HeaderMap) -> Response {
    if visitor(&headers).is_some() {
        return StatusCode::NO_CONTENT.into_response();
    }
    match Visitor::new() {
        Ok(visitor) => {
            (StatusCode::NO_CONTENT, [(header::SET_COOKIE, visitor.cookie())]).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "cannot create a visitor");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[derive(Deserialize)]
struct NewJob {
    name: String,
}

/// Starts a job and responds immediately. The hub sends its progress to the pages.
async fn begin(
    State(queue): State<Queue>,
    headers: HeaderMap,
    Json(new): Json<NewJob>,
) -> Response {
    let Some(visitor) = visitor(&headers) else {
        return (StatusCode::UNAUTHORIZED, "POST /visit first").into_response();
    };
    match queue.begin(&visitor.user_id(), &new.name) {
        Ok(job) => (StatusCode::ACCEPTED, Json(job)).into_response(),
        Err(error) => {
            let status = match error {
                JobError::Name => StatusCode::BAD_REQUEST,
                JobError::TooMany => StatusCode::TOO_MANY_REQUESTS,
                JobError::Busy => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, error.to_string()).into_response()
        }
    }
}

fn visitor(headers: &HeaderMap) -> Option<Visitor> {
    Visitor::in_cookies(headers.get(header::COOKIE)?.to_str().ok())
}
