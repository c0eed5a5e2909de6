//! Syntactic checks of the types in a method signature.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    GenericArgument, GenericParam, Generics, Pat, PatType, PathArguments, ReturnType, Type,
    TypeGroup, TypeImplTrait, TypeParen, TypeReference, ext::IdentExt, parse_quote,
};

/// Names of data types. A reference to a type with such a name is not the context.
const DATA: [&str; 29] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
    "i128", "isize", "f32", "f64", "String", "Vec", "Option", "Box", "Cow", "HashMap", "HashSet",
    "BTreeMap", "BTreeSet", "Bytes", "Value", "Path",
];

const CONTEXTS: [&str; 2] = ["Context", "HubContext"];

/// The type inside parentheses and the invisible groups of `macro_rules!`.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        other => other,
    }
}

/// The last identifier of a type that is a path.
pub(crate) fn last_ident(ty: &Type) -> Option<&Ident> {
    match ungrouped(ty) {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        _ => None,
    }
}

pub(crate) fn is_self(ty: &Type) -> bool {
    matches!(ungrouped(ty), Type::Path(path) if path.qself.is_none() && path.path.is_ident("Self"))
}

/// Whether a first parameter of this type is the context: any reference, except to a type in [`DATA`].
///
/// Other names are not checked, so that aliases of `Context` work. The compiler checks the type.
pub(crate) fn may_be_context(ty: &Type) -> bool {
    let Type::Reference(reference) = ungrouped(ty) else {
        return false;
    };
    last_ident(&reference.elem)
        .is_some_and(|ident| !DATA.contains(&ident.unraw().to_string().as_str()))
}

/// Advice for a context that is not borrowed.
pub(crate) const CONTEXT: &str = "the context is borrowed; write `&Context<Self>`";

/// Whether a parameter is a context by value: `Context<Self>`, or `ctx: Context`. In other
/// parameters than `ctx`, a `Context` without a hub may be a type of the user.
pub(crate) fn is_owned_context(input: &PatType) -> bool {
    let Type::Path(path) = ungrouped(&input.ty) else { return false };
    let Some(segment) =
        path.path.segments.last().filter(|it| CONTEXTS.iter().any(|name| it.ident == name))
    else {
        return false;
    };
    match &segment.arguments {
        PathArguments::AngleBracketed(_) => true,
        PathArguments::None | PathArguments::Parenthesized(_) => {
            let named = match &*input.pat {
                Pat::Ident(pat) => pat.ident.to_string(),
                _ => String::new(),
            };
            path.path.segments.len() == 1
                && matches!(named.trim_start_matches('_'), "ctx" | "context")
        }
    }
}

/// Whether a type is `&Context`. A path with several segments may be an alias of the user.
pub(crate) fn has_no_hub(ty: &Type) -> bool {
    let Type::Reference(reference) = ungrouped(ty) else { return false };
    matches!(
        ungrouped(&reference.elem),
        Type::Path(path) if CONTEXTS.iter().any(|name| path.path.is_ident(name))
    )
}

/// Replaces `Context` by `Context<Self>` after a report, so that the compiler does not report it as well.
pub(crate) fn set_hub(ty: &mut Type) {
    match ty {
        Type::Group(TypeGroup { elem, .. })
        | Type::Paren(TypeParen { elem, .. })
        | Type::Reference(TypeReference { elem, .. }) => set_hub(elem),
        Type::Path(path) => {
            let last = path.path.segments.last_mut();
            if let Some(segment) = last.filter(|it| it.arguments.is_none()) {
                segment.arguments = PathArguments::AngleBracketed(parse_quote!(<Self>));
            }
        }
        _ => {}
    }
}

/// The first reference in a type.
pub(crate) fn reference(ty: &Type) -> Option<&TypeReference> {
    match ungrouped(ty) {
        Type::Reference(reference) => Some(reference),
        other => children(other).into_iter().find_map(reference),
    }
}

/// The first `impl Trait` in a type.
pub(crate) fn opaque(ty: &Type) -> Option<&TypeImplTrait> {
    match ungrouped(ty) {
        Type::ImplTrait(opaque) => Some(opaque),
        Type::Reference(reference) => opaque(&reference.elem),
        other => children(other).into_iter().find_map(opaque),
    }
}

/// The suggested replacement for a borrowed argument.
pub(crate) fn owned_advice(reference: &TypeReference) -> String {
    let elem = ungrouped(&reference.elem);
    let named = last_ident(elem).map(|ident| ident.unraw().to_string());
    match (elem, named.as_deref()) {
        (_, Some("Context")) => {
            "the context is the first parameter; move it before the others".to_owned()
        }
        (_, Some("str")) => "hub arguments are owned; write `String`".to_owned(),
        (Type::Slice(slice), _) => {
            format!("hub arguments are owned; write `Vec<{}>`", spelling(&slice.elem))
        }
        _ => format!("hub arguments are owned; write `{}`", spelling(elem)),
    }
}

/// The names of a method's own lifetimes, which do not exist outside of it.
pub(crate) fn lifetimes(generics: &Generics) -> HashSet<String> {
    let params = generics.params.iter().filter_map(|param| match param {
        GenericParam::Lifetime(param) => Some(param.lifetime.ident.to_string()),
        GenericParam::Type(_) | GenericParam::Const(_) => None,
    });
    params.collect()
}

