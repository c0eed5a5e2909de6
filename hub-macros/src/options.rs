//! The values of the keys in our attributes.

use proc_macro2::{Ident, TokenStream};
use syn::{Attribute, Error, LitStr, Meta, MetaList, Path};

use crate::{
    case::RenameRule,
    errors::Sink,
    keys::{Key, PARAM, for_each_key},
    paths::Root,
};

/// The keys of `#[serverless_hub(…)]` and `#[hub_client(…)]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) root: Root,
    pub(crate) rename_all: RenameRule,
    pub(crate) client: Option<Path>,
    /// The hub's name. Defaults to the type's name.
    pub(crate) name: Option<LitStr>,
    /// The name of the setting with the hub's connection string.
    pub(crate) connection: Option<LitStr>,
    pub(crate) register: Option<Register>,
    /// Whether the fields of arguments match the names of members exactly.
    pub(crate) exact_names: bool,
}

/// `register`, alone or with a function.
pub(crate) struct Register {
    pub(crate) key: Ident,
    /// The function that creates the hub. Defaults to the hub's `Default`.
    pub(crate) make: Option<Path>,
}

impl Options {
    /// Reads the keys of an attribute. Only the keys in `known` are allowed.
    pub(crate) fn read(args: TokenStream, known: &[Key], sink: &Sink) -> Self {
        let mut options = Self::default();
        for_each_key(args, known, sink, |entry| {
            match entry.key {
                Key::Name => options.name = Some(entry.string()?),
                Key::Connection => options.connection = Some(entry.string()?),
                Key::Client => options.client = Some(entry.path()?),
                Key::RenameAll => options.rename_all = rename_rule(&entry.string()?)?,
                Key::Register => {
                    let (key, make) = (entry.ident.clone(), entry.optional_path()?);
                    options.register = Some(Register { key, make });
                }
                Key::Crate => options.root = Root::new(entry.path()?),
                Key::ExactNames => options.exact_names = true,
                Key::Rename | Key::Fallback | Key::Arguments | Key::Body => {}
            }
            Ok(())
        });
        options
    }
}

/// The keys of `#[hub(…)]` on a method.
#[derive(Default)]
pub(crate) struct HubOptions {
    pub(crate) rename: Option<LitStr>,
    /// The key `fallback`.
    pub(crate) fallback: Option<Ident>,
    pub(crate) exact_names: bool,
}

impl HubOptions {
    /// Reads the attribute. Only the keys in `known` are allowed.
    pub(crate) fn read(attrs: &[Attribute], known: &[Key], sink: &Sink) -> Self {
        let mut options = Self::default();
        let needed = "`#[hub]` needs a key: `#[hub(rename = \"…\")]`";
        let Some(list) = only_list(attrs, needed, sink) else { return options };
        for_each_key(list.tokens.clone(), known, sink, |entry| {
            match entry.key {
                Key::Rename => options.rename = Some(entry.string()?),
                Key::Fallback => options.fallback = Some(entry.ident.clone()),
                Key::ExactNames => options.exact_names = true,
                Key::Name
                | Key::Connection
                | Key::Client
                | Key::RenameAll
                | Key::Register
                | Key::Crate
                | Key::Arguments
                | Key::Body => {}
            }
            Ok(())
        });
        options
    }
}

/// The content of a parameter that receives more than one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// `#[hub(arguments)]`: the list of arguments.
    Arguments,
    /// `#[hub(body)]`: the message.
    Body,
}

impl Whole {
    /// The name of the parameter in the table.
    pub(crate) fn row_name(self) -> &'static str {
        match self {
            Self::Arguments => "...arguments",
            Self::Body => "...message",
        }
    }
}

/// Reads `#[hub(…)]` on a parameter.
pub(crate) fn whole(attrs: &[Attribute], sink: &Sink) -> Option<Whole> {
    let mut whole = None;
    let needed = "`#[hub]` on a parameter needs a key: `#[hub(arguments)]` or `#[hub(body)]`";
    let list = only_list(attrs, needed, sink)?;
    for_each_key(list.tokens.clone(), PARAM, sink, |entry| {
        if whole.is_some() {
            let message = "the body contains the arguments; keep one of the two keys";
            return Err(Error::new_spanned(entry.ident, message));
        }
        whole = Some(if entry.key == Key::Body { Whole::Body } else { Whole::Arguments });
        Ok(())
    });
    whole
}

/// Returns the list of keys of the first attribute. Reports further attributes, and an attribute without keys.
fn only_list<'a>(attrs: &'a [Attribute], needed: &str, sink: &Sink) -> Option<&'a MetaList> {
    for again in attrs.iter().skip(1) {
        sink.report(again, "duplicate `#[hub]`; remove this one");
    }
    let attr = attrs.first()?;
    match &attr.meta {
        Meta::List(list) if !list.tokens.is_empty() => Some(list),
        _ => {
            sink.report(attr, needed);
            None
        }
    }
}

fn rename_rule(literal: &LitStr) -> syn::Result<RenameRule> {
    RenameRule::from_spelling(&literal.value()).ok_or_else(|| {
        let known = RenameRule::SPELLINGS.map(|(spelling, _)| format!("`{spelling}`")).join(", ");
        Error::new_spanned(literal, format!("unknown rename rule; expected one of {known}"))
    })
}
