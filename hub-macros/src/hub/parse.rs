//! Parses the `impl` block into the model, removes our attributes from it and reports each error.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, FnArg, GenericParam, ImplItem, ImplItemFn, ItemImpl, LitStr, Meta, Receiver,
    ReceiverKind, ReturnType, Safety, Signature, Type, ext::IdentExt, parse_quote,
    spanned::Spanned,
};

use super::{
    model::{Category, HubDef, MethodDef, NegotiateDef, ParamDef, Reply, Role, Source, resembled},
    params::attributes,
};
use crate::{
    attr,
    case::{is_chosen_hub_name, is_hub_name, matching_form},
    errors::Sink,
    keys,
    options::{HubOptions, Options},
    types,
};

/// Parses a block. Returns `None` if its type has no name, because then no table can be generated.
pub(crate) fn block(args: TokenStream, block: &mut ItemImpl, sink: &Sink) -> Option<HubDef> {
    let options = Options::read(args, keys::HUB, sink);
    let reader = Reader { options: &options, sink };
    let filters = reader.block_attributes(&mut block.attrs);
    if let Some((path, _)) = &block.trait_ {
        sink.report(path, "hub methods belong in an inherent block; write `impl Chat { … }`");
    }
    let mut methods = Vec::new();
    let (mut negotiators, mut refreshers) = (Vec::new(), Vec::new());
    let is_negotiate = |item: &ImplItem| matches!(item, ImplItem::Fn(function) if function.sig.ident.unraw() == "negotiate");
    let negotiates = block.items.iter().any(is_negotiate);
    for item in &mut block.items {
        let (member, is_sound) = sink.is_sound(|| reader.item(item));
        match member {
            Some(Member::Event(method)) => {
                methods.push(MethodDef { sound: is_sound && block.trait_.is_none(), ..method });
            }
            Some(Member::Negotiate(negotiate)) if is_sound => negotiators.push(negotiate),
            Some(Member::Refresh(refresh)) if is_sound => refreshers.push(refresh),
            Some(Member::Negotiate(_) | Member::Refresh(_)) | None => {}
        }
    }
    let name = reader.hub_name(&block.self_ty)?;
    reader.register(&block.generics);
    let connection = reader.connection();
    Some(HubDef {
        name,
        docs: attr::docs(&block.attrs),
        generics: block.generics.clone(),
        self_ty: Type::clone(&block.self_ty),
        filters,
        methods,
        negotiators,
        negotiates,
        refreshers,
        root: options.root,
        register: options.register.filter(|_| block.generics.params.is_empty()),
        client: options.client,
        connection,
    })
}

/// The error texts of a method that is called for a request to the app.
struct RequestTexts {
    filter: &'static str,
    no_call: &'static str,
    parameter: &'static str,
}

const NEGOTIATE: RequestTexts = RequestTexts {
    filter: "filters do not apply to `negotiate`, because there is no connection yet; check the request in the method and \
             return `HubError::denied(…)`",
    no_call: "there is no call yet when a client negotiates",
    parameter: "there is no connection yet when a client negotiates; the only parameter is `request: NegotiateRequest`",
};

const REFRESH: RequestTexts = RequestTexts {
    filter: "filters do not apply to `refresh`, because it is no call of the connection; check the request in the method and \
             return `HubError::denied(…)`",
    no_call: "a request to refresh is no call of the connection",
    parameter: "`refresh` is the method for clients that refresh their authentication, and its only parameter is \
                `request: RefreshRequest`; for a method of clients, write `#[hub(rename = \"refresh\")]` on it",
};

enum Member {
    Event(MethodDef),
    Negotiate(NegotiateDef),
    Refresh(NegotiateDef),
}

/// The options and the errors, for every step of parsing.
pub(super) struct Reader<'a> {
    pub(super) options: &'a Options,
    pub(super) sink: &'a Sink,
}

