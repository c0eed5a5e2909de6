//! The modules and items of the crates, read from their sources.

use std::{collections::BTreeMap, fs, path::Path};

use syn::{
    Attribute, Expr, Ident, Item, ItemImpl, Token, Type, UseTree, Visibility, braced,
    parse::{Parse, ParseStream, Parser},
    parse_quote,
    punctuated::Punctuated,
};

const CRATES: [&str; 6] =
    ["hub_core", "hub_load", "hub_local", "hub_macros", "hub_net", "hub_runtime"];

/// The path of a module: the name of its crate, then the names of the modules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Module(Vec<String>);

impl Module {
    pub(super) fn root(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    pub(super) fn child(&self, name: &Ident) -> Self {
        Self(self.0.iter().cloned().chain([name.to_string()]).collect())
    }
}

/// The module of an item, and the item's index in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Definition {
    pub(super) module: Module,
    pub(super) index: usize,
}

pub(super) struct Sources {
    items: BTreeMap<Module, Vec<Item>>,
    /// The names that the `use` items of each module import, with their paths.
    imports: BTreeMap<Module, Vec<(String, Vec<String>)>>,
}

impl Sources {
    pub(super) fn read() -> Self {
        let mut sources = Self { items: BTreeMap::new(), imports: BTreeMap::new() };
        for name in CRATES {
            let folder =
                format!("{}/../{}/src", env!("CARGO_MANIFEST_DIR"), name.replace('_', "-"));
            let folder = Path::new(&folder);
            let items = parse(&folder.join("lib.rs"));
            sources.add(Module::root(name), folder, items);
        }
        sources
    }

    fn add(&mut self, module: Module, folder: &Path, items: Vec<Item>) {
        let items: Vec<_> = items.into_iter().flat_map(expanded).filter(is_compiled).collect();
        for item in &items {
            let Item::Mod(child) = item else { continue };
            let folder = folder.join(child.ident.to_string());
            let items = match &child.content {
                Some((_, items)) => items.clone(),
                None if folder.join("mod.rs").exists() => parse(&folder.join("mod.rs")),
                None => parse(&folder.with_extension("rs")),
            };
            self.add(module.child(&child.ident), &folder, items);
        }
        let imports = items.iter().filter_map(|item| match item {
            Item::Use(import) => Some(leaves(&import.tree)),
            _ => None,
        });
        self.imports.insert(module.clone(), imports.flatten().collect());
        self.items.insert(module, items);
    }

    pub(super) fn items(&self, module: &Module) -> &[Item] {
        self.items.get(module).map_or(&[], Vec::as_slice)
    }

    pub(super) fn item(&self, definition: &Definition) -> &Item {
        &self.items(&definition.module)[definition.index]
    }

    pub(super) fn name(&self, definition: &Definition) -> Option<&Ident> {
        Some(facts(self.item(definition))?.0)
    }

    /// Whether an item is `pub` and part of the documentation.
    pub(super) fn is_public(&self, definition: &Definition) -> bool {
        facts(self.item(definition))
            .is_some_and(|(_, vis, attrs)| is_public(vis) && !is_hidden(attrs))
    }

    pub(super) fn impls(&self) -> impl Iterator<Item = (&Module, &ItemImpl)> {
        self.items.iter().flat_map(|(module, items)| {
            items.iter().filter_map(move |item| match item {
                Item::Impl(block) if !is_hidden(&block.attrs) => Some((module, block)),
                _ => None,
            })
        })
    }

    /// Resolves a path in a module, also through `use` items.
    pub(super) fn find(&self, from: &Module, path: &[String]) -> Vec<Definition> {
        self.resolve(from, path, 0)
    }

    fn resolve(&self, from: &Module, path: &[String], depth: usize) -> Vec<Definition> {
        // `use a::a` and glob imports of parent modules resolve to themselves, so the depth is limited.
        let Some(first) = path.first().filter(|_| depth < 12) else { return Vec::new() };
        let mut module = from.clone();
        match first.as_str() {
            "crate" => module.0.truncate(1),
            "super" => drop(module.0.pop()),
            "self" => {}
            name => {
                let found = self.within(from, path, depth);
                if found.is_empty() && CRATES.contains(&name) {
                    return self.within(&Module::root(name), &path[1..], depth);
                }
                return found;
            }
        }
        self.resolve(&module, &path[1..], depth + 1)
    }

