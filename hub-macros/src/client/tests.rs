//! Expansions of `#[hub_client]`, with and without errors.

use quote::quote;

use super::expand;
use crate::snapshot::{formatted, messages};

#[test]
fn a_client_trait_expands_to_itself_and_to_proxies() {
    let expansion = expand(
        quote!(),
        &quote! {
            /// Documented.
            pub trait ChatClient {
                /// Documented too.
                async fn new_message(&self, message: &NewMessage, count: usize);

                #[hub(rename = "send")]
                #[deprecated]
                #[cfg(feature = "texts")]
                async fn send_text<'a>(&'a self, #[cfg(feature = "colours")] r#type: &'a str);

                async fn confirm(&self, question: &str) -> bool;
            }
        },
    );

    insta::assert_snapshot!(formatted(&expansion));
}

#[test]
fn beside_errors_every_method_stays_callable() {
    let expansion = expand(
        quote!(crate = signalr),
        &quote! {
            trait ChatClient<T>: Send {
                async fn good(&self);
                fn not_async(&self) -> bool;
                async fn generic<U>(&mut self, value: U) where U: Serialize {}
                const LIMIT: usize;
            }
        },
    );

    assert_eq!(messages(&expansion).len(), 8);
    insta::assert_snapshot!(formatted(&expansion));
}

#[test]
fn an_item_that_is_not_a_trait_is_emitted_with_the_error() {
    let expansion = expand(
        quote!(),
        &quote!(
            struct ChatClient;
        ),
    );

    assert!(formatted(&expansion).starts_with("struct ChatClient;"));
    assert_eq!(messages(&expansion).len(), 1);
}
