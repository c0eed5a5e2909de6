//! Parameters of hub methods: the source of each value, and the parameters that are refused.

use quote::ToTokens;
use syn::{Attribute, FnArg, Pat, PatType, Signature, Type, ext::IdentExt, spanned::Spanned};

use super::{
    model::{Category, ParamDef, Source},
    parse::Reader,
};
use crate::{attr, options, types};

impl Reader<'_> {
    pub(super) fn params(
        &self,
        sig: &mut Signature,
        category: Category,
        fallback: bool,
    ) -> Vec<ParamDef> {
        let lifetimes = types::lifetimes(&sig.generics);
        let mut params = Vec::new();
        for (index, input) in sig.inputs.iter_mut().enumerate().skip(1) {
            let FnArg::Typed(input) = input else { continue };
            attr::refuse_conditional(&mut input.attrs, self.sink);
            let marks = attr::take(&mut input.attrs, "from_context", &self.options.root);
            let wholes = attr::take(&mut input.attrs, "hub", &self.options.root);
            let whole = options::whole(&wholes, self.sink);
            self.refuse_own(&mut input.attrs, "it works on a method");
            for again in marks.iter().skip(1) {
                self.sink.report(again, "duplicate `#[from_context]`; remove this one");
            }
            let source = match marks.first() {
                _ if types::is_owned_context(input) => {
                    self.sink.report(&input.ty, types::CONTEXT);
                    types::set_hub(&mut input.ty);
                    Source::Context
                }
                _ if index == 1 && types::may_be_context(&input.ty) => {
                    self.context(input, marks.first());
                    Source::Context
                }
                Some(_) => self.injected(input),
                None => match whole {
                    Some(whole) => self.whole(input, whole),
                    None => self.argument(input),
                },
            };
            if let (Some(attr), Source::Context | Source::Call) = (wholes.first(), &source) {
                self.sink.report(attr, "`#[hub]` is for values that the client sends; remove it");
            }
            params.push(ParamDef {
                source,
                ty: types::without_lifetimes(input.ty.to_token_stream(), &lifetimes),
                span: input.pat.span(),
                conditions: attr::conditions(&input.attrs),
            });
            if params.last().is_some_and(|param| matches!(param.source, Source::Client { .. })) {
                self.connection_argument(input, category, &params);
                if fallback {
                    let message = "a fallback takes no arguments by position, because its events differ in them; take \
                                   `#[hub(arguments)]` or use `ctx.invocation()`";
                    self.sink.report(&*input, message);
                }
            }
            if category != Category::Message && !wholes.is_empty() {
                self.sink
                    .report(&*input, "connection events have no message; remove this parameter");
            }
        }
        self.not_taken_twice(sig, &params, fallback);
        params
    }

    /// Reports arguments that two parameters would use.
    fn not_taken_twice(&self, sig: &Signature, params: &[ParamDef], fallback: bool) {
        let inputs = || sig.inputs.iter().skip(1).zip(params);
        let wholes = inputs().filter(|(_, param)| matches!(param.source, Source::Whole(_)));
        for (input, _) in wholes.clone().skip(1) {
            self.sink.report(input, "another parameter takes all arguments; keep one of the two");
        }
        if wholes.count() == 0 || fallback {
            return;
        }
        for (input, _) in inputs().filter(|(_, p)| matches!(p.source, Source::Client { .. })) {
            let message = "another parameter takes all arguments; take them by position or as one value, not both";
            self.sink.report(input, message);
        }
    }

    fn whole(&self, input: &PatType, whole: options::Whole) -> Source {
        if let Some(reference) = types::reference(&input.ty) {
            self.sink.report(reference, types::owned_advice(reference));
        }
        if let Some(opaque) = types::opaque(&input.ty) {
            self.sink.report(
                opaque,
                "the type determines how the value is bound; write it instead of `impl Trait`",
            );
        }
        Source::Whole(whole)
    }

    fn context(&self, input: &mut PatType, mark: Option<&Attribute>) {
        if let Some(mark) = mark {
            self.sink.report(mark, "the context needs no `#[from_context]`; remove it");
        }
        if let Type::Reference(reference) = types::ungrouped(&input.ty)
            && let Some(mutability) = &reference.mutability
        {
            self.sink.report(mutability, "the context is shared; write `&Context<Self>`");
        } else if types::has_no_hub(&input.ty) {
            self.sink.report(&input.ty, "a context belongs to a hub; write `&Context<Self>`");
            types::set_hub(&mut input.ty);
        }
    }

    fn injected(&self, input: &PatType) -> Source {
        if let Some(reference) = types::reference(&input.ty) {
            self.sink.report(reference, "injected values are owned; write the type without `&`");
        }
        if let Some(opaque) = types::opaque(&input.ty) {
            self.sink.report(
                opaque,
                "the type determines what is injected; write it instead of `impl Trait`",
            );
        }
        Source::Call
    }

    fn argument(&self, input: &PatType) -> Source {
        if let Some(reference) = types::reference(&input.ty) {
            self.sink.report(reference, types::owned_advice(reference));
        }
        if let Some(opaque) = types::opaque(&input.ty) {
            self.sink.report(
                opaque,
                "the type determines how the argument is bound; write it instead of `impl Trait`",
            );
        }
        match &*input.pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
                let name = pat.ident.unraw().to_string();
                // In Rust, a leading underscore marks an unused parameter. The name for clients omits it.
                let bare = name.trim_start_matches('_');
                Source::Client { name: if bare.is_empty() { name } else { bare.to_owned() } }
            }
            Pat::Wild(pat) => {
                self.sink.report(
                    pat,
                    "error messages contain the name of the argument; write a name such as `_text`",
                );
                Source::Client { name: String::new() }
            }
            pat => {
                let message = "error messages contain the name of the argument; write a plain name and destructure the \
                               value in the body";
                self.sink.report(pat, message);
                Source::Client { name: String::new() }
            }
        }
    }

    /// Connection events have no arguments, except the close reason of `disconnected`.
    fn connection_argument(&self, input: &PatType, category: Category, params: &[ParamDef]) {
        let arguments =
            params.iter().filter(|param| matches!(param.source, Source::Client { .. })).count();
        match category {
            Category::Connected => self.sink.report(
                input,
                "`on_connected` has no client arguments; mark the parameter with `#[from_context]`",
            ),
            Category::Refreshed => self.sink.report(
                input,
                "`on_refreshed` has no client arguments; mark the parameter with `#[from_context]`",
            ),
            Category::Disconnected if arguments > 1 => self.sink.report(
                input,
                "`on_disconnected` has one argument, the close reason: `error: Option<String>`; remove \
                 this one",
            ),
            Category::Message | Category::Disconnected => {}
        }
    }
}

/// The attributes of a parameter or receiver.
pub(super) fn attributes(input: &mut FnArg) -> &mut Vec<Attribute> {
    match input {
        FnArg::Receiver(receiver) => &mut receiver.attrs,
        FnArg::Typed(typed) => &mut typed.attrs,
    }
}
