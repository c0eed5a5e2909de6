//! The type parameters of a hub: the app keeps a hub for its whole life and calls it from several threads.
//!
//! After a report the block is corrected, so that the compiler does not report the same mistake at every method.

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    GenericParam, Ident, ItemImpl, Type, TypeParam, TypeParamBound, WherePredicate, parse_quote,
    parse2,
};

use crate::{errors::Sink, types};

/// Bounds that do not imply `Send`, `Sync` and `'static`. Traits that are not in this list may imply them.
const NOT_SHARED: [&str; 20] = [
    "AsRef",
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "Deserialize",
    "DeserializeOwned",
    "Display",
    "Eq",
    "Fn",
    "From",
    "Hash",
    "Into",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Serialize",
    "Send",
    "Sync",
    "ToString",
];

/// Reports type parameters without the bounds of a hub, and lifetimes.
pub(super) fn owned(block: &mut ItemImpl, sink: &Sink) {
    lifetimes(block, sink);
    let predicates = block.generics.where_clause.iter().flat_map(|it| it.predicates.clone());
    let predicates: Vec<_> = predicates.collect();
    for param in &mut block.generics.params {
        if let GenericParam::Type(param) = param {
            bounds(param, &predicates, sink);
        }
    }
}

fn bounds(param: &mut TypeParam, predicates: &[WherePredicate], sink: &Sink) {
    let mut written: Vec<_> = param.bounds.iter().cloned().collect();
    for predicate in predicates {
        if let WherePredicate::Type(predicate) = predicate
            && is(&predicate.bounded_ty, &param.ident)
        {
            written.extend(predicate.bounds.iter().cloned());
        }
    }
    let names: Vec<_> = written.iter().map(name).collect();
    let unknown = |name: &String| !NOT_SHARED.contains(&name.as_str());
    if names.iter().any(unknown) {
        return;
    }
    let needed: [(&str, TypeParamBound); 3] = [
        ("Send", parse_quote!(::core::marker::Send)),
        ("Sync", parse_quote!(::core::marker::Sync)),
        ("'static", parse_quote!('static)),
    ];
    let ident = param.ident.clone();
    let message = format!(
        "a hub is shared by all calls, so `{ident}` needs bounds; write `{ident}: Send + Sync + 'static`"
    );
    sink.report(&*param, message);
    let missing = needed.into_iter().filter(|(name, _)| !names.iter().any(|it| it == name));
    param.bounds.extend(missing.map(|(_, bound)| bound));
    param.colon_token = Some(parse_quote!(:));
}

fn is(ty: &Type, param: &Ident) -> bool {
    matches!(types::ungrouped(ty), Type::Path(path) if path.path.is_ident(param))
}

/// The name of a bound. `'static` counts as a trait that is not in [`NOT_SHARED`].
fn name(bound: &TypeParamBound) -> String {
    match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().map(|it| it.ident.to_string()).unwrap_or_default()
        }
        other => other.to_token_stream().to_string(),
    }
}

/// Reports the lifetimes of the hub's type and replaces them by `'static`.
fn lifetimes(block: &mut ItemImpl, sink: &Sink) {
    let mut borrowed = types::lifetimes(&block.generics);
    let in_type = named(block.self_ty.to_token_stream());
    if !in_type.iter().any(|name| name == "_" || borrowed.contains(name)) {
        return;
    }
    let message = "the app keeps a hub for its whole life, so a hub cannot borrow; give its fields owned types, or \
                   write `'static`";
    sink.report(&block.self_ty, message);
    let params = std::mem::take(&mut block.generics.params);
    let kept = params.into_iter().filter(|it| !matches!(it, GenericParam::Lifetime(_)));
    block.generics.params = kept.collect();
    let tokens = types::with_lifetime("static", block.to_token_stream(), &borrowed);
    borrowed.insert("_".to_owned());
    let self_ty = types::with_lifetime("static", block.self_ty.to_token_stream(), &borrowed);
    if let (Ok(replaced), Ok(self_ty)) = (parse2(tokens), parse2(self_ty)) {
        *block = ItemImpl { self_ty: Box::new(self_ty), ..replaced };
    }
}

/// The names of all lifetimes in a type.
fn named(ty: TokenStream) -> HashSet<String> {
    let mut after_quote = false;
    let mut found = HashSet::new();
    for token in ty {
        match &token {
            TokenTree::Ident(ident) if after_quote => {
                found.insert(ident.to_string());
            }
            TokenTree::Group(group) => found.extend(named(group.stream())),
            _ => {}
        }
        after_quote = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '\'');
    }
    found
}
