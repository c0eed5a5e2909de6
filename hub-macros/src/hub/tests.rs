//! Expansions of `#[serverless_hub]`, with and without errors.

use quote::quote;

use super::expand;
use crate::snapshot::{formatted, messages};

#[test]
fn a_small_hub_expands_to_its_block_and_a_table() {
    let expansion = expand(
        quote!(),
        &quote! {
            impl Counter {
                async fn increment(&self, by: u32) -> HubResult<u32> {
                    Ok(self.count.add(by))
                }
            }
        },
    );

    insta::assert_snapshot!(formatted(&expansion));
}

#[test]
fn every_feature_expands() {
    let expansion = expand(
        quote!(client = ChatClient, rename_all = "PascalCase", crate = crate::rt),
        &quote! {
            #[filter(SignedIn)]
            #[filter(Limit::of(3))]
            #[allow(dead_code)]
            impl<S: Store> Chat<S> where S: Send {
                const LIMIT: usize = 3;

                fn helper() {}

                async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
                    self.allow(request)
                }

                async fn on_connected(&self, ctx: &Context<Self>) {}

                async fn on_disconnected(&self, error: Option<String>) -> HubResult {
                    Ok(())
                }

                /// Documented.
                #[deprecated]
                #[cfg(feature = "rooms")]
                #[filter(RequireClaim("role", "moderator"))]
                #[hub(rename = "Open")]
                async fn open_room<'a>(
                    &'a self,
                    ctx: &'a Context<Self>,
                    room: Cow<'a, str>,
                    #[from_context] User(name): User,
                    #[cfg(feature = "colours")] r#type: Option<u8>,
                ) -> HubResult<impl Serialize> {
                    Ok(room)
                }
            }
        },
    );

    insta::assert_snapshot!(formatted(&expansion));
}

#[test]
fn several_negotiates_exclude_each_other_by_condition() {
    let expansion = expand(
        quote!(),
        &quote! {
            impl Chat {
                #[cfg(unix)]
                async fn negotiate(&self) -> HubResult<Negotiation> { unix() }
                #[cfg_attr(test, cfg(windows), doc = "x")]
                async fn negotiate(&self) -> HubResult<Negotiation> { windows() }
            }
        },
    );

    insta::assert_snapshot!(formatted(&expansion));
}

#[test]
fn beside_errors_stand_the_block_and_the_rows_without_one() {
    let expansion = expand(
        quote!(client = ChatClient, colour = "red"),
        &quote! {
            #[filter(SignedIn)]
            impl Chat {
                #[filter(SignedIn)]
                fn helper(&mut self, #[from_context] user: User) {}

                async fn join(&self, room: &str) {}

                async fn leave(&self, room: String) {}
            }
        },
    );

    insta::assert_snapshot!(formatted(&expansion));
}

#[test]
fn all_mistakes_of_a_block_are_reported_in_order() {
    let expansion = expand(
        quote!(),
        &quote! {
            impl Chat {
                async fn a(&mut self, b: &str) {}
                fn c(&self) {}
                async fn d<T>(&self, _: T) {}
            }
        },
    );

    let messages = messages(&expansion);
    let beginnings: Vec<_> = messages.iter().map(|message| &message[..16]).collect();
    assert_eq!(
        beginnings,
        [
            "one hub value se",
            "hub arguments ar",
            "hub methods are ",
            "hub methods cann",
            "error messages c"
        ]
    );
}

#[test]
fn an_item_that_is_not_a_block_is_emitted_with_the_error() {
    let expansion = expand(
        quote!(),
        &quote!(
            struct Chat;
        ),
    );

    assert!(formatted(&expansion).starts_with("struct Chat;"));
    assert_eq!(messages(&expansion).len(), 1);
}
