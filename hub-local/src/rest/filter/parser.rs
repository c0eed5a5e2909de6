//! Recursive descent parser with a depth limit.

use super::{
    Field, Filter, FilterError,
    lexer::{self, SpannedToken, Token},
};

/// Maximum nesting of parentheses and `not`.
const MAX_DEPTH: usize = 32;

pub(super) fn parse(text: &str) -> Result<Filter, FilterError> {
    let tokens = lexer::tokens(text)?;
    let mut parser =
        Parser { tokens: tokens.into_iter().peekable(), end: text.chars().count() + 1 };
    let filter = parser.any(0)?;
    parser.expect(&Token::End)?;
    Ok(filter)
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<SpannedToken>>,
    end: usize,
}

impl Parser {
    fn any(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut parts = vec![self.all(depth)?];
        while self.takes("or") {
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, Filter::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut parts = vec![self.one(depth)?];
        while self.takes("and") {
            parts.push(self.one(depth)?);
        }
        Ok(one_or(parts, Filter::All))
    }

    fn one(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let (token, at) = self.next();
        if depth > MAX_DEPTH {
            return Err(FilterError {
                what: "the filter has too many nesting levels".to_owned(),
                at,
            });
        }
        match token {
            Token::Open => {
                let filter = self.any(depth + 1)?;
                self.expect(&Token::Close)?;
                Ok(filter)
            }
            Token::Text(group) => {
                self.expect_word("in")?;
                self.expect_word("groups")?;
                Ok(Filter::InGroup(group))
            }
            token if token.is("not") => Ok(Filter::Not(Box::new(self.one(depth + 1)?))),
            token if token.is("startswith") => self.starts_with(),
            token => {
                let field = field(&token, at)?;
                self.comparison(field)
            }
        }
    }

    fn starts_with(&mut self) -> Result<Filter, FilterError> {
        self.expect(&Token::Open)?;
        let (token, at) = self.next();
        let field = field(&token, at)?;
        self.expect(&Token::Comma)?;
        let prefix = self.text()?;
        self.expect(&Token::Close)?;
        Ok(Filter::StartsWith { field, prefix })
    }

    fn comparison(&mut self, field: Field) -> Result<Filter, FilterError> {
        let (operator, at) = self.next();
        match operator {
            it if it.is("eq") => Ok(Filter::Is { field, values: vec![self.value()?] }),
            it if it.is("ne") => {
                let is = Filter::Is { field, values: vec![self.value()?] };
                Ok(Filter::Not(Box::new(is)))
            }
            it if it.is("in") => Ok(Filter::Is { field, values: self.values()? }),
            other => Err(unexpected(&other, at)),
        }
    }

    fn values(&mut self) -> Result<Vec<Option<String>>, FilterError> {
        self.expect(&Token::Open)?;
        let mut values = vec![self.value()?];
        loop {
            match self.next() {
                (Token::Comma, _) => values.push(self.value()?),
                (Token::Close, _) => return Ok(values),
                (other, at) => return Err(unexpected(&other, at)),
            }
        }
    }

    fn value(&mut self) -> Result<Option<String>, FilterError> {
        if self.takes("null") { Ok(None) } else { self.text().map(Some) }
    }

    fn text(&mut self) -> Result<String, FilterError> {
        match self.next() {
            (Token::Text(text), _) => Ok(text),
            (other, at) => Err(unexpected(&other, at)),
        }
    }

    /// Consumes the keyword if it is next.
    fn takes(&mut self, keyword: &str) -> bool {
        self.tokens.next_if(|(token, _)| token.is(keyword)).is_some()
    }

    fn expect_word(&mut self, keyword: &str) -> Result<(), FilterError> {
        if self.takes(keyword) {
            return Ok(());
        }
        let (token, at) = self.next();
        Err(unexpected(&token, at))
    }

    fn expect(&mut self, wanted: &Token) -> Result<(), FilterError> {
        let (token, at) = self.next();
        if token == *wanted { Ok(()) } else { Err(unexpected(&token, at)) }
    }

    fn next(&mut self) -> SpannedToken {
        self.tokens.next().unwrap_or((Token::End, self.end))
    }
}

fn one_or(mut parts: Vec<Filter>, many: impl Fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            many(parts)
        }
    }
}

fn field(token: &Token, at: usize) -> Result<Field, FilterError> {
    if token.is("connectionId") {
        return Ok(Field::ConnectionId);
    }
    if token.is("userId") { Ok(Field::UserId) } else { Err(unexpected(token, at)) }
}

fn unexpected(token: &Token, at: usize) -> FilterError {
    let what = match token {
        Token::Word(word) => format!("`{word}`"),
        Token::Text(text) => format!("'{text}'"),
        Token::Open => "`(`".to_owned(),
        Token::Close => "`)`".to_owned(),
        Token::Comma => "`,`".to_owned(),
        Token::End => "the end".to_owned(),
    };
    lexer::error(&what, at)
}
