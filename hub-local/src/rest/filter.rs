//! The filter of `:execute`: a small part of `OData` over connections.
//!
//! | filter | matches |
//! |---|---|
//! | `connectionId eq 'c'`, `userId ne 'ada'`, `userId eq null` | connection id or user id; `null` is an anonymous client |
//! | `userId in ('ada', 'bob')` | one of several values |
//! | `startswith(userId, 'listener-')` | prefix of an id |
//! | `'g' in groups` | members of a group |
//! | `not …`, `… and …`, `… or …`, `( … )` | in order of precedence |
//!
//! Keywords are case-insensitive, values are case-sensitive; `'` is escaped as `''`.

mod lexer;
mod parser;

use std::collections::{HashMap, HashSet};

/// An expression over connections.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// The field equals one of these values; `None` is `null`.
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

/// A property of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    ConnectionId,
    UserId,
}

/// A syntax error with its position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} at character {at}; a filter supports `connectionId` and `userId` with `eq`, `ne`, `in` \
     and `startswith`, `'group' in groups`, `and`, `or`, `not` and parentheses"
)]
pub(super) struct FilterError {
    what: String,
    at: usize,
}

/// The connection ids in each group that a filter names.
pub(super) type Groups<'a> = HashMap<&'a str, HashSet<String>>;

impl Filter {
    /// Parses a filter.
    pub(super) fn parse(text: &str) -> Result<Self, FilterError> {
        parser::parse(text)
    }

    /// All groups in the filter. `finds` needs their members.
    pub(super) fn groups(&self) -> Vec<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::groups).collect(),
            Self::Not(part) => part.groups(),
            Self::InGroup(group) => vec![group],
            Self::Is { .. } | Self::StartsWith { .. } => Vec::new(),
        }
    }

    /// Whether the connection matches.
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
