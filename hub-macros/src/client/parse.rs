//! Parses the trait into the model, removes our attributes from it and reports each error.

use proc_macro2::TokenStream;
use syn::{
    Attribute, FnArg, GenericParam, ItemTrait, Pat, Receiver, ReceiverKind, ReturnType, Safety,
    Signature, TraitItem, TraitItemFn, Type, ext::IdentExt,
};

use super::model::{ArgumentDef, CallDef, ClientDef};
use crate::{
    attr,
    errors::Sink,
    keys,
    options::{HubOptions, Options},
    types,
};

pub(crate) fn definition(args: TokenStream, mut header: ItemTrait, sink: &Sink) -> ClientDef {
    let options = Options::read(args, keys::CLIENT, sink);
    let reader = Reader { options: &options, sink };
    reader.header(&mut header);
    let items = std::mem::take(&mut header.items);
    let calls = items.into_iter().filter_map(|item| reader.item(item)).collect();
    ClientDef { header, calls, root: options.root }
}

struct Reader<'a> {
    options: &'a Options,
    sink: &'a Sink,
}

impl Reader<'_> {
    fn header(&self, header: &mut ItemTrait) {
        for again in attr::take(&mut header.attrs, "hub_client", &self.options.root) {
            self.sink.report(again, "duplicate `#[hub_client]`; remove this one");
        }
        self.refuse_own(&mut header.attrs, "it belongs to hubs and their methods");
        if !header.generics.params.is_empty() || header.generics.where_clause.is_some() {
            let message = "client traits cannot be generic; use concrete types";
            self.sink.report(&header.generics, message);
            header.generics = syn::Generics::default();
        }
        if !header.supertraits.is_empty() {
            let message = "client traits cannot have supertraits; write all methods in one trait";
            self.sink.report(&header.supertraits, message);
            header.supertraits.clear();
            header.colon_token = None;
        }
        if let Some(unsafety) = header.unsafety.take() {
            self.sink.report(unsafety, "client traits cannot be `unsafe`; remove it");
        }
        if let Some(auto) = header.modifiers.auto_token.take() {
            self.sink.report(auto, "client traits cannot be `auto`; remove it");
        }
    }

    fn refuse_own(&self, attrs: &mut Vec<Attribute>, why: &str) {
        attr::refuse_own(attrs, why, &self.options.root, self.sink);
    }

    fn item(&self, item: TraitItem) -> Option<CallDef> {
        match item {
            TraitItem::Fn(function) => return Some(self.call(function)),
            TraitItem::Macro(item) => self.sink.report(
                item.mac,
                "`#[hub_client]` cannot see methods that a macro call generates; let the macro generate the \
                 whole trait",
            ),
            other => self.sink.report(
                other,
                "client traits contain only methods; move this item out of the trait",
            ),
        }
        None
    }

    fn call(&self, function: TraitItemFn) -> CallDef {
        let TraitItemFn { mut attrs, mut sig, default, .. } = function;
        attr::refuse_conditional(&mut attrs, self.sink);
        let hub_attrs = attr::take(&mut attrs, "hub", &self.options.root);
        self.refuse_own(&mut attrs, "client methods have no filters and no injected values");
        let rename = HubOptions::read(&hub_attrs, keys::CLIENT_METHOD, self.sink).rename;
        let name =
            attr::client_name(&sig.ident, rename.as_ref(), self.options.rename_all, self.sink);
        if let Some(body) = default {
            self.sink.report(body, "clients implement this method; remove the body");
        }
        self.not_shadowed(&sig);
        let arguments = self.arguments(&mut sig);
        let answer = answer(&sig);
        let sound = self.is_sound(&sig) & self.can_be_answered(answer.as_ref());
        let conditions = attr::conditions(&attrs);
        CallDef { sig, name, attrs, arguments, answer, conditions, sound }
    }

    /// Reports methods whose names are shadowed by inherent methods of the proxy.
    fn not_shadowed(&self, sig: &Signature) {
        let name = sig.ident.unraw().to_string();
        if name == "send" || name == "invoke" {
            let message = format!(
                "`{name}` is the proxy's own untyped method and would be called instead; rename the method and \
                 keep its client name: `#[hub(rename = \"{name}\")]`"
            );
            self.sink.report(&sig.ident, message);
        }
    }

    /// Reports signatures that a proxy cannot implement.
    fn is_sound(&self, sig: &Signature) -> bool {
        let mut sound = true;
        let mut refuse = |error: syn::Error| {
            sound = false;
            self.sink.push(error);
        };
        if sig.asyncness.is_none() {
            let message = "client methods are `async`; write `async fn`";
            refuse(syn::Error::new_spanned(sig.fn_token, message));
        }
        match sig.receiver() {
            Some(receiver) if is_shared(receiver) => {}
            Some(receiver) => {
                let message = "client methods take `&self`; write `&self`";
                refuse(syn::Error::new_spanned(receiver, message));
            }
            None => {
                let message = "client methods take `&self`; add it";
                refuse(syn::Error::new_spanned(&sig.ident, message));
            }
        }
        if let Safety::Unsafe(token) = &sig.safety {
            refuse(syn::Error::new_spanned(token, "client methods cannot be `unsafe`; remove it"));
        }
        if let Some(abi) = &sig.abi {
            refuse(syn::Error::new_spanned(
                abi,
                "client methods use the Rust ABI; remove `extern`",
            ));
        }
        if let Some(variadic) = &sig.variadic {
            let message = "client methods take a fixed number of arguments; remove `...`";
            refuse(syn::Error::new_spanned(variadic, message));
        }
        let generic = |param: &&GenericParam| !matches!(param, GenericParam::Lifetime(_));
        for param in sig.generics.params.iter().filter(generic) {
            let message = "client methods cannot be generic; use a concrete type";
            refuse(syn::Error::new_spanned(param, message));
        }
        if let Some(conditions) = &sig.generics.where_clause {
            let message = "client methods cannot have bounds; remove the `where` clause";
            refuse(syn::Error::new_spanned(conditions, message));
        }
        for input in &sig.inputs {
            if let FnArg::Typed(input) = input
                && let Some(opaque) = types::opaque(&input.ty)
            {
                let message =
                    "client methods cannot be generic; use a concrete type instead of `impl Trait`";
                refuse(syn::Error::new_spanned(opaque, message));
            }
        }
        sound
    }

    fn arguments(&self, sig: &mut Signature) -> Vec<ArgumentDef> {
        let mut arguments = Vec::new();
        for input in &mut sig.inputs {
            let FnArg::Typed(input) = input else { continue };
            self.refuse_own(&mut input.attrs, "it belongs on hub methods");
            let name = match &*input.pat {
                Pat::Ident(pat) => pat.ident.unraw().to_string().trim_start_matches('_').to_owned(),
                _ => String::new(),
            };
            arguments.push(ArgumentDef {
                name: if name.is_empty() { "argument".to_owned() } else { name },
                ty: Type::clone(&input.ty),
                conditions: attr::conditions(&input.attrs),
            });
        }
        arguments
    }

    /// Reports result types that a client cannot return.
    fn can_be_answered(&self, answer: Option<&Type>) -> bool {
        let Some(ty) = answer else { return true };
        let mut sound = true;
        if let Some(reference) = types::reference(ty) {
            let message =
                "a client result is owned; write an owned type, such as `String` for `&str`";
            self.sink.report(reference, message);
            sound = false;
        }
        if types::last_ident(ty).is_some_and(|ident| ident == "Result" || ident == "HubResult") {
            let message = "awaiting a client result returns a `Result` already; write only the type of the value";
            self.sink.report(ty, message);
            sound = false;
        }
        sound
    }
}

/// The type of the client result; `None` for no return type and for `()`.
fn answer(sig: &Signature) -> Option<Type> {
    let ReturnType::Type(_, ty) = &sig.output else { return None };
    match types::ungrouped(ty) {
        Type::Tuple(tuple) if tuple.elems.is_empty() => None,
        _ => Some(Type::clone(ty)),
    }
}

fn is_shared(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, mutability) => mutability.is_none(),
        ReceiverKind::Typed(_, ty) => match types::ungrouped(ty) {
            Type::Reference(reference) => {
                reference.mutability.is_none() && types::is_self(&reference.elem)
            }
            _ => false,
        },
        _ => false,
    }
}
