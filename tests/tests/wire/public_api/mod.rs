//! The lists of the published crates' public items under `docs/public-api`. The lists omit trait
//! implementations that a macro generates.

mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
};

use syn::{
    Attribute, Fields, FnArg, Generics, Ident, ImplItem, Item, PathArguments, Signature, TraitItem,
    Type, parse_quote,
};

use self::source::{Definition, Module, Sources, is_hidden, is_public, leaves};

#[test]
fn the_lists_of_public_items_are_current() {
    let sources = Sources::read();
    let mut changed = String::new();
    for name in ["hub_runtime", "hub_local", "hub_load", "hub_macros"] {
        let file = format!("docs/public-api/{}.txt", name.replace('_', "-"));
        let path = format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"));
        let current = List::of(&sources, name);
        if env::var_os("UPDATE_PUBLIC_API").is_some() {
            fs::write(&path, current.join("\n") + "\n").unwrap();
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let listed: Vec<_> = text.lines().map(str::to_owned).collect();
        let differences = [('-', &listed, &current), ('+', &current, &listed)];
        for (sign, lines, others) in differences {
            for line in lines.iter().filter(|line| !others.contains(line)) {
                changed += &format!("{file}: {sign} {line}\n");
            }
        }
    }
    assert!(
        changed.is_empty(),
        "public items changed:\n{changed}If this is intended, run \
         `UPDATE_PUBLIC_API=1 cargo test -p tests --test wire public_api` and add the change to CHANGELOG.md."
    );
}

/// The lines of one crate, ordered by path.
struct List<'a> {
    sources: &'a Sources,
    lines: BTreeSet<(String, String)>,
    /// The first path under which each definition was listed.
    listed: BTreeMap<Definition, String>,
}

impl<'a> List<'a> {
    fn of(sources: &'a Sources, name: &str) -> Vec<String> {
        let mut list = Self { sources, lines: BTreeSet::new(), listed: BTreeMap::new() };
        // An item is listed under its shortest path. The prelude comes last, because it only
        // re-exports items.
        let mut modules = vec![(Module::root(name), name.to_owned())];
        while !modules.is_empty() {
            modules.sort_by_key(|(_, path)| path.ends_with("::prelude"));
            for (module, path) in std::mem::take(&mut modules) {
                modules.extend(list.module(&module, &path));
            }
        }
        list.impls();
        list.lines.into_iter().map(|(_, line)| line).collect()
    }

    fn line(&mut self, path: &str, line: impl Into<String>) {
        self.lines.insert((path.to_owned(), line.into()));
    }

    /// Lists the items of a module and returns its public child modules.
    fn module(&mut self, module: &Module, path: &str) -> Vec<(Module, String)> {
        let sources = self.sources;
        let mut children = Vec::new();
        for (index, item) in sources.items(module).iter().enumerate() {
            if let Item::Use(reexport) = item {
                if is_hidden(&reexport.attrs) || !is_public(&reexport.vis) {
                    continue;
                }
                for (name, target) in leaves(&reexport.tree) {
                    let path = format!("{path}::{name}");
                    let found = sources.find(module, &target);
                    let public = found.iter().filter(|found| sources.is_public(found));
                    let public: Vec<_> = public.cloned().collect();
                    if public.is_empty() {
                        self.line(&path, format!("pub use {path} = {}", target.join("::")));
                    }
                    for found in public {
                        children.extend(self.item(found, &path));
                    }
                }
            } else {
                let definition = Definition { module: module.clone(), index };
                if let Some(name) = sources.name(&definition)
                    && sources.is_public(&definition)
                {
                    children.extend(self.item(definition, &format!("{path}::{name}")));
                }
            }
        }
        children
    }

    fn item(&mut self, definition: Definition, path: &str) -> Option<(Module, String)> {
        let item = self.sources.item(&definition).clone();
        if let Item::Mod(module) = &item {
            self.line(path, format!("pub mod {path}"));
            return Some((definition.module.child(&module.ident), path.to_owned()));
        }
        if let Some(first) = self.listed.get(&definition) {
            let line = format!("pub use {path} = {first}");
            self.line(path, line);
            return None;
        }
        self.listed.insert(definition, path.to_owned());
        match item {
            Item::Fn(function) if source::is_macro(&function.attrs) => {
                self.line(path, format!("pub attribute #[{path}]"));
            }
            Item::Fn(function) => self.function(path, function.sig, ""),
            Item::Const(item) => self.constant(path, &item.ty),
            Item::Struct(mut item) => {
                self.fields(path, &item.fields, false);
                let attributes = std::mem::take(&mut item.attrs);
                item.fields = Fields::Unit;
                item.semi_token = Some(parse_quote!(;));
                self.header(path, &item.ident.clone(), &attributes, Item::Struct(item));
            }
            Item::Enum(mut item) => {
                for variant in item.variants.iter().filter(|variant| !is_hidden(&variant.attrs)) {
                    let path = format!("{path}::{}", variant.ident);
                    self.line(&path, format!("pub {path}"));
                    self.fields(&path, &variant.fields, true);
                }
                let attributes = std::mem::take(&mut item.attrs);
                item.variants.clear();
                self.header(path, &item.ident.clone(), &attributes, Item::Enum(item));
            }
            Item::Trait(mut item) => {
                for item in std::mem::take(&mut item.items) {
                    self.trait_item(path, item);
                }
                item.attrs.clear();
                self.header(path, &item.ident.clone(), &[], Item::Trait(item));
            }
            Item::Type(mut item) => {
                item.attrs.clear();
                self.header(path, &item.ident.clone(), &[], Item::Type(item));
            }
            _ => panic!("{path}: this kind of item has no line in the list yet"),
        }
        None
    }

