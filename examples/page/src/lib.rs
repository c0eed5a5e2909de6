//! Shared parts of the example pages: file routes, the official SignalR client, a style sheet, and a
//! connection that always reconnects.
//!
//! All files are embedded in the binary, so an example runs in any directory.

use axum::{
    Router,
    http::{HeaderName, header},
    routing::get,
};

/// Files that [`routes`] adds to the files of each page.
const SHARED: [(&str, &str); 4] = [
    ("/example.css", include_str!("../files/example.css")),
    ("/icon.svg", include_str!("../files/icon.svg")),
    ("/live.js", include_str!("../files/live.js")),
    ("/signalr.min.js", include_str!("../files/signalr.min.js")),
];

/// Routes for the files of a page, given as path and content, and for the shared files: `/signalr.min.js`,
/// `/live.js`, `/example.css` and `/icon.svg`.
///
/// `service` is the URL that the page connects to, [`HubApp::client_url`]. The content security policy allows
/// connections to this URL, and scripts and styles only from the app.
///
/// [`HubApp::client_url`]: https://docs.rs/hub-runtime/latest/hub_runtime/struct.HubApp.html#method.client_url
pub fn routes<S>(service: &str, files: &[(&'static str, &'static str)]) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let policy = content_security_policy(service);
    let files = SHARED.iter().chain(files);
    files.fold(Router::new(), |router, (path, content)| {
        let policy = policy.clone();
        let headers: [(HeaderName, &str); 4] = [
            (header::CONTENT_TYPE, content_type(path)),
            (header::CACHE_CONTROL, "no-cache"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let answer = ([(header::CONTENT_SECURITY_POLICY, policy)], headers, *content);
        router.route(path, get(async move || answer))
    })
}

/// Allows scripts and styles only from the app. Also allows connections to the SignalR service, which has
/// another port (local) or another host (Azure).
fn content_security_policy(service: &str) -> String {
    let sockets = service.replacen("http", "ws", 1);
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self' {service} {sockets}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// A path without a known extension is an HTML page.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    }
}
