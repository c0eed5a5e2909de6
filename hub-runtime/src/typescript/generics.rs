//! Readable names of generic types. schemars names the types of `Page<T>` `Page`, `Page2` and so on. The places where
//! they differ are those of `T`, so `Page<Note>` becomes `PageOfNote`.

use std::collections::BTreeMap;

use super::{
    names::pascal,
    types::{Definition, Object, Type},
};

/// The new names of the definitions that have one.
pub(super) fn readable(definitions: &BTreeMap<String, Definition>) -> BTreeMap<String, String> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in definitions.keys() {
        let base = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let base = if definitions.contains_key(base) { base } else { name };
        groups.entry(base).or_default().push(name);
    }
    let mut names = BTreeMap::new();
    for (base, members) in groups.into_iter().filter(|(_, members)| members.len() > 1) {
        let Some(new) = named(base, &members, definitions) else { continue };
        let mut distinct = new.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let is_free = new.iter().all(|name| !definitions.contains_key(name));
        if is_free && distinct.len() == new.len() {
            names.extend(members.iter().map(|name| (*name).to_owned()).zip(new));
        }
    }
    names
}

fn named(
    base: &str,
    members: &[&str],
    definitions: &BTreeMap<String, Definition>,
) -> Option<Vec<String>> {
    let types: Vec<_> = members.iter().map(|name| &definitions[*name].of).collect();
    let mut places = Vec::new();
    differences(members, &types, &mut places);
    // Without a common form, the types have nothing in common but the name.
    if places.contains(&types) {
        return None;
    }
    places.dedup();
    let of = |member: usize| {
        let parameters = places.iter().map(|place| word(place[member]));
        let mut parameters = parameters.collect::<Option<Vec<_>>>()?;
        parameters.dedup();
        Some(format!("{base}Of{}", parameters.join("And")))
    };
    (0..members.len()).map(of).collect()
}

/// Adds the types at each place where the types differ.
fn differences<'a>(members: &[&str], types: &[&'a Type], places: &mut Vec<Vec<&'a Type>>) {
    let own = |(name, of): (&&str, &&Type)| matches!(of, Type::Named(other) if other == name);
    if types.iter().all(|of| *of == types[0]) || members.iter().zip(types).all(own) {
        return;
    }
    let forms: Vec<_> = types.iter().map(|of| form(of)).collect();
    let children: Vec<_> = types.iter().map(|of| of.children()).collect();
    if children[0].is_empty() || forms.iter().any(|form| *form != forms[0]) {
        places.push(types.to_vec());
        return;
    }
    for at in 0..children[0].len() {
        let place: Vec<_> = children.iter().map(|children| children[at]).collect();
        differences(members, &place, places);
    }
}

/// The kind of a type, its number of children and the names of its fields.
fn form(of: &Type) -> (std::mem::Discriminant<Type>, usize, Vec<(&str, bool)>) {
    let fields = match of {
        Type::Object(Object { fields, .. }) => {
            fields.iter().map(|field| (&*field.name, field.optional)).collect()
        }
        _ => Vec::new(),
    };
    (std::mem::discriminant(of), of.children().len(), fields)
}

/// A type as a part of a name.
fn word(of: &Type) -> Option<String> {
    Some(match of {
        Type::Named(name) => pascal(name),
        Type::Boolean => "Boolean".to_owned(),
        Type::Number { .. } => "Number".to_owned(),
        Type::Text(_) => "String".to_owned(),
        Type::Date => "Date".to_owned(),
        Type::Bytes => "Bytes".to_owned(),
        Type::Null => "Null".to_owned(),
        Type::Unknown => "Unknown".to_owned(),
        Type::Array(of) => format!("{}List", word(of)?),
        Type::Union(types) => match &types[..] {
            [of, Type::Null] => format!("Optional{}", word(of)?),
            _ => return None,
        },
        _ => return None,
    })
}
