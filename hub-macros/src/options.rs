//! What the keys in our attributes say.

use proc_macro2::{Ident, TokenStream};
use syn::{Attribute, Error, LitStr, Meta, MetaList, Path};

use crate::{
    case::RenameRule,
    errors::Sink,
    keys::{ends, for_each_key, path_value, string_value},
    paths::Root,
};

/// What `#[serverless_hub(…)]` and `#[hub_client(…)]` say.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) root: Root,
    pub(crate) rename_all: RenameRule,
    pub(crate) client: Option<Path>,
    /// The hub's name, when it is not the type's.
    pub(crate) name: Option<LitStr>,
    /// The setting that names the hub's service.
    pub(crate) connection: Option<LitStr>,
    pub(crate) register: Option<Register>,
}

/// `register`, alone or with a function.
pub(crate) struct Register {
    pub(crate) key: Ident,
    /// Makes the hub; without it its `Default` does.
    pub(crate) make: Option<Path>,
}

impl Options {
    /// Reads the keys; only those in `known` are allowed.
    pub(crate) fn read(args: TokenStream, known: &[&str], sink: &Sink) -> Self {
        let mut options = Self::default();
        for_each_key(args, known, sink, |key, input| {
            let ident = key;
            let key = &*key.to_string();
            match key {
                "register" => {
                    let make = if ends(input) { None } else { Some(path_value(key, input)?) };
                    options.register = Some(Register { key: ident.clone(), make });
                }
                "client" => options.client = Some(path_value(key, input)?),
                "name" => options.name = Some(string_value(key, input)?),
                "connection" => options.connection = Some(string_value(key, input)?),
                "crate" => options.root = Root::new(path_value(key, input)?),
                _ => options.rename_all = rename_rule(&string_value(key, input)?)?,
            }
            Ok(())
        });
        options
    }
}

/// What `#[hub(…)]` says of a method.
#[derive(Default)]
pub(crate) struct HubOptions {
    pub(crate) rename: Option<LitStr>,
    /// The key `fallback`.
    pub(crate) fallback: Option<Ident>,
}

impl HubOptions {
    /// Reads the attribute; only the keys in `known` are allowed, `rename` among them.
    pub(crate) fn read(attrs: &[Attribute], known: &[&str], sink: &Sink) -> Self {
        let mut options = Self::default();
        let needed = "`#[hub]` needs a key: `#[hub(rename = \"…\")]`";
        let Some(list) = only_list(attrs, needed, sink) else { return options };
        for_each_key(list.tokens.clone(), known, sink, |key, input| {
            match key.to_string().as_str() {
                "rename" => options.rename = Some(string_value(&key.to_string(), input)?),
                _ => options.fallback = Some(key.clone()),
            }
            Ok(())
        });
        options
    }
}

/// What a parameter marked `#[hub(…)]` is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// All arguments as one value.
    Arguments,
    /// The whole message as one value.
    Body,
}

impl Whole {
    /// What the table calls the parameter.
    pub(crate) fn row_name(self) -> &'static str {
        match self {
            Self::Arguments => "...arguments",
            Self::Body => "...message",
        }
    }
}

/// What `#[hub(…)]` says of a parameter.
pub(crate) fn whole(attrs: &[Attribute], sink: &Sink) -> Option<Whole> {
    let mut whole = None;
    let needed =
        "`#[hub]` on a parameter says what it is given: `#[hub(arguments)]` or `#[hub(body)]`";
    let list = only_list(attrs, needed, sink)?;
    for_each_key(list.tokens.clone(), &["arguments", "body"], sink, |key, _| {
        if whole.is_some() {
            let message = "the body holds the arguments too; keep one of the two";
            return Err(Error::new_spanned(key, message));
        }
        whole = Some(if key == "body" { Whole::Body } else { Whole::Arguments });
        Ok(())
    });
    whole
}

/// The one list among these attributes; more than one, and none with nothing in it, is a mistake.
fn only_list<'a>(attrs: &'a [Attribute], needed: &str, sink: &Sink) -> Option<&'a MetaList> {
    for again in attrs.iter().skip(1) {
        sink.report(again, "`#[hub]` is given twice; remove this one");
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
