//! Generates the table from the model.
//!
//! Every token that can fail a bound has the span of the user's code, so that the compiler reports the
//! error there. Locals are created with [`local`], so that they are invisible to user code.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::{Expr, spanned::Spanned};

use super::{
    model::{Category, HubDef, MethodDef, NegotiateDef, ParamDef, Reply, Source},
    typed,
};
use crate::{
    options::Whole,
    paths::{at, local, local_at, plain_local},
};

/// The `Hub` implementation of a block, without the methods and filters that have an error.
pub(crate) fn table(hub: &HubDef) -> TokenStream {
    let site = Span::mixed_site();
    let HubDef { name, self_ty, .. } = hub;
    let sound = || hub.methods.iter().filter(|method| method.sound);
    let methods = sound().map(method);
    // The deprecation warning belongs to the callers of the method, not to the table.
    let allow = sound()
        .any(|method| method.deprecated)
        .then(|| quote_spanned!(site=> #[allow(deprecated)]));
    let imports = sound()
        .any(MethodDef::injects)
        .then(|| quote_spanned!(site=> use __hub::FromContext as __HubFromContext;));
    let docs = (!hub.docs.is_empty()).then(|| {
        let docs = &hub.docs;
        quote_spanned!(site=> const DOCS: &'static ::core::primitive::str = #docs;)
    });
    let connection = hub.connection.as_ref().map(
        |name| quote_spanned!(site=> const CONNECTION: &'static ::core::primitive::str = #name;),
    );
    let client = match &hub.client {
        Some(path) => quote_spanned!(path.span()=> dyn #path),
        None => quote_spanned!(site=> __hub::Untyped),
    };
    let alias = hub.root.alias();
    let (generics, _, conditions) = hub.generics.split_for_impl();
    let negotiate = chosen(&hub.negotiators, negotiator);
    let refresh = (!hub.refreshers.is_empty()).then(|| {
        let refresh = chosen(&hub.refreshers, refresher);
        quote_spanned!(site=> const REFRESH: __hub::Option<__hub::Refresher<Self>> = #refresh;)
    });
    let filters = filters(&hub.filters);
    let registration = registration(hub);
    let functions = typed::functions(hub);
    quote_spanned! {site=>
        const _: () = {
            #alias
            #imports
            #[automatically_derived]
            #allow
            impl #generics __hub::Hub for #self_ty #conditions {
                const NAME: &'static ::core::primitive::str = #name;
                #connection
                type Client = #client;
                #docs
                const METHODS: &'static [__hub::Method<Self>] = &[#(#methods,)*];
                const NEGOTIATE: __hub::Option<__hub::Negotiator<Self>> = #negotiate;
                #refresh
                fn filters() -> __hub::Filters {
                    #filters
                }
            }
            #registration
            #functions
        };
    }
}

/// The registry entry of a hub with `register`.
fn registration(hub: &HubDef) -> Option<TokenStream> {
    let register = hub.register.as_ref()?;
    let self_ty = &hub.self_ty;
    let make = match &register.make {
        Some(path) => match path.segments.iter().collect::<Vec<_>>()[..] {
            // The entry is outside of the `impl` block, so `Self` does not resolve in it.
            [first, ref rest @ ..] if first.ident == "Self" && !rest.is_empty() => {
                quote_spanned!(path.span()=> <#self_ty>::#(#rest)::*)
            }
            _ => quote_spanned!(path.span()=> #path),
        },
        None => {
            let span = at(register.key.span());
            quote_spanned!(span=> <#self_ty as __hub::Default>::default)
        }
    };
    Some(quote_spanned!(Span::mixed_site()=> __hub::register!(#self_ty, #make);))
}

/// One row of the table.
fn method(method: &MethodDef) -> TokenStream {
    let MethodDef { name, conditions, .. } = method;
    let category = match method.category {
        Category::Message => format_ident!("Message"),
        Category::Connected => format_ident!("Connected"),
        Category::Disconnected => format_ident!("Disconnected"),
        Category::Refreshed => format_ident!("Refreshed"),
    };
    let names = method.params.iter().filter_map(|param| match &param.source {
        Source::Client { name } => {
            let conditions = &param.conditions;
            Some(quote_spanned!(Span::mixed_site()=> #(#conditions)* #name))
        }
        Source::Whole(whole) => {
            let (name, conditions) = (whole.row_name(), &param.conditions);
            Some(quote_spanned!(Span::mixed_site()=> #(#conditions)* #name))
        }
        Source::Context | Source::Call => None,
    });
    let (docs, shape) = (&method.docs, shape(method));
    let MethodDef { fallback, exact_names, .. } = method;
    let filters = filters(&method.filters);
    let (this, context, args) = (local("this"), local("context"), arguments(method));
    let body = call(method);
    let binds = method.params.iter().any(|param| matches!(param.source, Source::Client { .. }));
    let mutable = binds.then(|| quote_spanned!(Span::mixed_site()=> mut));
    quote_spanned! {Span::mixed_site()=>
        #(#conditions)*
        __hub::Method {
            name: #name,
            category: __hub::Category::#category,
            fallback: #fallback,
            exact_names: #exact_names,
            params: &[#(#names),*],
            docs: #docs,
            shape: #shape,
            filters: || #filters,
            call: |#this, #context, #mutable #args| __hub::Box::pin(async move { #body }),
        }
    }
}

/// Binds injected values and the client's arguments, calls the method, and encodes the result.
fn call(method: &MethodDef) -> TokenStream {
    let (context, args) = (local("context"), arguments(method));
    let finish =
        (!method.takes_all()).then(|| quote_spanned!(Span::mixed_site()=> #args.finish()?;));
    let numbered = || method.params.iter().enumerate();
    let injected = numbered().filter(|(_, param)| param.source == Source::Call);
    let bound = numbered().filter(|(_, param)| param.source != Source::Call);
    let bindings =
        injected.chain(bound).map(|(index, param)| binding(index, param, method.category));
    let values = numbered().map(|(index, param)| value(index, param));
    let ident = &method.ident;
    let this = local("this");
    let called = quote_spanned!(ident.span()=> Self::#ident(#this, #(#values),*));
    let called = quote_spanned!(at(ident.span())=> __hub::assert_send(#called));
    let into_reply = match &method.reply {
        Reply::Type(ty) => quote_spanned!(at(ty.span())=> <#ty as __hub::HubReply>::into_reply),
        Reply::Opaque(span) => quote_spanned!(at(*span)=> __hub::HubReply::into_reply),
        Reply::Nothing => quote_spanned!(at(ident.span())=> __hub::HubReply::into_reply),
    };
    quote_spanned! {Span::mixed_site()=>
        #(#bindings)*
        #finish
        #into_reply(#called.await, #context.invocation())
    }
}

/// The types of the arguments, in the order of their names, and the type of the result.
fn shape(method: &MethodDef) -> TokenStream {
    let site = Span::mixed_site();
    let types = method.params.iter().filter_map(|param| {
        let ParamDef { ty, conditions, .. } = param;
        match &param.source {
            Source::Client { .. } | Source::Whole(Whole::Arguments) => {
                Some(quote_spanned!(site=> #(#conditions)* #ty,))
            }
            Source::Whole(Whole::Body) => {
                Some(quote_spanned!(site=> #(#conditions)* __hub::IgnoredAny,))
            }
            Source::Context | Source::Call => None,
        }
    });
    let result = match &method.reply {
        Reply::Nothing => quote_spanned!(site=> ()),
        Reply::Type(ty) => ty.clone(),
        Reply::Opaque(_) => quote_spanned!(site=> __hub::IgnoredAny),
    };
    quote_spanned!(site=> __hub::shape!(hub [#(#types)*] -> #result))
}

/// The name of the variable with the remaining arguments: `_args` if they are not used.
fn arguments(method: &MethodDef) -> Ident {
    if method.takes_all() {
        return format_ident!("_args", span = Span::mixed_site());
    }
    local("args")
}

fn binding(index: usize, param: &ParamDef, category: Category) -> TokenStream {
    let ParamDef { ty, conditions, .. } = param;
    let site = Span::mixed_site();
    let (context, args) = (local("context"), local("args"));
    let target = local(&format!("arg{index}"));
    match &param.source {
        Source::Context => {
            let of = quote_spanned!(at(ty.span())=> <#ty as __hub::ContextParam<'_, Self>>::of);
            quote_spanned!(site=> #(#conditions)* let #target = #of(#context);)
        }
        // The whole expression has the span of the type, so that the compiler reports only one error. The
        // path has one segment, so that lints do not suggest a shorter path.
        Source::Call => {
            let made = quote_spanned! {ty.span()=>
                <#ty as __HubFromContext>::from_context(#context.invocation()).await?
            };
            quote_spanned!(site=> #(#conditions)* let #target = #made;)
        }
        Source::Client { name } => {
            let binder = match category {
                Category::Disconnected => format_ident!("CloseReason"),
                Category::Message | Category::Connected | Category::Refreshed => {
                    format_ident!("HubArg")
                }
            };
            quote_spanned! {site=>
                #(#conditions)*
                let #target = <#ty as __hub::#binder>::bind(&mut #args, #name)?;
            }
        }
        Source::Whole(whole) => {
            let bind = match whole {
                Whole::Arguments => format_ident!("bind_arguments"),
                Whole::Body => format_ident!("bind_body"),
            };
            quote_spanned! {site=>
                #(#conditions)*
                let #target = <#ty as __hub::HubArg>::#bind(#context.invocation())?;
            }
        }
    }
}

fn value(index: usize, param: &ParamDef) -> TokenStream {
    let conditions = &param.conditions;
    let value = local_at(&format!("arg{index}"), param.span);
    quote_spanned!(Span::mixed_site()=> #(#conditions)* #value)
}

/// `Filters` of these expressions, outer first.
fn filters(expressions: &[Expr]) -> TokenStream {
    let none = quote_spanned!(Span::mixed_site()=> __hub::Filters::new());
    expressions.iter().fold(none, |outer, expression| {
        quote_spanned!(at(expression.span())=> __hub::Filters::with(#outer, #expression))
    })
}

/// The first method whose condition is true, if any.
fn chosen(defs: &[NegotiateDef], one: fn(&NegotiateDef) -> TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    match defs {
        [] => quote_spanned!(site=> __hub::None),
        [only] if only.conditions.is_empty() => one(only),
        several => {
            let rows = several.iter().map(|def| {
                let conditions = &def.conditions;
                let row = one(def);
                quote_spanned!(site=> #(#conditions)* #row)
            });
            quote_spanned!(site=> [#(#rows,)* __hub::None][0])
        }
    }
}

fn negotiator(def: &NegotiateDef) -> TokenStream {
    let site = Span::mixed_site();
    let types = RequestTypes {
        function: quote_spanned!(site=> Negotiator),
        reply: quote_spanned!(site=> IntoNegotiation),
        into: quote_spanned!(site=> into_negotiation),
    };
    called_for_request(def, &types, |_, request| request)
}

fn refresher(def: &NegotiateDef) -> TokenStream {
    let site = Span::mixed_site();
    let types = RequestTypes {
        function: quote_spanned!(site=> Refresher),
        reply: quote_spanned!(site=> IntoRefreshed),
        into: quote_spanned!(site=> into_refreshed),
    };
    called_for_request(
        def,
        &types,
        |ty, request| quote_spanned!(at(ty.span())=> <#ty as __hub::RefreshParam>::of(#request)),
    )
}

/// The names of the types for a method that is called for a request.
struct RequestTypes {
    function: TokenStream,
    reply: TokenStream,
    into: TokenStream,
}

fn called_for_request(
    def: &NegotiateDef,
    types: &RequestTypes,
    argument: fn(&TokenStream, TokenStream) -> TokenStream,
) -> TokenStream {
    let RequestTypes { function, reply, into } = types;
    let (this, call) = (local("this"), local("call"));
    let request = match &def.request {
        Some(param) => plain_local("request", param.span),
        None => local("request"),
    };
    let ident = &def.ident;
    let binding = def.request.as_ref().map(|param| {
        let ParamDef { ty, conditions, .. } = param;
        let target = local("arg0");
        let argument = argument(ty, quote_spanned!(request.span()=> #request));
        quote_spanned!(Span::mixed_site()=> #(#conditions)* let #target: #ty = #argument;)
    });
    let value = def.request.as_ref().map(|param| value(0, param));
    let called = quote_spanned!(ident.span()=> Self::#ident(#this, #value));
    let called = quote_spanned!(at(ident.span())=> __hub::assert_send(#called));
    let into_negotiation = match &def.reply {
        Reply::Type(ty) => quote_spanned!(at(ty.span())=> <#ty as __hub::#reply>::#into),
        Reply::Opaque(span) => quote_spanned!(at(*span)=> __hub::#reply::#into),
        Reply::Nothing => quote_spanned!(at(ident.span())=> __hub::#reply::#into),
    };
    quote_spanned! {Span::mixed_site()=>
        __hub::Some({
            let #call: __hub::#function<Self> = |#this, #request| __hub::Box::pin(async move {
                #binding
                #into_negotiation(#called.await)
            });
            #call
        })
    }
}
