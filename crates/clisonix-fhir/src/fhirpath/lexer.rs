//! An expression's text in tokens (N1, grammar).

use super::decimal::Decimal;
use super::error::{ParseError, ParseErrorKind};
use super::syntax::Literal;
use super::temporal::{Date, DateTime, Time};

/// One token, and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) offset: usize,
}

#[derive(Clone, Debug)]
pub(super) enum TokenKind {
    /// A name or keyword.
    Word(Box<str>),
    /// A name between backticks, which is never a keyword.
    Delimited(Box<str>),
    String(Box<str>),
    /// A number, and whether it has a point.
    Number(Decimal, bool),
    Temporal(Literal),
    /// `$this`, `$index`, `$total`, without the sign.
    Dollar(Box<str>),
    /// `%name`, without the sign.
    Percent(Box<str>),
    Symbol(&'static str),
}

/// The longer ones first.
const SYMBOLS: &[&str] = &[
    "!=", "!~", "<=", ">=", "(", ")", "[", "]", "{", "}", ".", ",", "+", "-", "*", "/", "&", "|",
    "=", "~", "<", ">",
];

/// All tokens of a text.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_space()?;
        let offset = lexer.at;
        if lexer.rest().is_empty() {
            return Ok(tokens);
        }
        let kind = lexer.token().map_err(|kind| ParseError { kind, offset })?;
        tokens.push(Token { kind, offset });
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// What stands here as long as `is_part` holds.
    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn skip_space(&mut self) -> Result<(), ParseError> {
        loop {
            self.take_while(char::is_whitespace);
            if self.rest().starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if self.rest().starts_with("/*") {
                let unclosed = ParseError { kind: ParseErrorKind::Unclosed, offset: self.at };
                self.at += self.rest().find("*/").ok_or(unclosed)? + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<TokenKind, ParseErrorKind> {
        match self.peek() {
            Some('0'..='9') => self.number(),
            Some('\'') => self.quoted('\'').map(TokenKind::String),
            Some('`') => self.quoted('`').map(TokenKind::Delimited),
            Some('@') => self.temporal(),
            Some('$') => {
                self.at += 1;
                Ok(TokenKind::Dollar(self.word()?.into()))
            }
            Some('%') => {
                self.at += 1;
                let name = match self.peek() {
                    Some(quote @ ('`' | '\'')) => self.quoted(quote)?,
                    _ => self.word()?.into(),
                };
                Ok(TokenKind::Percent(name))
            }
            Some(c) if c == '_' || c.is_ascii_alphabetic() => {
                Ok(TokenKind::Word(self.word()?.into()))
            }
            _ => self.symbol(),
        }
    }

    fn word(&mut self) -> Result<&'a str, ParseErrorKind> {
        let word = self.take_while(|c| c == '_' || c.is_ascii_alphanumeric());
        if word.is_empty() { Err(ParseErrorKind::Character) } else { Ok(word) }
    }

    fn symbol(&mut self) -> Result<TokenKind, ParseErrorKind> {
        let found = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol));
        let symbol = found.ok_or(ParseErrorKind::Character)?;
        self.at += symbol.len();
        Ok(TokenKind::Symbol(symbol))
    }

    fn number(&mut self) -> Result<TokenKind, ParseErrorKind> {
        let start = self.at;
        self.take_while(|c| c.is_ascii_digit());
        let mut rest = self.rest().chars();
        let has_point = rest.next() == Some('.') && rest.next().is_some_and(|c| c.is_ascii_digit());
        if has_point {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let number = Decimal::parse(text).ok_or(ParseErrorKind::Number)?;
        Ok(TokenKind::Number(number, has_point))
    }

    /// N1 4.1.2 and the grammar's `ESC`.
    fn quoted(&mut self, quote: char) -> Result<Box<str>, ParseErrorKind> {
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((index, char)) = chars.next() {
            if char == quote {
                self.at += index + char.len_utf8();
                return Ok(out.into());
            }
            if char != '\\' {
                out.push(char);
                continue;
            }
            match chars.next().ok_or(ParseErrorKind::Unclosed)?.1 {
                plain @ ('\'' | '"' | '`' | '\\' | '/') => out.push(plain),
                'r' => out.push('\r'),
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'f' => out.push('\u{c}'),
                'u' => {
                    let digits: String = chars.by_ref().take(4).map(|(_, char)| char).collect();
                    let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                    out.push(code.and_then(char::from_u32).ok_or(ParseErrorKind::Escape)?);
                }
                _ => return Err(ParseErrorKind::Escape),
            }
        }
        Err(ParseErrorKind::Unclosed)
    }

    fn temporal(&mut self) -> Result<TokenKind, ParseErrorKind> {
        self.at += 1;
        let start = self.at;
        self.take_while(|c| c.is_ascii_digit() || c == '-');
        let has_time = self.rest().starts_with('T');
        if has_time {
            self.at += 1;
            self.clock();
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let literal = match text.strip_prefix('T') {
            Some(time) => Time::parse(time).map(Literal::Time),
            None if has_time => DateTime::parse(text).map(Literal::DateTime),
            None => Date::parse(text).map(Literal::Date),
        };
        literal.map(TokenKind::Temporal).ok_or(ParseErrorKind::Temporal)
    }

    /// The time and offset after the `T`; a point belongs to it only before a digit.
    fn clock(&mut self) {
        self.take_while(|c| c.is_ascii_digit() || c == ':');
        let mut rest = self.rest().chars();
        if rest.next() == Some('.') && rest.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        let zone = self.rest().as_bytes();
        let is_offset = match zone {
            [b'+' | b'-', a, b, b':', c, d, ..] => [a, b, c, d].iter().all(|d| d.is_ascii_digit()),
            _ => false,
        };
        if is_offset {
            self.at += "+00:00".len();
        } else if zone.first() == Some(&b'Z') {
            self.at += 1;
        }
    }
}
