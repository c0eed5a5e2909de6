//! The types of all directions under the names of the file. A type that the app reads in another form than it writes has
//! two names: `Order` is written, `OrderInput` is read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Protocol,
    contract::Schemas,
    generics,
    names::{Taken, pascal},
    schema,
    types::{Definition, Type},
};

type Definitions = BTreeMap<String, Definition>;

/// All types with names.
pub(super) struct Names {
    definitions: Definitions,
    sent: View,
    received: View,
    asked: View,
}

/// The schemas of one direction.
struct View {
    protocol: Protocol,
    /// The names of types, by the names of schemas.
    names: BTreeMap<String, String>,
}

/// The types of one direction, under the names of their schemas.
struct Schematic {
    protocol: Protocol,
    definitions: Definitions,
    /// New names of generic types.
    generic: BTreeMap<String, String>,
}

impl Names {
    /// Names the types of all schemas. The names differ from those that are taken.
    pub(super) fn new(schemas: &Schemas, protocol: Protocol, taken: &mut Taken) -> Self {
        let sent = Schematic::new(&schemas.sent, protocol);
        let received = Schematic::new(&schemas.received, protocol);
        // The REST operation that asks a client takes arguments in JSON only.
        let asked = Schematic::new(&schemas.sent, Protocol::Json);
        let names = sent.definitions.keys();
        let names = names.map(|name| (name.clone(), taken.take(&pascal(name)))).collect();
        let of_received = received.named_beside(&sent, &names, "Input", taken);
        let of_asked = asked.named_beside(&sent, &names, "Json", taken);
        let mut definitions = Definitions::new();
        Self {
            received: received.finish(of_received, &mut definitions),
            asked: asked.finish(of_asked, &mut definitions),
            sent: sent.finish(names, &mut definitions),
            definitions,
        }
    }

    /// The type of a value that the app reads.
    pub(super) fn received(&self, schema: &Value) -> Type {
        self.named(schema, &self.received)
    }

    /// The type of a value that the app writes.
    pub(super) fn sent(&self, schema: &Value) -> Type {
        self.named(schema, &self.sent)
    }

    /// The type of an argument of a method that returns a client result.
    pub(super) fn asked(&self, schema: &Value) -> Type {
        self.named(schema, &self.asked)
    }

    fn named(&self, schema: &Value, View { protocol, names }: &View) -> Type {
        let mut of = schema::of(schema, *protocol);
        forget_undefined(&mut of, &|name| names.contains_key(name));
        of.rename(&|name| names.get(name).map_or(name, |new| new).to_owned());
        name_keys_of(&mut of, &enums(&self.definitions));
        of
    }

    /// Whether the type is a list, also behind names.
    pub(super) fn is_list(&self, of: &Type) -> bool {
        let mut of = of;
        // A list cannot contain itself without another type between, so the names end.
        for _ in 0..=self.definitions.len() {
            match of {
                Type::Array(_) | Type::Tuple(_) => return true,
                Type::Named(name) => match self.definitions.get(name) {
                    Some(definition) => of = &definition.of,
                    None => return false,
                },
                _ => return false,
            }
        }
        false
    }

    /// The definitions that these types refer to, and those that they refer to.
    pub(super) fn used<'a>(
        &self,
        types: impl Iterator<Item = &'a Type>,
    ) -> Vec<(&str, &Definition)> {
        let mut used: BTreeSet<&str> = BTreeSet::new();
        let mut waiting: Vec<String> = Vec::new();
        types.for_each(|of| of.names(&mut |name| waiting.push(name.to_owned())));
        while let Some(name) = waiting.pop() {
            let Some((name, definition)) = self.definitions.get_key_value(&name) else { continue };
            if used.insert(name) {
                definition.of.names(&mut |name| waiting.push(name.to_owned()));
            }
        }
        used.into_iter().map(|name| (name, &self.definitions[name])).collect()
    }
}