/// The same type with these lifetimes replaced by `'_`.
pub(crate) fn without_lifetimes(ty: TokenStream, lifetimes: &HashSet<String>) -> TokenStream {
    with_lifetime("_", ty, lifetimes)
}

/// The same tokens with these lifetimes replaced by another lifetime.
pub(crate) fn with_lifetime(
    new: &str,
    ty: TokenStream,
    lifetimes: &HashSet<String>,
) -> TokenStream {
    if lifetimes.is_empty() {
        return ty;
    }
    let mut after_quote = false;
    ty.into_iter()
        .map(|token| {
            let is_lifetime = after_quote;
            after_quote = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '\'');
            match token {
                TokenTree::Ident(ident)
                    if is_lifetime && lifetimes.contains(&ident.to_string()) =>
                {
                    TokenTree::Ident(Ident::new(new, ident.span()))
                }
                TokenTree::Group(group) => {
                    let inner = with_lifetime(new, group.stream(), lifetimes);
                    let mut erased = proc_macro2::Group::new(group.delimiter(), inner);
                    erased.set_span(group.span());
                    TokenTree::Group(erased)
                }
                other => other,
            }
        })
        .collect()
}

/// The same type outside of the `impl` block of `self_ty`, where `Self` has another meaning.
pub(crate) fn without_self(ty: TokenStream, self_ty: &Type) -> TokenStream {
    let mut tokens = ty.into_iter().peekable();
    let mut replaced = TokenStream::new();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                let starts_a_path =
                    matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                replaced.extend(match starts_a_path {
                    true => quote!(<#self_ty>),
                    false => self_ty.to_token_stream(),
                });
            }
            TokenTree::Group(group) => {
                let inner = without_self(group.stream(), self_ty);
                let mut outer = proc_macro2::Group::new(group.delimiter(), inner);
                outer.set_span(group.span());
                replaced.extend([TokenTree::Group(outer)]);
            }
            other => replaced.extend([other]),
        }
    }
    replaced
}

/// The types directly inside a type, except inside function types.
fn children(ty: &Type) -> Vec<&Type> {
    match ty {
        Type::Array(array) => vec![&array.elem],
        Type::Slice(slice) => vec![&slice.elem],
        Type::Tuple(tuple) => tuple.elems.iter().collect(),
        Type::Path(path) => path
            .path
            .segments
            .iter()
            .flat_map(|segment| match &segment.arguments {
                PathArguments::None => Vec::new(),
                PathArguments::AngleBracketed(arguments) => {
                    arguments.args.iter().filter_map(type_argument).collect()
                }
                PathArguments::Parenthesized(arguments) => match &arguments.output {
                    ReturnType::Default => Vec::new(),
                    ReturnType::Type(_, output) => vec![&**output],
                },
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn type_argument(argument: &GenericArgument) -> Option<&Type> {
    match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}

/// A type in conventional formatting.
fn spelling(ty: &Type) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (spaced, tight) in [(" :: ", "::"), (" < ", "<"), (" >", ">"), (" ,", ",")] {
        text = text.replace(spaced, tight);
    }
    text
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn only_a_reference_to_data_is_not_the_context() {
        for context in
            [parse_quote!(&Context<Self>), parse_quote!(&Ctx), parse_quote!(&'a x::Context<Other>)]
        {
            assert!(may_be_context(&context));
        }
        for data in [
            parse_quote!(&str),
            parse_quote!(&[u8]),
            parse_quote!(&Vec<String>),
            parse_quote!(&(u8, u8)),
            parse_quote!(Context<Self>),
        ] {
            assert!(!may_be_context(&data));
        }
    }

    #[test]
    fn nested_references_are_found() {
        assert!(reference(&parse_quote!(Vec<Option<(u8, &str)>>)).is_some());
        assert!(reference(&parse_quote!(Vec<Option<(u8, String)>>)).is_none());
        assert!(opaque(&parse_quote!(Option<impl Into<String>>)).is_some());
    }

    #[test]
    fn advice_names_the_owned_type() {
        for (borrowed, owned) in [
            (parse_quote!(&str), "hub arguments are owned; write `String`"),
            (parse_quote!(&[Vec<u8>]), "hub arguments are owned; write `Vec<Vec<u8>>`"),
            (
                parse_quote!(&HashMap<u8, a::B>),
                "hub arguments are owned; write `HashMap<u8, a::B>`",
            ),
        ] {
            assert_eq!(owned_advice(&borrowed), owned);
        }
    }

    #[test]
    fn only_the_methods_own_lifetimes_are_erased() {
        let own = HashSet::from(["a".to_owned()]);

        let erased = without_lifetimes(quote!((Cow<'a, str>, &'static str)), &own);

        assert_eq!(erased.to_string(), quote!((Cow<'_, str>, &'static str)).to_string());
    }

    #[test]
    fn self_is_replaced_by_the_type_of_the_hub() {
        let own = |ty| without_self(ty, &parse_quote!(Chat<S>)).to_string().replace(' ', "");

        assert_eq!(own(quote!((Page<Self>, u8))), "(Page<Chat<S>>,u8)");
        assert_eq!(own(quote!(Self::Item)), "<Chat<S>>::Item");
        assert_eq!(own(quote!(<Self as A>::B)), "<Chat<S>asA>::B");
    }
}