impl Reader<'_> {
    fn block_attributes(&self, attrs: &mut Vec<Attribute>) -> Vec<syn::Expr> {
        let root = &self.options.root;
        attr::refuse_conditional(attrs, self.sink);
        let filters = attr::take(attrs, "filter", root);
        attr::refuse_applied_condition(&filters, self.sink);
        let filters = attr::filters(&filters, self.sink);
        for again in attr::take(attrs, "serverless_hub", root) {
            self.sink.report(again, "duplicate `#[serverless_hub]`; remove this one");
        }
        attr::refuse_own(attrs, "a block has no client name", root, self.sink);
        filters
    }

    fn connection(&self) -> Option<LitStr> {
        let connection = self.options.connection.as_ref()?;
        let value = connection.value();
        let named = |text: &str| !text.is_empty() && !text.contains(['=', ';', '\0']);
        if !named(value.trim()) || value.trim() != value {
            let message = "`connection` is the name of a setting, such as `ChatSignalR`, and not the connection \
                           string itself";
            self.sink.report(connection, message);
        }
        Some(connection.clone())
    }

    fn hub_name(&self, self_ty: &Type) -> Option<String> {
        let Some(ident) = types::last_ident(self_ty) else {
            self.sink.report(self_ty, "a hub is a named type; write `impl Chat { … }`");
            return None;
        };
        if let Some(chosen) = &self.options.name {
            if !is_chosen_hub_name(&chosen.value()) {
                let message = "a hub name is a letter followed by ASCII letters, digits, `_`, `.` and `,`, at most 128 \
                               characters";
                self.sink.report(chosen, message);
            }
            return Some(chosen.value());
        }
        let name = ident.unraw().to_string();
        if !is_hub_name(&name) {
            let message = "the hub name defaults to the type's name, and the service accepts only a letter followed \
                           by ASCII letters, digits and `_`; rename the type, or set the name: \
                           `#[serverless_hub(name = \"…\")]`";
            self.sink.report(self_ty, message);
        }
        Some(name)
    }

    fn register(&self, generics: &syn::Generics) {
        if let Some(register) = &self.options.register
            && !generics.params.is_empty()
        {
            let message = "a generic hub cannot use `register`, because its type parameters are unknown; mount it \
                           with `.hub(…)`";
            self.sink.report(&register.key, message);
        }
    }

    fn item(&self, item: &mut ImplItem) -> Option<Member> {
        let not_called = "it belongs on a method of the block";
        match item {
            ImplItem::Fn(function) => return self.function(function),
            ImplItem::Const(item) => self.refuse_own(&mut item.attrs, not_called),
            ImplItem::Type(item) => self.refuse_own(&mut item.attrs, not_called),
            ImplItem::Macro(item) => {
                self.refuse_own(&mut item.attrs, not_called);
                let message = "`#[serverless_hub]` cannot see methods that a macro call generates; let the macro \
                               generate the whole block";
                self.sink.report(&item.mac, message);
            }
            other => self.sink.report(
                other,
                "`#[serverless_hub]` does not support this kind of item; move it to a plain `impl` block",
            ),
        }
        None
    }

    pub(super) fn refuse_own(&self, attrs: &mut Vec<Attribute>, why: &str) {
        attr::refuse_own(attrs, why, &self.options.root, self.sink);
    }

    fn function(&self, function: &mut ImplItemFn) -> Option<Member> {
        let role = self.role(function);
        if function.sig.receiver().is_none() {
            self.without_receiver(function, role);
            return None;
        }
        if function.sig.asyncness.is_none() {
            let fn_token = function.sig.fn_token;
            self.sink
                .report(fn_token, "hub methods are `async`; move helpers to a plain `impl` block");
            self.strip(function);
            return None;
        }
        self.signature(&function.sig);
        // Hub methods must be `async`, so a method without an `.await` is not a mistake.
        function.attrs.insert(0, parse_quote!(#[allow(clippy::unused_async)]));
        Some(match role {
            Role::Event(category) => Member::Event(self.event(function, category)),
            Role::Negotiate => Member::Negotiate(self.negotiate(function, &NEGOTIATE)),
            Role::Refresh => Member::Refresh(self.negotiate(function, &REFRESH)),
        })
    }

    /// A `refresh` with a name for clients is a method of clients.
    fn role(&self, function: &ImplItemFn) -> Role {
        let role = Role::of(&function.sig.ident.unraw().to_string());
        let is_renamed = |attr: &Attribute| {
            let names = |token| matches!(token, TokenTree::Ident(ident) if ident == "rename");
            self.options.root.is_own(attr.path(), "hub")
                && matches!(&attr.meta, Meta::List(list) if list.tokens.clone().into_iter().any(names))
        };
        match role {
            Role::Refresh if function.attrs.iter().any(is_renamed) => {
                Role::Event(Category::Message)
            }
            role => role,
        }
    }

    fn without_receiver(&self, function: &mut ImplItemFn, role: Role) {
        let why = "clients cannot call a function without `&self`";
        self.refuse_own(&mut function.attrs, why);
        for input in &mut function.sig.inputs {
            self.refuse_own(attributes(input), why);
        }
        if role.is_reserved() {
            let ident = &function.sig.ident;
            let message = format!(
                "`{ident}` is reserved for a method; write `async fn {ident}(&self, …)` or rename it"
            );
            self.sink.report(ident, message);
        }
    }

    /// Removes our attributes from a method that is reported as a whole.
    fn strip(&self, function: &mut ImplItemFn) {
        let root = &self.options.root;
        attr::refuse_conditional(&mut function.attrs, self.sink);
        for name in ["filter", "hub", "from_context"] {
            attr::take(&mut function.attrs, name, root);
            for input in &mut function.sig.inputs {
                attr::take(attributes(input), name, root);
            }
        }
    }

    /// Checks the rules that apply to every hub method.
    fn signature(&self, sig: &Signature) {
        if let Some(receiver) = sig.receiver() {
            self.receiver(receiver);
        }
        if let Safety::Unsafe(token) = &sig.safety {
            self.sink.report(
                token,
                "any client may call a hub method, so it cannot be unsafe; remove `unsafe`",
            );
        }
        if let Some(abi) = &sig.abi {
            self.sink.report(abi, "hub methods use the Rust ABI; remove `extern`");
        }
        if let Some(variadic) = &sig.variadic {
            self.sink
                .report(variadic, "hub methods take a fixed number of arguments; remove `...`");
        }
        for param in &sig.generics.params {
            if !matches!(param, GenericParam::Lifetime(_)) {
                let message = "hub methods cannot be generic, because clients send values and not types; use a concrete \
                               type";
                self.sink.report(param, message);
            }
        }
    }

    fn receiver(&self, receiver: &Receiver) {
        let mutable = "one hub value serves every invocation concurrently; use interior mutability and take \
                       `&self`";
        let owned = "all calls share one hub value; take `&self`";
        match &receiver.kind {
            ReceiverKind::Reference(_, _, None) => {}
            ReceiverKind::Reference(_, _, Some(_)) => self.sink.report(receiver, mutable),
            ReceiverKind::Typed(_, ty) => match types::ungrouped(ty) {
                Type::Reference(reference) if reference.mutability.is_some() => {
                    self.sink.report(receiver, mutable);
                }
                Type::Reference(reference) if types::is_self(&reference.elem) => {}
                _ => self.sink.report(receiver, owned),
            },
            _ => self.sink.report(receiver, owned),
        }
    }

    fn event(&self, function: &mut ImplItemFn, category: Category) -> MethodDef {
        let root = &self.options.root;
        attr::refuse_conditional(&mut function.attrs, self.sink);
        let filter_attrs = attr::take(&mut function.attrs, "filter", root);
        let hub_attrs = attr::take(&mut function.attrs, "hub", root);
        self.refuse_own(&mut function.attrs, "it belongs on a parameter");
        let options = match category {
            Category::Message => HubOptions::read(&hub_attrs, keys::METHOD, self.sink),
            Category::Connected | Category::Disconnected | Category::Refreshed => {
                self.refuse_rename(&hub_attrs, &function.sig);
                HubOptions::default()
            }
        };
        let HubOptions { rename, fallback, exact_names } = &options;
        if let (Some(rename), Some(_)) = (rename, fallback) {
            let message =
                "a fallback receives every event without a method of its own; remove `rename`";
            self.sink.report(rename, message);
        }
        let unrefused = match category {
            Category::Disconnected => {
                Some("`on_disconnected` cannot be refused, because cleanup must run")
            }
            Category::Refreshed => Some(
                "`on_refreshed` cannot be refused, because the client has its new claims already",
            ),
            Category::Message | Category::Connected => None,
        };
        if let Some(why) = unrefused {
            for attr in &filter_attrs {
                self.sink.report(attr, format!("{why}; remove `#[filter]`"));
            }
        }
        let ident = function.sig.ident.clone();
        let name = match category {
            Category::Message => attr::client_name(
                &ident,
                options.rename.as_ref(),
                self.options.rename_all,
                self.sink,
            ),
            Category::Connected => "connected".to_owned(),
            Category::Disconnected => "disconnected".to_owned(),
            Category::Refreshed => "refreshed".to_owned(),
        };
        if category == Category::Message
            && options.rename.is_none()
            && options.fallback.is_none()
            && let Some(reserved) = resembled(&ident.unraw().to_string())
        {
            self.sink.report(&ident, not_called_by_the_service(&ident, reserved));
        }
        MethodDef {
            name,
            docs: attr::docs(&function.attrs),
            category,
            params: self.params(&mut function.sig, category, options.fallback.is_some()),
            fallback: options.fallback.is_some(),
            exact_names: *exact_names || self.options.exact_names,
            filters: attr::filters(&filter_attrs, self.sink),
            reply: reply(&function.sig),
            conditions: attr::conditions(&function.attrs),
            deprecated: function.attrs.iter().any(|attr| attr.path().is_ident("deprecated")),
            sound: true,
            ident,
        }
    }

    fn refuse_rename(&self, attrs: &[Attribute], sig: &Signature) {
        for attr in attrs {
            let message = format!(
                "`{}` is called by the service, not by clients; remove `#[hub]`",
                sig.ident
            );
            self.sink.report(attr, message);
        }
    }

    /// Reads a method that is called for a request of a client to the app.
    fn negotiate(&self, function: &mut ImplItemFn, texts: &RequestTexts) -> NegotiateDef {
        let root = &self.options.root;
        attr::refuse_conditional(&mut function.attrs, self.sink);
        for attr in attr::take(&mut function.attrs, "filter", root) {
            self.sink.report(attr, texts.filter);
        }
        self.refuse_rename(&attr::take(&mut function.attrs, "hub", root), &function.sig);
        self.refuse_own(&mut function.attrs, "it belongs on a parameter");
        let lifetimes = types::lifetimes(&function.sig.generics);
        let mut params = Vec::new();
        for input in function.sig.inputs.iter_mut().skip(1) {
            let FnArg::Typed(input) = input else { continue };
            self.refuse_own(&mut input.attrs, texts.no_call);
            if !params.is_empty() || matches!(types::ungrouped(&input.ty), Type::Reference(_)) {
                self.sink.report(&*input, texts.parameter);
            }
            params.push(ParamDef {
                source: Source::Call,
                ty: types::without_lifetimes(input.ty.to_token_stream(), &lifetimes),
                span: input.pat.span(),
                conditions: attr::conditions(&input.attrs),
            });
        }
        NegotiateDef {
            ident: function.sig.ident.clone(),
            request: params.into_iter().next(),
            reply: reply(&function.sig),
            conditions: attr::conditions(&function.attrs),
        }
    }
}

fn not_called_by_the_service(ident: &Ident, reserved: &str) -> String {
    let again = match matching_form(&ident.to_string()).contains("reconnect") {
        true => ", which also runs for a client that connects again",
        false => "",
    };
    format!(
        "any client may call `{ident}`, and the service does not; write `{reserved}`{again}, or for a method of \
         clients `#[hub(rename = \"{ident}\")]`"
    )
}

fn reply(sig: &Signature) -> Reply {
    match &sig.output {
        ReturnType::Default => Reply::Nothing,
        ReturnType::Type(_, ty) if types::opaque(ty).is_some() => Reply::Opaque(ty.span()),
        ReturnType::Type(_, ty) => {
            let lifetimes = types::lifetimes(&sig.generics);
            Reply::Type(types::without_lifetimes(ty.to_token_stream(), &lifetimes))
        }
    }
}