impl Schematic {
    fn new(schemas: &BTreeMap<String, Value>, protocol: Protocol) -> Self {
        let read =
            |(name, each): (&String, &Value)| (name.clone(), schema::definition(each, protocol));
        let mut definitions: Definitions = schemas.iter().map(read).collect();
        for definition in definitions.values_mut() {
            forget_undefined(&mut definition.of, &|name| schemas.contains_key(name));
        }
        let generic = generics::readable(&definitions);
        rename(&mut definitions, &generic);
        // Maps whose keys are an enum of the file name that enum.
        let enums = enums(&definitions);
        for definition in definitions.values_mut() {
            name_keys_of(&mut definition.of, &enums);
        }
        Self { protocol, definitions, generic }
    }

    /// Names for these types: those of the sent types that are the same, others with the ending.
    fn named_beside(
        &self,
        sent: &Self,
        names: &BTreeMap<String, String>,
        ending: &str,
        taken: &mut Taken,
    ) -> BTreeMap<String, String> {
        let same = same(&self.definitions, &sent.definitions);
        let named = self.definitions.keys().map(|name| {
            let new = match (names.get(name), same.contains(name)) {
                (Some(sent), true) => sent.clone(),
                (Some(sent), false) => taken.take(&format!("{sent}{ending}")),
                (None, _) => taken.take(&pascal(name)),
            };
            (name.clone(), new)
        });
        named.collect()
    }

    /// Adds the types under these names.
    fn finish(mut self, mut names: BTreeMap<String, String>, all: &mut Definitions) -> View {
        rename(&mut self.definitions, &names);
        all.append(&mut self.definitions);
        for (schema, name) in self.generic {
            if let Some(new) = names.get(&name).cloned() {
                names.insert(schema, new);
            }
        }
        View { protocol: self.protocol, names }
    }
}

/// Replaces names without a definition by `unknown`.
fn forget_undefined(of: &mut Type, is_defined: &dyn Fn(&str) -> bool) {
    of.change(&|each| match each {
        Type::Named(name) if !is_defined(name) => *each = Type::Unknown,
        Type::Union(types) => *each = Type::union(std::mem::take(types)),
        Type::Intersection(types) => *each = Type::intersection(std::mem::take(types)),
        _ => {}
    });
}

/// Renames definitions and their references.
fn rename(definitions: &mut Definitions, names: &BTreeMap<String, String>) {
    let new = |name: &str| names.get(name).map_or(name, |new| new).to_owned();
    *definitions = std::mem::take(definitions)
        .into_iter()
        .map(|(name, mut definition)| {
            definition.of.rename(&new);
            (new(&name), definition)
        })
        .collect();
}

/// The names of the types that are the same in both directions.
fn same(received: &Definitions, sent: &Definitions) -> BTreeSet<String> {
    let shared = received.iter().filter_map(|(name, of)| Some((name, &of.of, &sent.get(name)?.of)));
    let mut same: BTreeMap<&String, &Type> = shared
        .filter(|(_, received, sent)| received == sent)
        .map(|(name, of, _)| (name, of))
        .collect();
    // A type differs if it refers to one that differs.
    loop {
        let before = same.len();
        let known: BTreeSet<String> = same.keys().map(|name| (*name).clone()).collect();
        same.retain(|_, of| {
            let mut all = true;
            of.names(&mut |name| all &= known.contains(name));
            all
        });
        if same.len() == before {
            return known;
        }
    }
}

/// The enums among the definitions, by their variants.
fn enums(definitions: &Definitions) -> BTreeMap<Vec<String>, String> {
    let mut enums = BTreeMap::new();
    for (name, definition) in definitions {
        if let Some(variants) = variants(&definition.of) {
            enums.entry(variants).or_insert_with(|| name.clone());
        }
    }
    enums
}

fn variants(of: &Type) -> Option<Vec<String>> {
    let types = match of {
        Type::Union(types) => &types[..],
        Type::Literal(_) => std::slice::from_ref(of),
        _ => return None,
    };
    let text = |each: &Type| match each {
        Type::Literal(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    let mut variants = types.iter().map(text).collect::<Option<Vec<_>>>()?;
    variants.sort_unstable();
    Some(variants)
}

fn name_keys_of(of: &mut Type, enums: &BTreeMap<Vec<String>, String>) {
    of.change(&|each| {
        if let Type::Partial(keys, _) = each
            && let Some(name) = variants(keys).and_then(|variants| enums.get(&variants))
        {
            **keys = Type::Named(name.clone());
        }
    });
}
