//! From the trait to the model. Takes our attributes out of the trait and reports each mistake.

use proc_macro2::TokenStream;
use syn::{
    Attribute, FnArg, GenericParam, ItemTrait, Pat, Receiver, ReceiverKind, ReturnType, Safety,
    Signature, TraitItem, TraitItemFn, Type, ext::IdentExt,
};

use super::model::{ArgumentDef, CallDef, ClientDef};
use crate::{
    attr,
    errors::Sink,
    options::{HubOptions, Options},
    types,
};

const KEYS: [&str; 2] = ["rename_all", "crate"];

pub(crate) fn definition(args: TokenStream, mut header: ItemTrait, sink: &Sink) -> ClientDef {
    let options = Options::read(args, &KEYS, sink);
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
            self.sink.report(again, "`#[hub_client]` is given twice; remove this one");
        }
        self.refuse_own(&mut header.attrs, "it belongs to hubs and their methods");
        if !header.generics.params.is_empty() || header.generics.where_clause.is_some() {
            let message = "one client trait describes one kind of client, so it is not generic; name the types";
            self.sink.report(&header.generics, message);
            header.generics = syn::Generics::default();
        }
        if !header.supertraits.is_empty() {
            let message = "a client trait stands alone; write all methods in one trait";
            self.sink.report(&header.supertraits, message);
            header.supertraits.clear();
            header.colon_token = None;
        }
        if let Some(unsafety) = header.unsafety.take() {
            self.sink.report(
                unsafety,
                "a client trait promises nothing to the compiler; remove `unsafe`",
            );
        }
        if let Some(auto) = header.modifiers.auto_token.take() {
            self.sink.report(auto, "a client trait has methods; remove `auto`");
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
                "methods made by a macro call are invisible to `#[hub_client]`; let the macro produce the \
                 whole trait",
            ),
            other => self.sink.report(
                other,
                "a client trait holds only methods; move this out of the trait",
            ),
        }
        None
    }

    fn call(&self, function: TraitItemFn) -> CallDef {
        let TraitItemFn { mut attrs, mut sig, default, .. } = function;
        attr::refuse_conditional(&mut attrs, self.sink);
        let hub_attrs = attr::take(&mut attrs, "hub", &self.options.root);
        self.refuse_own(&mut attrs, "clients are not guarded, and get only arguments");
        let rename = HubOptions::read(&hub_attrs, &["rename"], self.sink).rename;
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

    /// An inherent method of the proxy would win over a trait's method of the same name.
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

    /// Reports what a proxy could not implement.
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
                let message = "sending needs no more than `&self`; write `&self`";
                refuse(syn::Error::new_spanned(receiver, message));
            }
            None => {
                let message = "a client method is called on clients; add `&self`";
                refuse(syn::Error::new_spanned(&sig.ident, message));
            }
        }
        if let Safety::Unsafe(token) = &sig.safety {
            refuse(syn::Error::new_spanned(token, "sending is safe; remove `unsafe`"));
        }
        if let Some(abi) = &sig.abi {
            refuse(syn::Error::new_spanned(
                abi,
                "client methods are called by Rust; remove `extern`",
            ));
        }
        if let Some(variadic) = &sig.variadic {
            let message = "client methods take a fixed number of arguments; remove `...`";
            refuse(syn::Error::new_spanned(variadic, message));
        }
        let generic = |param: &&GenericParam| !matches!(param, GenericParam::Lifetime(_));
        for param in sig.generics.params.iter().filter(generic) {
            let message =
                "a client method sends one kind of message, so it is not generic; name the type";
            refuse(syn::Error::new_spanned(param, message));
        }
        if let Some(conditions) = &sig.generics.where_clause {
            let message = "a client method has no conditions; remove the `where` clause";
            refuse(syn::Error::new_spanned(conditions, message));
        }
        for input in &sig.inputs {
            if let FnArg::Typed(input) = input
                && let Some(opaque) = types::opaque(&input.ty)
            {
                let message =
                    "a client method sends one kind of message; name the type instead of `impl`";
                refuse(syn::Error::new_spanned(opaque, message));
            }
        }
        sound
    }

    fn arguments(&self, sig: &mut Signature) -> Vec<ArgumentDef> {
        let mut arguments = Vec::new();
        for input in &mut sig.inputs {
            let FnArg::Typed(input) = input else { continue };
            self.refuse_own(&mut input.attrs, "it works on hub methods");
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

    /// Reports an answer that no client could give.
    fn can_be_answered(&self, answer: Option<&Type>) -> bool {
        let Some(ty) = answer else { return true };
        let mut sound = true;
        if let Some(reference) = types::reference(ty) {
            let message =
                "a client's answer is owned; write an owned type, such as `String` for `&str`";
            self.sink.report(reference, message);
            sound = false;
        }
        if types::last_ident(ty).is_some_and(|ident| ident == "Result" || ident == "HubResult") {
            let message = "awaiting a client result gives a `Result` already; write only the type of the answer";
            self.sink.report(ty, message);
            sound = false;
        }
        sound
    }
}

/// What the client answers; nothing and `()` mean that it is not asked.
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
