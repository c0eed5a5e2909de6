//! Routes of the application: the page, embedded in the binary, and `POST /login`.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, Serialize};

use crate::sessions::Sessions;

const FILES: [(&str, &str); 6] = [
    ("/", include_str!("../page/index.html")),
    ("/chat.css", include_str!("../page/chat.css")),
    ("/chat.js", include_str!("../page/chat.js")),
    ("/chat-hub.js", include_str!("../page/chat-hub.js")),
    ("/connection.js", include_str!("../page/connection.js")),
    ("/view.js", include_str!("../page/view.js")),
];

/// All routes except the routes of the hub. `service` is the URL that the page connects to.
pub fn routes(sessions: Sessions, service: &str) -> Router {
    example_page::routes(service, &FILES).route("/login", post(login)).with_state(sessions)
}

#[derive(Deserialize)]
struct Login {
    user: String,
    password: String,
}

#[derive(Serialize)]
struct SignedIn {
    token: String,
    user: String,
    role: String,
}

async fn login(State(sessions): State<Sessions>, Json(login): Json<Login>) -> Response {
    let Some(session) = sessions.sign_in(&login.user, &login.password) else {
        let text = "There is no account with this name and password.";
        return (StatusCode::UNAUTHORIZED, text).into_response();
    };
    match sessions.token(&session) {
        Ok(token) => {
            let answer = SignedIn { token, user: session.user, role: session.role };
            ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "cannot create a session token");
            (StatusCode::INTERNAL_SERVER_ERROR, "The server cannot sign you in. Try again later.")
                .into_response()
        }
    }
}
