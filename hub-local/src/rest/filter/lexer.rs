//! Splits a filter into tokens.

use super::FilterError;

/// A token of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or keyword in its original case.
    Word(String),
    /// A string without its quotes.
    Text(String),
    Open,
    Close,
    Comma,
    End,
}

impl Token {
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// A token and the position of its first character, counted from 1.
pub(super) type SpannedToken = (Token, usize);

/// Splits a filter; the last token is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<SpannedToken>, FilterError> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().zip(1..).peekable();
    while let Some((character, at)) = rest.next() {
        let token = match character {
            ' ' | '\t' => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '\'' => {
                let mut text = String::new();
                loop {
                    match rest.next() {
                        Some(('\'', _)) if rest.next_if(|(next, _)| *next == '\'').is_some() => {
                            text.push('\'');
                        }
                        Some(('\'', _)) => break,
                        Some((other, _)) => text.push(other),
                        None => {
                            let what = "an unterminated string".to_owned();
                            return Err(FilterError { what, at });
                        }
                    }
                }
                Token::Text(text)
            }
            first if is_word(first) => {
                let mut word = String::from(first);
                while let Some((next, _)) = rest.next_if(|(next, _)| is_word(*next)) {
                    word.push(next);
                }
                Token::Word(word)
            }
            other => return Err(error(&format!("`{}`", other.escape_default()), at)),
        };
        tokens.push((token, at));
    }
    tokens.push((Token::End, text.chars().count() + 1));
    Ok(tokens)
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_./-".contains(character)
}

pub(super) fn error(what: &str, at: usize) -> FilterError {
    FilterError { what: format!("{what} is unexpected"), at }
}
