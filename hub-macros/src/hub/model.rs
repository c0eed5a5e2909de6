//! The model of a hub, and the checks across its methods.

use proc_macro2::{Ident, Span, TokenStream};
use syn::{Expr, Generics, LitStr, Path, Type};

use crate::{
    case::matching_form,
    errors::Sink,
    options::{Register, Whole},
    paths::Root,
};

/// An annotated `impl` block.
pub(crate) struct HubDef {
    pub(crate) root: Root,
    /// The hub's name. Defaults to the type's name.
    pub(crate) name: String,
    pub(crate) generics: Generics,
    pub(crate) self_ty: Type,
    /// The block's doc comment.
    pub(crate) docs: String,
    /// Whether and how the hub registers.
    pub(crate) register: Option<Register>,
    /// The name of the setting with the hub's connection string, if the block specifies one.
    pub(crate) connection: Option<LitStr>,
    /// The client trait, if the block specifies one.
    pub(crate) client: Option<Path>,
    /// The block's own filters, outer first.
    pub(crate) filters: Vec<Expr>,
    pub(crate) methods: Vec<MethodDef>,
    /// The `negotiate` methods. If there are several, their conditions differ, so at most one is compiled.
    pub(crate) negotiators: Vec<NegotiateDef>,
    /// Whether there is a `negotiate`, also one with an error.
    pub(crate) negotiates: bool,
    /// The `refresh` methods, in the same way.
    pub(crate) refreshers: Vec<NegotiateDef>,
}

/// A method that the service calls, for a client or for a connection's event.
pub(crate) struct MethodDef {
    pub(crate) ident: Ident,
    /// The name that clients use.
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) category: Category,
    /// Whether the method receives all events for which the hub has no method.
    pub(crate) fallback: bool,
    /// Whether the fields of arguments match the names of members exactly.
    pub(crate) exact_names: bool,
    pub(crate) params: Vec<ParamDef>,
    /// The method's own filters, outer first.
    pub(crate) filters: Vec<Expr>,
    pub(crate) reply: Reply,
    /// The method's `#[cfg(…)]` attributes. They are copied to its row in the table of function pointers.
    pub(crate) conditions: Vec<TokenStream>,
    pub(crate) deprecated: bool,
    /// Whether the macro found no error in the method. Only such methods have a row in the table.
    pub(crate) sound: bool,
}

impl MethodDef {
    /// Whether a parameter is `#[from_context]`.
    pub(crate) fn injects(&self) -> bool {
        self.params.iter().any(|param| param.source == Source::Call)
    }

    /// Whether a parameter receives all arguments, so that the number of arguments is not checked.
    pub(crate) fn takes_all(&self) -> bool {
        self.fallback || self.params.iter().any(|param| matches!(param.source, Source::Whole(_)))
    }
}

/// The method for the negotiate route or the refresh route.
pub(crate) struct NegotiateDef {
    pub(crate) ident: Ident,
    pub(crate) request: Option<ParamDef>,
    pub(crate) reply: Reply,
    pub(crate) conditions: Vec<TokenStream>,
}

/// One parameter after the receiver.
pub(crate) struct ParamDef {
    pub(crate) source: Source,
    /// The type as written, with the method's own lifetimes replaced by `'_`.
    pub(crate) ty: TokenStream,
    /// The location at which the compiler reports a value of the wrong type.
    pub(crate) span: Span,
    pub(crate) conditions: Vec<TokenStream>,
}

/// The source of a parameter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The context: a first parameter that is a reference.
    Context,
    /// `#[from_context]`.
    Call,
    /// One of the client's arguments, by position. The name is for error messages.
    Client { name: String },
    /// `#[hub(arguments)]` or `#[hub(body)]`: more than one argument at once.
    Whole(Whole),
}

/// The return type of a method.
pub(crate) enum Reply {
    /// No `->`.
    Nothing,
    /// A type that the table can name.
    Type(TokenStream),
    /// A type that contains `impl Trait`, which the table cannot name.
    Opaque(Span),
}

/// The kind of event that calls a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Message,
    Connected,
    Disconnected,
    Refreshed,
}

/// The role of a method, determined by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Event(Category),
    Negotiate,
    Refresh,
}

impl Role {
    /// The role of a method, by its Rust name.
    pub(crate) fn of(method: &str) -> Self {
        match method {
            "on_connected" => Self::Event(Category::Connected),
            "on_disconnected" => Self::Event(Category::Disconnected),
            "on_refreshed" => Self::Event(Category::Refreshed),
            "negotiate" => Self::Negotiate,
            "refresh" => Self::Refresh,
            _ => Self::Event(Category::Message),
        }
    }