    fn within(&self, module: &Module, path: &[String], depth: usize) -> Vec<Definition> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        let mut found = Vec::new();
        for (index, item) in self.items(module).iter().enumerate() {
            if facts(item).is_some_and(|(name, ..)| name == first) {
                found.push(Definition { module: module.clone(), index });
            }
        }
        for (name, target) in self.imports.get(module).into_iter().flatten() {
            // The resolution of a path that starts with `first` would look up `first` here again.
            if target.first() == Some(first) {
                continue;
            }
            if name == first {
                found.extend(self.resolve(module, target, depth + 1));
            } else if name == "*" {
                let target = [target.as_slice(), std::slice::from_ref(first)].concat();
                found.extend(self.resolve(module, &target, depth + 1));
            }
        }
        if rest.is_empty() {
            return found;
        }
        let modules = found.iter().filter_map(|found| match self.item(found) {
            Item::Mod(child) => Some(found.module.child(&child.ident)),
            _ => None,
        });
        modules.flat_map(|module| self.within(&module, rest, depth + 1)).collect()
    }
}

fn parse(path: &Path) -> Vec<Item> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())).items
}

/// The name, visibility and attributes of an item that can be public.
fn facts(item: &Item) -> Option<(&Ident, &Visibility, &[Attribute])> {
    Some(match item {
        Item::Const(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Enum(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Fn(item) => (&item.sig.ident, &item.vis, &item.attrs),
        Item::Mod(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Static(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Struct(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Trait(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Type(item) => (&item.ident, &item.vis, &item.attrs),
        _ => return None,
    })
}

/// Whether an item exists outside of tests, doctests and fuzzing.
fn is_compiled(item: &Item) -> bool {
    let attributes = match item {
        Item::Impl(item) => item.attrs.as_slice(),
        Item::Use(item) => &item.attrs,
        item => facts(item).map_or(&[][..], |(_, _, attributes)| attributes),
    };
    !attributes.iter().any(|attribute| {
        let words = ["test", "doctest", "fuzzing"];
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<Ident>().is_ok_and(|cfg| words.iter().any(|word| cfg == word))
    })
}

pub(super) fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

pub(super) fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute.parse_args::<Ident>().is_ok_and(|word| word == "hidden")
    })
}

pub(super) fn is_macro(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("proc_macro_attribute"))
}

pub(super) fn derives(attributes: &[Attribute]) -> Vec<String> {
    let derives = attributes.iter().filter(|attribute| attribute.path().is_ident("derive"));
    let paths = derives.flat_map(|attribute| {
        attribute.parse_args_with(Punctuated::<syn::Path, Token![,]>::parse_terminated).unwrap()
    });
    paths.map(|path| segments(&path).pop().unwrap()).collect()
}

pub(super) fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// The names that a `use` item imports, with their paths. `*` stands for all names of a path.
pub(super) fn leaves(tree: &UseTree) -> Vec<(String, Vec<String>)> {
    match tree {
        UseTree::Path(path) => {
            let start = path.ident.to_string();
            let rest = leaves(&path.tree).into_iter().map(|(name, rest)| match name.as_str() {
                "self" => (start.clone(), vec![start.clone()]),
                _ => (name, [vec![start.clone()], rest].concat()),
            });
            rest.collect()
        }
        UseTree::Name(name) => vec![(name.ident.to_string(), vec![name.ident.to_string()])],
        UseTree::Rename(name) => vec![(name.rename.to_string(), vec![name.ident.to_string()])],
        UseTree::Glob(_) => vec![("*".to_owned(), Vec::new())],
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
    }
}

/// One line of `limits!` in hub-local: `name: Type = default`.
struct Limit(Ident, Type);

impl Parse for Limit {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Attribute::parse_outer(input)?;
        let name = input.parse()?;
        input.parse::<Token![:]>()?;
        let of = input.parse()?;
        input.parse::<Token![=]>()?;
        input.parse::<Expr>()?;
        Ok(Self(name, of))
    }
}

/// Expands `limits!` in hub-local, the only macro that declares public items.
fn expanded(item: Item) -> Vec<Item> {
    let Item::Macro(call) = &item else { return vec![item] };
    if call.ident.is_some() || !call.mac.path.is_ident("limits") {
        return vec![item];
    }
    let declaration = |input: ParseStream<'_>| {
        Attribute::parse_outer(input)?;
        input.parse::<Visibility>()?;
        input.parse::<Token![struct]>()?;
        let name: Ident = input.parse()?;
        let content;
        braced!(content in input);
        Ok((name, Punctuated::<Limit, Token![,]>::parse_terminated(&content)?))
    };
    let (name, limits) = declaration.parse2(call.mac.tokens.clone()).unwrap();
    let names: Vec<_> = limits.iter().map(|limit| &limit.0).collect();
    let types: Vec<_> = limits.iter().map(|limit| &limit.1).collect();
    vec![
        parse_quote!(#[derive(Clone, Debug)] #[non_exhaustive] pub struct #name { #(pub #names: #types),* }),
        parse_quote!(impl #name { #(pub fn #names(mut self, value: #types) -> Self {})* }),
        parse_quote!(impl Default for #name {}),
    ]
}