    /// Adds the line of a type or trait without its members, and lines for its derived traits.
    fn header(&mut self, path: &str, name: &Ident, attributes: &[Attribute], item: Item) {
        let mut line = show(item).trim_end_matches([';', '{', '}', ' ']).to_owned();
        if let Some(at) = line.find(&format!(" {name}")) {
            line.replace_range(at + 1..at + 1 + name.to_string().len(), path);
        }
        if attributes.iter().any(|attribute| attribute.path().is_ident("non_exhaustive")) {
            line = format!("#[non_exhaustive] {line}");
        }
        self.line(path, line);
        for derived in source::derives(attributes) {
            self.line(path, format!("impl {derived} for {path}"));
        }
    }

    fn fields(&mut self, path: &str, fields: &Fields, all: bool) {
        for (index, field) in fields.iter().enumerate() {
            if (all || is_public(&field.vis)) && !is_hidden(&field.attrs) {
                let name = field.ident.as_ref().map_or(index.to_string(), Ident::to_string);
                let path = format!("{path}::{name}");
                self.line(&path, format!("pub {path}: {}", show_type(&field.ty)));
            }
        }
    }

    fn function(&mut self, path: &str, mut signature: Signature, suffix: &str) {
        for input in &mut signature.inputs {
            if let FnArg::Typed(typed) = input {
                // Parameter names are not part of the API.
                let of = &typed.ty;
                *input = parse_quote!(_: #of);
            }
        }
        let name = format!("fn {}", signature.ident);
        let line = show(parse_quote!(#signature {}));
        let line = line.trim_end_matches([' ', '{', '}']).replacen(&name, &format!("fn {path}"), 1);
        let line = line.replace("(_: ", "(").replace(", _: ", ", ").replace("(mut self", "(self");
        self.line(path, format!("pub {line}{suffix}"));
    }

    fn constant(&mut self, path: &str, of: &Type) {
        self.line(path, format!("pub const {path}: {}", show_type(of)));
    }

    fn trait_item(&mut self, owner: &str, item: TraitItem) {
        match item {
            TraitItem::Fn(method) if !is_hidden(&method.attrs) => {
                let path = format!("{owner}::{}", method.sig.ident);
                let suffix = if method.default.is_some() { " { … }" } else { "" };
                self.function(&path, method.sig, suffix);
            }
            TraitItem::Const(item) if !is_hidden(&item.attrs) => {
                let path = format!("{owner}::{}", item.ident);
                self.constant(&path, &item.ty);
            }
            TraitItem::Type(item) if !is_hidden(&item.attrs) => {
                let path = format!("{owner}::{}", item.ident);
                self.line(&path, format!("pub type {path}"));
            }
            _ => {}
        }
    }

    /// Lists the members and traits that `impl` blocks in all modules add to the listed types.
    fn impls(&mut self) {
        let listed = self.listed.clone();
        for (module, block) in self.sources.impls() {
            let Type::Path(of) = &*block.self_ty else { continue };
            let found = self.sources.find(module, &source::segments(&of.path));
            let Some(owner) = found.iter().find_map(|found| listed.get(found)) else { continue };
            if let Some((of_trait, _)) = &block.trait_ {
                let found = self.sources.find(module, &source::segments(of_trait));
                if found.is_empty() || found.iter().any(|found| listed.contains_key(found)) {
                    let arguments = arguments(of);
                    let generics = show_generics(&block.generics);
                    let of_trait = of_trait.segments.last();
                    let of_trait = show_type(&parse_quote!(#of_trait));
                    self.line(owner, format!("impl{generics} {of_trait} for {owner}{arguments}"));
                }
                continue;
            }
            let owner = format!("{owner}{}", arguments(of));
            for item in block.items.clone() {
                match item {
                    ImplItem::Fn(method) if is_public(&method.vis) && !is_hidden(&method.attrs) => {
                        self.function(&format!("{owner}::{}", method.sig.ident), method.sig, "");
                    }
                    ImplItem::Const(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                        let path = format!("{owner}::{}", item.ident);
                        self.constant(&path, &item.ty);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The generic arguments of a type, as in `<H, One>`.
fn arguments(of: &syn::TypePath) -> String {
    let last = of.path.segments.last();
    let PathArguments::AngleBracketed(arguments) = &last.unwrap().arguments else {
        return String::new();
    };
    show_type(&parse_quote!(X #arguments)).replacen('X', "", 1)
}

fn show_generics(generics: &Generics) -> String {
    let shown = show(parse_quote!(type X #generics = ();));
    shown.trim_start_matches("type X").trim_end_matches(" = ();").to_owned()
}

fn show_type(of: &Type) -> String {
    let shown = show(parse_quote!(type X = #of;));
    shown.trim_start_matches("type X = ").trim_end_matches(';').to_owned()
}

/// An item in one line.
fn show(item: Item) -> String {
    let file = syn::File { shebang: None, frontmatter: None, attrs: Vec::new(), items: vec![item] };
    let words = prettyplease::unparse(&file);
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace("( ", "(")
        .replace(", )", ")")
        .replace(" )", ")")
        .replace("< ", "<")
        .replace(", >", ">")
}
