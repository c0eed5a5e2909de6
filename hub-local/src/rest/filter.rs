//! The filter of `:execute`: a small part of `OData` over connections.
//!
//! | written | finds |
//! |---|---|
//! | `connectionId eq 'c'`, `userId ne 'ada'`, `userId eq null` | by id or by user; `null` is an anonymous client |
//! | `userId in ('ada', 'bob')` | one of several |
//! | `startswith(userId, 'listener-')` | by how an id begins |
//! | `'g' in groups` | members of a group |
//! | `not …`, `… and …`, `… or …`, `( … )` | as they bind, the tightest first |
//!
//! Words ignore case, texts do not; a `'` in a text is written twice.

mod lexer;
mod parser;

use std::collections::{HashMap, HashSet};

/// Which connections are meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// Equal to one of these; `None` is `null`.
    Is {
        field: Field,
        values: Vec<Option<String>>,
    },
    StartsWith {
        field: Field,
        prefix: String,
    },
    InGroup(String),
}

/// What a connection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    ConnectionId,
    UserId,
}

/// Why a text is no filter: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} at character {at}; a filter knows `connectionId` and `userId` with `eq`, `ne`, `in` \
     and `startswith`, `'group' in groups`, `and`, `or`, `not` and parentheses"
)]
pub(super) struct FilterError {
    what: String,
    at: usize,
}

/// The connection ids in each group that a filter names.
pub(super) type Groups<'a> = HashMap<&'a str, HashSet<String>>;

impl Filter {
    /// Reads a filter.
    pub(super) fn parse(text: &str) -> Result<Self, FilterError> {
        parser::parse(text)
    }

    /// Every group whose members must be known.
    pub(super) fn groups(&self) -> Vec<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::groups).collect(),
            Self::Not(part) => part.groups(),
            Self::InGroup(group) => vec![group],
            Self::Is { .. } | Self::StartsWith { .. } => Vec::new(),
        }
    }

    /// Whether the connection is meant.
    pub(super) fn finds(&self, id: &str, user: Option<&str>, groups: &Groups<'_>) -> bool {
        let value = |field: &Field| match field {
            Field::ConnectionId => Some(id),
            Field::UserId => user,
        };
        match self {
            Self::All(parts) => parts.iter().all(|part| part.finds(id, user, groups)),
            Self::Any(parts) => parts.iter().any(|part| part.finds(id, user, groups)),
            Self::Not(part) => !part.finds(id, user, groups),
            Self::Is { field, values } => values.iter().any(|it| it.as_deref() == value(field)),
            Self::StartsWith { field, prefix } => {
                value(field).is_some_and(|value| value.starts_with(prefix))
            }
            Self::InGroup(group) => {
                groups.get(group.as_str()).is_some_and(|members| members.contains(id))
            }
        }
    }
}

#[cfg(test)]
mod tests;
