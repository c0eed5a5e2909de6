//! TypeScript types.

use serde_json::Value;

/// A TypeScript type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Unknown,
    Never,
    Null,
    Boolean,
    Number {
        /// Whether the integers can have more than 53 bits.
        wide: bool,
    },
    Text(Text),
    Date,
    Bytes,
    /// A text, a number or a boolean.
    Literal(Value),
    Array(Box<Self>),
    Tuple(Vec<Self>),
    Object(Object),
    /// Some of the keys, each with a value: the keys and the type of the values.
    Partial(Box<Self>, Box<Self>),
    Union(Vec<Self>),
    Intersection(Vec<Self>),
    /// A type with a name. In the contract, the name is that of the schema.
    Named(String),
}

/// What a text contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Plain,
    Date,
    Base64,
}

/// An object with fields, and with further members if it has an index.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object {
    pub(super) fields: Vec<Field>,
    pub(super) index: Option<(Key, Box<Type>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) docs: String,
    pub(super) optional: bool,
    pub(super) of: Type,
}

/// The type of the keys of an index signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Text,
    Number,
}

/// A type with a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Definition {
    pub(super) docs: String,
    pub(super) of: Type,
}

impl Object {
    /// Whether no value has members.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.index.is_none()
    }

    /// Adds the types of the fields to an index signature of texts, which must fit the fields, too.
    pub(super) fn widen_index(&mut self) {
        if let Some((Key::Text, of)) = &mut self.index {
            let of_fields = self.fields.iter().map(|field| field.of.clone());
            let mut types: Vec<_> = std::iter::once((**of).clone()).chain(of_fields).collect();
            // The type of an optional field includes `undefined`.
            types.extend(self.fields.iter().any(|field| field.optional).then_some(Type::Unknown));
            **of = Type::union(types);
        }
    }
}

impl Type {
    /// A union without duplicates and nested unions.
    pub(super) fn union(types: Vec<Self>) -> Self {
        let mut members: Vec<Self> = Vec::new();
        for each in types {
            let parts = match each {
                Self::Union(parts) => parts,
                Self::Never => continue,
                other => vec![other],
            };
            for part in parts {
                if !members.contains(&part) {
                    members.push(part);
                }
            }
        }
        if members.contains(&Self::Unknown) {
            return Self::Unknown;
        }
        match members.len() {
            0 => Self::Never,
            1 => members.remove(0),
            _ => Self::Union(members),
        }
    }

    /// A type with all members of these types: objects become one object, and unions a union of such types.
    pub(super) fn intersection(types: Vec<Self>) -> Self {
        let (mut named, mut object, mut other, mut union) = (Vec::new(), None, Vec::new(), None);
        for each in flattened(types) {
            match each {
                Self::Unknown => {}
                Self::Object(each) => object = Some(merged(object, each)),
                Self::Union(parts) if union.is_none() => union = Some(parts),
                Self::Named(_) if !named.contains(&each) => named.push(each),
                Self::Named(_) => {}
                each => other.push(each),
            }
        }
        named.extend(object.map(Self::Object));
        named.extend(other);
        match (union, named.len()) {
            (None, 0) => Self::Unknown,
            (None, 1) => named.remove(0),
            (None, _) => Self::Intersection(named),
            (Some(parts), 0) => Self::union(parts),
            (Some(parts), _) => {
                let with = |part| {
                    let mut all = named.clone();
                    all.push(part);
                    Self::intersection(all)
                };
                Self::union(parts.into_iter().map(with).collect())
            }
        }
    }

    /// The types in this type, without those behind names.
    pub(super) fn children(&self) -> Vec<&Self> {
        match self {
            Self::Array(of) => vec![of],
            Self::Tuple(types) | Self::Union(types) | Self::Intersection(types) => {
                types.iter().collect()
            }
            Self::Object(Object { fields, index }) => {
                let index = index.iter().map(|(_, of)| &**of);
                fields.iter().map(|field| &field.of).chain(index).collect()
            }
            Self::Partial(keys, of) => vec![keys, of],
            _ => Vec::new(),
        }
    }

    fn children_mut(&mut self) -> Vec<&mut Self> {
        match self {
            Self::Array(of) => vec![of],
            Self::Tuple(types) | Self::Union(types) | Self::Intersection(types) => {
                types.iter_mut().collect()
            }
            Self::Object(Object { fields, index }) => {
                let index = index.iter_mut().map(|(_, of)| &mut **of);
                fields.iter_mut().map(|field| &mut field.of).chain(index).collect()
            }
            Self::Partial(keys, of) => vec![keys, of],
            _ => Vec::new(),
        }
    }

    /// Replaces all names.
    pub(super) fn rename(&mut self, new: &dyn Fn(&str) -> String) {
        if let Self::Named(name) = self {
            *name = new(name);
        }
        self.children_mut().into_iter().for_each(|child| child.rename(new));
    }

    /// Calls `visit` with this type and all types in it, without those behind names.
    pub(super) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        self.children().into_iter().for_each(|child| child.walk(visit));
    }

    /// Calls `visit` with each name.
    pub(super) fn names<'a>(&'a self, visit: &mut dyn FnMut(&'a str)) {
        self.walk(&mut |each| {
            if let Self::Named(name) = each {
                visit(name);
            }
        });
    }

    /// Changes this type and all types in it, the inner ones first.
    pub(super) fn change(&mut self, change: &dyn Fn(&mut Self)) {
        self.children_mut().into_iter().for_each(|child| child.change(change));
        change(self);
    }

    /// Properties of the values that TypeScript does not express.
    pub(super) fn notes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        self.walk(&mut |each| {
            let note = match each {
                Self::Number { wide: true } => "Integers beyond 2^53 are rounded.",
                Self::Text(Text::Date) => "A date is RFC 3339 text.",
                Self::Text(Text::Base64) => "Bytes are Base64 text.",
                _ => return,
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        });
        notes
    }
}

fn flattened(types: Vec<Type>) -> Vec<Type> {
    let parts = types.into_iter().map(|each| match each {
        Type::Intersection(parts) => parts,
        other => vec![other],
    });
    parts.flatten().collect()
}

/// The fields of both objects. A field of both has the type of the second.
fn merged(first: Option<Object>, second: Object) -> Object {
    let Some(mut object) = first else { return second };
    for field in second.fields {
        match object.fields.iter_mut().find(|known| known.name == field.name) {
            Some(known) => *known = field,
            None => object.fields.push(field),
        }
    }
    object.fields.sort_by(|left, right| left.name.cmp(&right.name));
    object.index = object.index.or(second.index);
    object.widen_index();
    object
}
