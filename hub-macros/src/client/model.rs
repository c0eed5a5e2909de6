//! The model of a client trait, and the check across its methods.

use proc_macro2::{Ident, TokenStream};
use syn::{Attribute, ItemTrait, Signature, Type};

use crate::{errors::Sink, paths::Root};

/// An annotated trait.
pub(crate) struct ClientDef {
    pub(crate) root: Root,
    /// The trait without its items.
    pub(crate) header: ItemTrait,
    pub(crate) calls: Vec<CallDef>,
}

/// One method that clients implement.
pub(crate) struct CallDef {
    /// The signature as written.
    pub(crate) sig: Signature,
    /// The name that is sent to clients.
    pub(crate) name: String,
    /// The attributes of other macros and of the compiler.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) arguments: Vec<ArgumentDef>,
    /// The type of the client result; `None` for a send.
    pub(crate) answer: Option<Type>,
    /// `#[cfg(…)]`, to be copied to the implementation.
    pub(crate) conditions: Vec<TokenStream>,
    /// Whether a proxy can implement the method; `false` for a method with an error.
    pub(crate) sound: bool,
}

/// One argument of a client method.
pub(crate) struct ArgumentDef {
    /// The name in the contract; `argument` for a pattern.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) conditions: Vec<TokenStream>,
}

impl ClientDef {
    /// Reports conflicts between methods.
    pub(crate) fn check(&self, sink: &Sink) {
        let named: Vec<_> = self.calls.iter().map(|call| (&call.sig.ident, &*call.name)).collect();
        for (index, (second, name)) in named.iter().enumerate() {
            let earlier = named.iter().take(index);
            let Some((first, _)) = earlier.clone().find(|(_, other)| same_to_clients(other, name))
            else {
                continue;
            };
            // rustc reports a duplicate Rust name, unless `cfg` conditions exclude one of the two methods.
            if first == second {
                continue;
            }
            let message = both_called(first, second, name);
            sink.report(first, &message);
            sink.report(second, &message);
        }
    }
}

/// The SignalR clients compare method names ignoring ASCII case, but not ignoring `_`.
fn same_to_clients(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

fn both_called(first: &Ident, second: &Ident, name: &str) -> String {
    format!(
        "`{first}` and `{second}` both have the client name `{}`; rename one: \
         `#[hub(rename = \"…\")]`",
        name.to_ascii_lowercase(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_ignore_case_but_not_underscores() {
        assert!(same_to_clients("newMessage", "NewMessage"));
        assert!(!same_to_clients("newMessage", "new_message"));
    }
}
