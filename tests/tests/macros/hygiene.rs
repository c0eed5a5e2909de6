//! Generated code refers only to the runtime crate's path, whatever names are in scope.

use crate::support::Bench;

/// A module with other meanings for every name that generated code might use.
mod shadowed {
    #![allow(
        dead_code,
        non_camel_case_types,
        reason = "generated code must not use the shadowing items"
    )]
    #![allow(clippy::ptr_arg, reason = "`str` is shadowed here")]

    use ::hub_runtime::{Context, HubError, filter::SignedIn, hub_client, serverless_hub};

    pub(crate) mod std {}
    pub(crate) mod core {}
    pub(crate) mod alloc {}
    pub(crate) mod hub_runtime {}
    pub(crate) mod hub_core {}

    pub(crate) struct Result;
    pub(crate) struct Option;
    pub(crate) struct Box;
    pub(crate) struct Vec;
    pub(crate) struct Some;
    pub(crate) struct None;
    pub(crate) struct Ok;
    pub(crate) struct Err;
    pub(crate) struct Future;
    pub(crate) struct Method;
    pub(crate) struct Filters;
    pub(crate) struct Category;
    pub(crate) struct Args;
    pub(crate) struct Proxy;
    pub(crate) struct Arguments;
    pub(crate) trait Send {}
    pub(crate) trait Sync {}
    pub(crate) trait Sized {}
    pub(crate) trait Hub {}
    pub(crate) trait HubArg {}
    pub(crate) trait HubReply {}
    pub(crate) trait From {}
    pub(crate) type u8 = ();
    pub(crate) type str = ();

    #[hub_client]
    pub(crate) trait ChatClient {
        async fn new_message(&self, text: &::std::string::String);
        async fn confirm(&self) -> bool;
    }

    pub(crate) struct Chat;

    #[serverless_hub(client = ChatClient)]
    #[filter(SignedIn)]
    impl Chat {
        async fn negotiate(
            &self,
            _request: ::hub_runtime::negotiate::NegotiateRequest,
        ) -> ::hub_runtime::HubResult<::hub_runtime::negotiate::Negotiation> {
            ::std::result::Result::Ok(::hub_runtime::negotiate::Negotiation::anonymous())
        }

        #[filter(SignedIn)]
        async fn ask(
            &self,
            ctx: &Context<Self>,
            text: ::std::string::String,
        ) -> ::std::result::Result<bool, HubError> {
            ctx.clients().all().new_message(&text).await?;
            ::std::result::Result::Ok(ctx.clients().caller().confirm().await?)
        }
    }
}

/// A module without a prelude and without imports.
mod bare {
    #![no_implicit_prelude]

    pub(crate) struct Chat;

    #[::hub_runtime::hub_client]
    pub(crate) trait Client {
        async fn new_message(&self, text: &str);
        async fn confirm(&self) -> bool;
    }

    #[::hub_runtime::serverless_hub(client = Client)]
    #[::hub_runtime::filter(::hub_runtime::filter::SignedIn)]
    impl Chat {
        async fn negotiate(
            &self,
        ) -> ::hub_runtime::HubResult<::hub_runtime::negotiate::Negotiation> {
            ::std::result::Result::Ok(::hub_runtime::negotiate::Negotiation::anonymous())
        }

        async fn ask(
            &self,
            ctx: &::hub_runtime::Context<Self>,
            #[::hub_runtime::from_context] caller: super::Caller,
            text: ::std::string::String,
        ) -> ::hub_runtime::HubResult<bool> {
            let _ = caller;
            ctx.clients().all().new_message(&text).await?;
            ::std::result::Result::Ok(ctx.clients().caller().confirm().await?)
        }
    }
}

pub(crate) struct Caller;

impl hub_runtime::invocation::FromContext for Caller {
    async fn from_context(_: &hub_runtime::invocation::Invocation) -> hub_runtime::HubResult<Self> {
        Ok(Self)
    }
}

/// A hub that is generic over its state.
mod generic {
    use hub_runtime::prelude::*;

    pub(crate) trait Store {
        fn load(&self, key: &str) -> String;
    }

    pub(crate) struct Rooms<S, const N: usize> {
        pub(crate) store: S,
    }

    #[hub_client]
    pub(crate) trait RoomsClient {
        async fn loaded(&self, value: &str);
    }

