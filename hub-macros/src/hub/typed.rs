//! Generates the functions with which a test client calls the methods of a hub.
//!
//! The functions are in a macro call, which is empty without the feature `testing` of the runtime crate.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::{Lifetime, parse_quote};

use super::model::{Category, HubDef, MethodDef, ParamDef, Reply, Source};
use crate::{
    options::Whole,
    paths::{at, local},
    types,
};

/// The lifetime of the borrowed client. It also replaces the anonymous lifetimes of arguments and results.
const BORROW: &str = "__hub";

/// The type with one function for each method that clients call by its name.
pub(super) fn functions(hub: &HubDef) -> TokenStream {
    let site = Span::mixed_site();
    let HubDef { self_ty, .. } = hub;
    let (generics, _, conditions) = hub.generics.split_for_impl();
    let borrow = Lifetime::new(&format!("'{BORROW}"), site);
    let mut borrowing = hub.generics.clone();
    borrowing.params.insert(0, parse_quote!(#borrow));
    let (borrowing, ..) = borrowing.split_for_impl();
    let called = |method: &&MethodDef| {
        method.sound && method.category == Category::Message && !method.fallback
    };
    let functions = hub.methods.iter().filter(called).map(|method| function(hub, method, &borrow));
    quote_spanned! {site=>
        __hub::typed_calls! {
            #[doc(hidden)]
            pub struct __HubMethods<#borrow, __HubType>(&#borrow __hub::TestClient<__HubType>);
            #[automatically_derived]
            impl #generics __hub::TypedHub for #self_ty #conditions {
                type Methods<#borrow> = __HubMethods<#borrow, Self> where Self: #borrow;
                fn methods<#borrow>(client: &#borrow __hub::TestClient<Self>) -> Self::Methods<#borrow> {
                    __HubMethods(client)
                }
            }
            #[automatically_derived]
            #[allow(dead_code, deprecated, private_interfaces, clippy::too_many_arguments)]
            impl #borrowing __HubMethods<#borrow, #self_ty> #conditions {
                #(#functions)*
            }
        }
    }
}

fn function(hub: &HubDef, method: &MethodDef, borrow: &Lifetime) -> TokenStream {
    let site = Span::mixed_site();
    let MethodDef { name, ident, conditions, .. } = method;
    let named = |ty: &TokenStream| {
        let ty = types::with_lifetime(BORROW, ty.clone(), &HashSet::from(["_".to_owned()]));
        types::without_self(ty, &hub.self_ty)
    };
    let docs = match &*method.docs {
        "" => "Calls the method of the hub.",
        docs => docs,
    };
    let (mut inputs, mut pushes) = (Vec::new(), Vec::new());
    let mut names = HashSet::new();
    let arguments = local("arguments");
    let mut made = quote_spanned!(site=> new);
    for (index, ParamDef { source, ty, conditions, .. }) in method.params.iter().enumerate() {
        let ty = named(ty);
        let (input, bound, push) = match source {
            Source::Context | Source::Call => continue,
            Source::Client { name } => {
                let input = match names.insert(name) {
                    true => parameter(name, index),
                    false => local(&format!("arg{index}")),
                };
                let push =
                    quote_spanned!(site=> __hub::TestArgument::<#ty>::push(#input, #arguments));
                (input, quote_spanned!(site=> __hub::TestArgument<#ty>), push)
            }
            Source::Whole(Whole::Arguments) => {
                let input = local("list");
                let push =
                    quote_spanned!(site=> __hub::TestArgument::<#ty>::push(#input, #arguments));
                made = quote_spanned!(site=> of_list);
                (input, quote_spanned!(site=> __hub::TestArgument<#ty>), push)
            }
            // The type is that of the message, which has more members than the arguments.
            Source::Whole(Whole::Body) => {
                let input = local("list");
                let push = quote_spanned!(site=> __hub::ArgumentList::encode(#input));
                (input, quote_spanned!(site=> __hub::ArgumentList), push)
            }
        };
        inputs.push(quote_spanned!(site=> #(#conditions)* #input: impl #bound));
        pushes.push(quote_spanned!(site=> #(#conditions)* let #arguments = #push;));
    }
    let reply = match &method.reply {
        Reply::Nothing => quote_spanned!(site=> ()),
        Reply::Type(ty) => named(ty),
        Reply::Opaque(_) => quote_spanned!(site=> __hub::IgnoredAny),
    };
    let mut function = ident.clone();
    function.set_span(at(ident.span()));
    let deprecated = method.deprecated.then(|| quote_spanned!(site=> #[deprecated]));
    quote_spanned! {site=>
        #(#conditions)*
        // The examples are tests of the method.
        #[cfg_attr(not(doctest), doc = #docs)]
        #deprecated
        pub fn #function(&self, #(#inputs),*) -> __hub::TestCall<#borrow, #reply> {
            let #arguments = __hub::Arguments::new();
            #(#pushes)*
            __hub::TestCall::#made(self.0, #name, #arguments)
        }
    }
}

/// Keywords that are no raw identifiers.
const NEVER_RAW: [&str; 4] = ["crate", "self", "Self", "super"];

/// The parameter for an argument with this name. The name is a parameter of the method without its leading
/// underscores, so it may be a keyword, or begin with a digit.
fn parameter(name: &str, index: usize) -> Ident {
    let site = Span::mixed_site();
    let begins = |first: char| first == '_' || first.is_alphabetic();
    if name.starts_with(begins) && syn::parse_str::<Ident>(name).is_ok() {
        format_ident!("{name}", span = site)
    } else if name.starts_with(|first: char| first.is_ascii_alphabetic())
        && !NEVER_RAW.contains(&name)
    {
        Ident::new_raw(name, site)
    } else {
        local(&format!("arg{index}"))
    }
}
