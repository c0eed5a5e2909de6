//! The fields of one struct, and the members of the object that they are read from.

use std::fmt;

/// An object in which no member is a field of the struct.
#[derive(Debug)]
pub(super) struct Unmatched {
    pub(super) type_name: &'static str,
    /// The first member, cut to [`LONGEST_MEMBER`] characters.
    pub(super) member: String,
    names: &'static [&'static str],
}

const LONGEST_MEMBER: usize = 64;

impl Unmatched {
    /// The names of the fields, for a log line.
    pub(super) fn fields(&self) -> String {
        let names: Vec<_> = self.names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    }
}

/// Matches the members of an object to the fields of a struct.
#[derive(Debug)]
pub(super) struct Fields {
    type_name: &'static str,
    /// The names and aliases of the fields.
    names: &'static [&'static str],
    /// The position after the last match. Members usually have the order of the fields.
    next: usize,
    /// A bit for each of the first 64 names: whether a member matched the name.
    matched: u64,
    /// As `matched`, for members in another case than the name.
    in_another_case: u64,
    takes_any: bool,
    first_unknown: Option<String>,
}

impl Fields {
    pub(super) fn new(type_name: &'static str, names: &'static [&'static str]) -> Self {
        Self {
            type_name,
            names,
            next: 0,
            matched: 0,
            in_another_case: 0,
            takes_any: false,
            first_unknown: None,
        }
    }

    /// The field that a member matches in another case. `None` if the member matches a field exactly, or no field.
    pub(super) fn find(&mut self, member: &str) -> Result<Option<&'static str>, Mismatch> {
        let expected = self.names.get(self.next).is_some_and(|name| *name == member);
        let exact = if expected {
            Some(self.next)
        } else {
            self.names.iter().position(|name| *name == member)
        };
        let Some(at) = exact else { return self.find_in_any_case(member) };
        self.next = at + 1;
        self.takes_any = true;
        self.matched |= bit(at);
        // A member that is sent twice in the same spelling is an error of the struct's own code.
        if self.in_another_case & bit(at) != 0 {
            return Err(Mismatch::Twice(self.names.get(at).copied().unwrap_or_default()));
        }
        Ok(None)
    }

    #[cold]
    fn find_in_any_case(&mut self, member: &str) -> Result<Option<&'static str>, Mismatch> {
        let mut found = self.names.iter().enumerate();
        let mut found = found.by_ref().filter(|(_, name)| name.eq_ignore_ascii_case(member));
        let Some((at, name)) = found.next() else {
            if !self.takes_any && self.first_unknown.is_none() {
                // For a log line: without line breaks and control characters.
                let shown = member.chars().take(LONGEST_MEMBER).flat_map(char::escape_debug);
                self.first_unknown = Some(shown.collect());
            }
            return Ok(None);
        };
        if let Some((_, other)) = found.next() {
            return Err(Mismatch::Ambiguous(name, other));
        }
        if self.matched & bit(at) != 0 {
            return Err(Mismatch::Twice(name));
        }
        self.matched |= bit(at);
        self.in_another_case |= bit(at);
        self.next = at + 1;
        self.takes_any = true;
        Ok(Some(name))
    }

    /// Notes a member whose key is a number, the position of a field.
    pub(super) fn take_numbered(&mut self) {
        self.takes_any = true;
    }

    /// The object, if it has members and none of them is a field.
    pub(super) fn unmatched(self) -> Option<Unmatched> {
        let member = self.first_unknown.filter(|_| !self.takes_any)?;
        Some(Unmatched { type_name: self.type_name, member, names: self.names })
    }
}

fn bit(at: usize) -> u64 {
    u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or(0)
}

/// Why a member matches no field and is not ignored.
#[derive(Debug)]
pub(super) enum Mismatch {
    Twice(&'static str),
    Ambiguous(&'static str, &'static str),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(name) => write!(
                f,
                "two members are the field `{name}`, because names are compared without case; send one of them"
            ),
            Self::Ambiguous(name, other) => write!(
                f,
                "a member differs from `{name}` and `{other}` in case only; send one of these spellings"
            ),
        }
    }
}
