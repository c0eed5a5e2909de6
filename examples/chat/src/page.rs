//! The application's own routes: the page, whose files are part of the binary, and `POST /login`.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use serde::{Deserialize, Serialize};

use crate::sessions::Sessions;

/// Scripts and styles come from here only. Connections go to the SignalR service too, which is on
/// another port (local) or another host (Azure).
fn content_security_policy(service: &str) -> String {
    let sockets = service.replacen("http", "ws", 1);
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self' {service} {sockets}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Everything under `/` that is not the hub's. `service` is where the page connects.
pub fn routes(sessions: Sessions, service: &str) -> Router {
    let policy = content_security_policy(service);
    let file = |content_type, content| file(policy.clone(), content_type, content);
    Router::new()
        .route("/", file(HTML, include_str!("../page/index.html")))
        .route("/chat.css", file(CSS, include_str!("../page/chat.css")))
        .route("/chat.js", file(SCRIPT, include_str!("../page/chat.js")))
        .route("/connection.js", file(SCRIPT, include_str!("../page/connection.js")))
        .route("/view.js", file(SCRIPT, include_str!("../page/view.js")))
        .route("/signalr.min.js", file(SCRIPT, include_str!("../page/signalr.min.js")))
        .route("/icon.svg", file("image/svg+xml", include_str!("../page/icon.svg")))
        .route("/login", post(login))
        .with_state(sessions)
}

fn file(
    policy: String,
    content_type: &'static str,
    content: &'static str,
) -> MethodRouter<Sessions> {
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    get(async move || ([(header::CONTENT_SECURITY_POLICY, policy)], headers, content))
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
        let text = "there is no account with this name and password";
        return (StatusCode::UNAUTHORIZED, text).into_response();
    };
    match sessions.token(&session) {
        Ok(token) => {
            let answer = SignedIn { token, user: session.user, role: session.role };
            ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "no session token could be made");
            (StatusCode::INTERNAL_SERVER_ERROR, "signing in does not work just now").into_response()
        }
    }
}
