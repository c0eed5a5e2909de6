//! The page at `/` of an app that embeds the service and has no route of its own there.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use hub_net::host;

use crate::{answer::text, shared::Inner};

const PAGE: &str = include_str!("start_page.html");
/// The page has no scripts, styles and images.
const POLICY: &str =
    "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Whether a developer has opened the app on the machine on which it runs.
pub(crate) fn is_asked(app: &Inner, parts: &Parts) -> bool {
    let is_on_loopback =
        || host::of(&parts.uri, &parts.headers).ok().flatten().is_some_and(host::is_loopback);
    app.embedded.is_some()
        && parts.uri.path() == "/"
        && matches!(parts.method, Method::GET | Method::HEAD)
        && is_on_loopback()
}

/// Names the hubs, and the address of the inspector without its token.
pub(crate) fn page(app: &Inner) -> Response<Bytes> {
    let hubs: String =
        app.hubs.names().iter().map(|hub| format!("<li>{}</li>\n", escaped(hub))).collect();
    let url = app.embedded.as_ref().and_then(|embedded| embedded.service.inspector_url());
    let inspector = match &url {
        Some(url) => {
            let address = url.expose().split('#').next().unwrap_or_default();
            format!(
                "<p>The inspector shows the calls of clients, the responses of the app, and the messages to clients: <code>{}</code>. It needs the token in the line <code>Inspect</code> that the app printed at its start.</p>",
                escaped(address)
            )
        }
        None => "<p>The inspector is off (<code>HUB_LOCAL_INSPECTOR</code>).</p>".to_owned(),
    };
    let page = PAGE.replace("{hubs}", &hubs).replace("{inspector}", &inspector);
    let mut answer = text(StatusCode::OK, page);
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_become_markup() {
        assert_eq!(escaped("<b>&\"x\"</b>"), "&lt;b&gt;&amp;&quot;x&quot;&lt;/b&gt;");
        assert_eq!(PAGE.matches("{hubs}").count() + PAGE.matches("{inspector}").count(), 2);
    }
}