    #[serverless_hub(client = RoomsClient)]
    #[filter(SignedIn)]
    impl<S: Store, const N: usize> Rooms<S, N>
    where
        S: Send + Sync + 'static,
    {
        async fn negotiate(&self, _: NegotiateRequest) -> HubResult<Negotiation> {
            Ok(Negotiation::user(self.store.load("user")))
        }

        #[filter(RequireClaim(format!("max{N}"), String::new()))]
        async fn guarded(&self) {}

        async fn load(&self, ctx: &Context<Self>, key: String) -> HubResult<String> {
            let value = self.store.load(&key);
            ctx.clients().all().loaded(&value).await?;
            Ok(value)
        }
    }
}

/// A declarative macro that generates a whole hub from its parameters.
mod declarative {
    macro_rules! hub {
        (
            $hub:ident, $hub_type:ty, $client:ident, $client_path:path,
            $filter:expr, $context:ty, $text:ident
        ) => {
            #[::hub_runtime::hub_client]
            pub(crate) trait $client {
                async fn new_message(&self, $text: &str);
            }

            pub(crate) struct $hub;

            #[::hub_runtime::serverless_hub(client = $client_path)]
            #[::hub_runtime::filter($filter)]
            impl $hub_type {
                async fn send(
                    &self,
                    ctx: $context,
                    $text: String,
                ) -> ::hub_runtime::HubResult<usize> {
                    ctx.clients().all().new_message(&$text).await?;
                    Ok($text.len())
                }
            }
        };
    }

    hub!(
        Chat,
        Chat,
        Client,
        Client,
        ::hub_runtime::filter::SignedIn,
        &::hub_runtime::Context<Chat>,
        text
    );
}

/// A hub inside a function, where items have no path.
fn local() -> (Vec<&'static str>, Result<String, String>) {
    use hub_runtime::prelude::*;

    struct Guard;

    impl Filter for Guard {
        async fn before(&self, _: &Invocation) -> HubResult {
            Ok(())
        }
    }

    #[hub_client]
    trait Client {
        async fn new_message(&self);
    }

    struct Chat;

    #[serverless_hub(client = Client)]
    #[filter(Guard)]
    impl Chat {
        async fn join(&self, ctx: &Context<Self>) -> HubResult {
            ctx.clients().all().new_message().await?;
            Ok(())
        }
    }

    let chat = Bench::new(Chat);
    (chat.names(), chat.invoke("join", "[]"))
}

#[test]
fn shadowed_names_change_nothing() {
    let chat = Bench::new(shadowed::Chat);

    assert_eq!(chat.invoke("ask", r#"["hi"]"#).unwrap(), "true");
    assert!(chat.negotiate().is_some());
}

#[test]
fn no_prelude_is_needed() {
    let chat = Bench::new(bare::Chat);

    assert_eq!(chat.invoke("ask", r#"["hi"]"#).unwrap(), "true");
    assert!(chat.invoke_anonymously("ask", r#"["hi"]"#).is_err());
}

#[test]
fn a_generic_hub_works_for_every_type() {
    struct Fixed(&'static str);

    impl generic::Store for Fixed {
        fn load(&self, key: &str) -> String {
            format!("{}{key}", self.0)
        }
    }

    let rooms = Bench::new(generic::Rooms::<_, 3> { store: Fixed("a") });

    assert_eq!(rooms.invoke("load", r#"["b"]"#).unwrap(), r#""ab""#);
    assert_eq!(rooms.invoke("guarded", "[]").unwrap_err(), "this needs max3 ``");
    assert_eq!(rooms.sent(), [r#"All.loaded["ab"]"#]);
    assert_eq!(rooms.negotiate().unwrap().unwrap().user_id(), Some("auser"));
}

#[test]
fn a_declarative_macro_can_generate_a_hub() {
    let chat = Bench::new(declarative::Chat);

    assert_eq!(chat.invoke("send", r#"["hi"]"#).unwrap(), "2");
    assert_eq!(chat.sent(), [r#"All.newMessage["hi"]"#]);
}

#[test]
fn a_hub_can_be_defined_in_a_function() {
    let (names, joined) = local();

    assert_eq!(names, ["join"]);
    joined.unwrap();
}

#[test]
fn the_crate_may_have_another_name() {
    let chat = Bench::new(renamed::Chat::default());

    assert_eq!(chat.invoke("sendMessage", r#"["hi"]"#).unwrap(), "2");
    assert_eq!(chat.sent(), [r#"All.newMessage["hi"]"#]);
}
