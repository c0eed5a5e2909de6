//! The files of the page, which are part of the program.

use axum::{Router, http::header, routing::get};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

const FILES: [(&str, &str, &str); 4] = [
    ("/", HTML, include_str!("../page/index.html")),
    ("/app.css", CSS, include_str!("../page/app.css")),
    ("/app.js", JS, include_str!("../page/app.js")),
    (
        "/signalr.min.js",
        JS,
        include_str!("../page/signalr.min.js"),
    ),
];

/// A route for each file. `service` is the URL of the SignalR service, which the page connects to.
pub fn routes(service: &str) -> Router {
    let sockets = service.replacen("http", "ws", 1);
    let policy =
        format!("default-src 'self'; img-src data:; connect-src 'self' {service} {sockets}");
    let mut router = Router::new();
    for (path, content_type, content) in FILES {
        let headers = [
            (header::CONTENT_TYPE, content_type.to_owned()),
            (header::CONTENT_SECURITY_POLICY, policy.clone()),
            (header::CACHE_CONTROL, "no-cache".to_owned()),
        ];
        router = router.route(path, get(async move || (headers, content)));
    }
    router
}
