//! The text and status of a failure, for each audience.

use http::StatusCode;
use hub_runtime::{error::IntoHubError, prelude::*};

use crate::support::{answer, app, call, error_of, invoke, send};

#[derive(Debug, thiserror::Error)]
enum ShopError {
    #[error("there is no article {0}")]
    NoSuchArticle(u32),
    #[error("the database said: password wrong")]
    Database,
}

impl IntoHubError for ShopError {
    fn into_hub_error(self) -> HubError {
        match self {
            Self::NoSuchArticle(_) => HubError::rejected(self.to_string()),
            Self::Database => HubError::internal(self),
        }
    }
}

struct Loop;

#[serverless_hub]
impl Loop {
    async fn rejected(&self) -> HubResult {
        Err(HubError::rejected("Not on Sundays"))
    }

    async fn denied(&self) -> HubResult {
        Err(HubError::denied("Not you"))
    }

    async fn own(&self, article: u32) -> Result<u32, ShopError> {
        if article == 0 { Err(ShopError::Database) } else { Err(ShopError::NoSuchArticle(article)) }
    }

    async fn question_mark(&self) -> HubResult<u8> {
        Ok("secret".parse::<u8>()?)
    }

    async fn panics(&self) -> HubResult {
        panic!("secret")
    }

    async fn on_connected(&self) -> HubResult {
        Err(HubError::rejected("No"))
    }
}

#[tokio::test]
async fn rejections_and_denials_reach_the_caller() {
    let app = app(Loop);

    assert_eq!(error_of(&app, invoke("rejected", "[]")).await, "Not on Sundays");
    assert_eq!(error_of(&app, invoke("denied", "[]")).await, "403 Forbidden: Not you");
}

#[tokio::test]
async fn a_custom_error_type_determines_the_client_text() {
    let app = app(Loop);

    assert_eq!(error_of(&app, invoke("own", "[7]")).await, "there is no article 7");
    assert!(!error_of(&app, invoke("own", "[0]")).await.contains("password"));
}

#[tokio::test]
async fn clients_get_one_sentence_with_an_id_for_internal_errors_and_panics() {
    let app = app(Loop);

    for method in ["questionMark", "panics"] {
        let shown = error_of(&app, invoke(method, "[]")).await;

        let (sentence, id) = shown.split_once(" (error id ").unwrap();
        assert_eq!(sentence, "Something went wrong on the server");
        assert_eq!(id.trim_end_matches(')').len(), 8);
        assert!(!shown.contains("secret"));
    }
    // The process and the hub survive the panic.
    assert_eq!(error_of(&app, invoke("rejected", "[]")).await, "Not on Sundays");
}

#[tokio::test]
async fn a_denied_send_and_a_failed_connected_are_403_and_other_sends_200() {
    let app = app(Loop);
    let status = async |request| answer(&app, request).await.status;

    assert_eq!(status(send("rejected", "[]")).await, StatusCode::OK);
    assert_eq!(status(send("denied", "[]")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(send("panics", "[]")).await, StatusCode::OK);
    let connected = call("connections", "connected", r#"{"type":10}"#);
    assert_eq!(status(connected).await, StatusCode::FORBIDDEN);
}
