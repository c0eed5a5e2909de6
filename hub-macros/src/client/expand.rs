//! Generates the trait and its implementation for proxies from the model.
//!
//! Arguments are serialised before the future is returned, so borrowed arguments need not outlive the
//! call.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Signature, Type, TypeReference, parse_quote, parse_quote_spanned, spanned::Spanned};

use super::model::{ArgumentDef, CallDef, ClientDef};
use crate::{
    attr,
    paths::{Root, at, local},
    types,
};

pub(crate) fn client(client: &ClientDef) -> TokenStream {
    let ClientDef { root, header, calls } = client;
    let mut declared = header.clone();
    declared.items =
        calls.iter().map(|call| syn::TraitItem::Verbatim(declaration(call, root))).collect();
    let ident = &header.ident;
    let alias = root.alias();
    let audience = quote_spanned!(Span::mixed_site()=> __HubAudience);
    let methods = calls.iter().filter(|call| call.sound).map(implementation);
    let deprecated =
        calls.iter().flat_map(|call| &call.attrs).any(|a| a.path().is_ident("deprecated"));
    let allow = deprecated.then(|| quote_spanned!(Span::mixed_site()=> #[allow(deprecated)]));
    let rows = calls.iter().filter(|call| call.sound).map(row);
    quote_spanned! {Span::mixed_site()=>
        #declared
        const _: () = {
            #alias
            #[automatically_derived]
            #allow
            impl<#audience: __hub::Audience> #ident for __hub::Proxy<dyn #ident, #audience> {
                #(#methods)*
            }
            #[automatically_derived]
            impl __hub::Client for dyn #ident {
                const CALLS: &'static [__hub::ClientCall] = &[#(#rows,)*];
            }
        };
    }
}

/// One row of the contract's table.
fn row(call: &CallDef) -> TokenStream {
    let CallDef { sig, name, attrs, conditions, .. } = call;
    let site = Span::mixed_site();
    let docs = attr::docs(attrs);
    let names = call.arguments.iter().map(|argument| {
        let ArgumentDef { name, conditions, .. } = argument;
        quote_spanned!(site=> #(#conditions)* #name)
    });
    let lifetimes = types::lifetimes(&sig.generics);
    let types = call.arguments.iter().map(|argument| {
        let ArgumentDef { ty, conditions, .. } = argument;
        let ty = types::without_lifetimes(ty.to_token_stream(), &lifetimes);
        quote_spanned!(site=> #(#conditions)* #ty,)
    });
    let answer = call.answer.as_ref().map(|answer| quote_spanned!(site=> -> #answer));
    quote_spanned! {site=>
        #(#conditions)*
        __hub::ClientCall {
            name: #name,
            docs: #docs,
            params: &[#(#names),*],
            shape: __hub::shape!(client [#(#types)*] #answer),
        }
    }
}

/// The trait's method: the same name and arguments, with a named future as the return type.
fn declaration(call: &CallDef, root: &Root) -> TokenStream {
    let CallDef { sig, attrs, answer, sound, .. } = call;
    let private = root.private_at(Span::mixed_site());
    let future: Type = match answer {
        Some(answer) => parse_quote!(#private::InvokeFuture<#answer>),
        None => parse_quote!(#private::SendFuture),
    };
    let mut declared = Signature {
        constness: None,
        asyncness: None,
        safety: syn::Safety::Default,
        abi: None,
        variadic: None,
        output: parse_quote!(-> #future),
        ..sig.clone()
    };
    let conditions = &mut declared.generics.make_where_clause().predicates;
    conditions.push(parse_quote!(Self: #private::Sized));
    if let Some(answer) = answer {
        let span = answer.span();
        let private = root.private_at(span);
        conditions.push(parse_quote_spanned!(span=> Self: #private::SingleConnection));
    }
    if *sound {
        return quote!(#(#attrs)* #declared;);
    }
    // The proxy does not implement a method with an error. The default body prevents a second error there.
    quote!(#(#attrs)* #[allow(unused_variables, clippy::empty_loop)] #declared { loop {} })
}

/// The method of the proxy. Its receiver is generated again, because `self` is hygienic.
fn implementation(call: &CallDef) -> TokenStream {
    let CallDef { sig, name, conditions, answer, .. } = call;
    let site = Span::mixed_site();
    let ident = &sig.ident;
    let (generics, _, _) = sig.generics.split_for_impl();
    let lifetime = sig.receiver().and_then(|receiver| match &receiver.kind {
        syn::ReceiverKind::Reference(_, lifetime, _) => lifetime.as_ref(),
        _ => None,
    });
    let inputs = call.arguments.iter().enumerate().map(|(index, argument)| {
        let ArgumentDef { ty, conditions, .. } = argument;
        let input = local(&format!("arg{index}"));
        quote_spanned!(site=> #(#conditions)* #input: #ty)
    });
    let arguments = local("arguments");
    let pushes = call.arguments.iter().enumerate().map(|(index, argument)| {
        let conditions = &argument.conditions;
        let push = push(index, &argument.ty, &arguments);
        quote_spanned!(site=> #(#conditions)* let #arguments = #push;)
    });
    let (output, deliver) = match answer {
        Some(answer) => (
            quote_spanned!(site=> __hub::InvokeFuture<#answer>),
            quote_spanned!(at(answer.span())=> __hub::invoke::<#answer, _, _>),
        ),
        None => (quote_spanned!(site=> __hub::SendFuture), quote_spanned!(site=> __hub::send)),
    };
    quote_spanned! {site=>
        #(#conditions)*
        fn #ident #generics (&#lifetime self, #(#inputs),*) -> #output {
            let #arguments = __hub::Arguments::new();
            #(#pushes)*
            #deliver(self, #name, #arguments)
        }
    }
}

/// Serialises one argument. The type is written out, so that the compiler reports an error at the type if
/// it does not implement `Serialize`. References are passed on: `&str` is serialised, not `&&str`.
fn push(index: usize, ty: &Type, arguments: &Ident) -> TokenStream {
    let value = local(&format!("arg{index}"));
    match types::ungrouped(ty) {
        Type::Reference(TypeReference { mutability: None, elem, .. }) => {
            quote_spanned!(at(ty.span())=> __hub::Arguments::push::<#elem>(#arguments, #value))
        }
        owned => {
            quote_spanned!(at(ty.span())=> __hub::Arguments::push::<#owned>(#arguments, &#value))
        }
    }
}