    pub(crate) fn is_reserved(self) -> bool {
        self != Self::Event(Category::Message)
    }
}

/// The reserved name that a client name resembles. Clients could call such a method, but the service would not call it.
/// Other libraries use these names for their lifecycle methods.
pub(crate) fn resembled(client_name: &str) -> Option<&'static str> {
    let form = matching_form(client_name);
    match form.strip_suffix("async").unwrap_or(&form) {
        "connected" | "onconnect" | "onconnected" | "onreconnect" | "onreconnected"
        | "reconnected" => Some("on_connected"),
        "disconnected" | "onclose" | "onclosed" | "ondisconnect" | "ondisconnected" => {
            Some("on_disconnected")
        }
        "negotiate" | "onnegotiate" => Some("negotiate"),
        "onrefresh" | "onrefreshed" => Some("on_refreshed"),
        _ => None,
    }
}

impl HubDef {
    /// Reports conflicts between methods.
    pub(crate) fn check(&self, sink: &Sink) {
        let named = |method: &&MethodDef| method.category == Category::Message && !method.fallback;
        let messages: Vec<_> = self.methods.iter().filter(named).collect();
        let names: Vec<_> = messages.iter().map(|method| method.name.as_str()).collect();
        for (first, second) in collisions(&names) {
            let (Some(first), Some(second)) = (messages.get(first), messages.get(second)) else {
                continue;
            };
            // rustc reports a duplicate Rust name, unless `cfg` conditions exclude one of the two methods.
            if first.ident == second.ident {
                continue;
            }
            let message = format!(
                "`{}` and `{}` both have the client name `{}`; rename one: \
                 `#[hub(rename = \"…\")]`",
                first.ident,
                second.ident,
                matching_form(&second.name),
            );
            sink.report(&first.ident, &message);
            sink.report(&second.ident, &message);
        }
        self.check_fallbacks(sink);
        if !self.negotiates {
            for refresh in &self.refreshers {
                let message = "`refresh` has no effect without `negotiate`, which gives clients the tokens that they \
                               refresh; write `async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation>`, \
                               or for a method of clients `#[hub(rename = \"refresh\")]`";
                sink.report(&refresh.ident, message);
            }
        }
    }

    fn check_fallbacks(&self, sink: &Sink) {
        let mut fallbacks = self.methods.iter().filter(|method| method.fallback);
        let Some(first) = fallbacks.next() else { return };
        for second in fallbacks.filter(|second| second.ident != first.ident) {
            let message =
                format!("`{}` is the fallback already; a hub has at most one", first.ident);
            sink.report(&second.ident, message);
        }
    }
}

/// The pairs of names with the same matching form: the first name with each later name. Names with an
/// empty form are reported elsewhere.
fn collisions(names: &[&str]) -> Vec<(usize, usize)> {
    let forms: Vec<_> = names.iter().map(|name| matching_form(name)).collect();
    let first = |form: &String| forms.iter().position(|other| other == form);
    let pairs = forms.iter().enumerate().filter_map(|(index, form)| Some((first(form)?, index)));
    let pairs = pairs.filter(|(first, second)| first != second);
    pairs.filter(|(first, _)| forms.get(*first).is_some_and(|form| !form.is_empty())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_collide_when_only_case_and_underscores_differ() {
        assert_eq!(
            collisions(&["sendMessage", "join", "send_message", "SENDMESSAGE"]),
            [(0, 2), (0, 3)]
        );
    }

    #[test]
    fn different_names_do_not_collide() {
        assert_eq!(collisions(&["send", "sends", "sent"]), []);
    }

    #[test]
    fn names_of_other_libraries_resemble_the_reserved_names() {
        for (name, reserved) in [
            ("OnConnectedAsync", Some("on_connected")),
            ("onReconnected", Some("on_connected")),
            ("disconnected", Some("on_disconnected")),
            ("Negotiate", Some("negotiate")),
            ("OnRefreshedAsync", Some("on_refreshed")),
            ("refreshed", None),
            ("connect", None),
            ("isConnected", None),
        ] {
            assert_eq!(resembled(name), reserved, "{name}");
        }
    }

    #[test]
    fn five_method_names_are_reserved() {
        assert_eq!(Role::of("on_connected"), Role::Event(Category::Connected));
        assert_eq!(Role::of("on_disconnected"), Role::Event(Category::Disconnected));
        assert_eq!(Role::of("on_refreshed"), Role::Event(Category::Refreshed));
        assert_eq!(Role::of("negotiate"), Role::Negotiate);
        assert_eq!(Role::of("refresh"), Role::Refresh);
        assert!(!Role::of("connected").is_reserved());
    }
}
