//! Reading one line of a mapping file, character by character.

use super::syntax::{At, Name};
use super::{MappingError, Problem};

/// A place in one line.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    file_name: &'a str,
    file: usize,
    line: u32,
    text: &'a str,
    /// Bytes read.
    offset: usize,
    /// Conditions the reader is inside of.
    pub(super) depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(file_name: &'a str, file: usize, line: u32, text: &'a str) -> Self {
        Self { file_name, file, line, text, offset: 0, depth: 0 }
    }

    /// What is left of the line.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or("")
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn at(&self) -> At {
        let read = self.text.get(..self.offset).unwrap_or("");
        At { file: self.file, line: self.line, column: read.chars().count() as u32 + 1 }
    }

    pub(super) fn error(&self, problem: Problem) -> MappingError {
        let At { line, column, .. } = self.at();
        MappingError { file: self.file_name.to_owned(), line, column, problem }
    }

    pub(super) fn expected(&self, expected: &'static str) -> MappingError {
        self.error(Problem::Expected { expected })
    }

    pub(super) fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.offset += rest.len() - rest.trim_start().len();
    }

    /// Whether nothing but a comment is left.
    pub(super) fn is_done(&mut self) -> bool {
        self.skip_blanks();
        matches!(self.peek(), None | Some('#'))
    }

    /// Steps over `token` if it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.offset += token.len();
        }
        found
    }

    /// Steps over blanks and `token`.
    pub(super) fn need(&mut self, token: &'static str) -> Result<(), MappingError> {
        self.skip_blanks();
        if self.eat(token) { Ok(()) } else { Err(self.expected(token)) }
    }

    /// Steps over blanks and a keyword if it comes next as a whole word.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let whole = self.peek_name() == Some(word);
        if whole {
            self.offset += word.len();
        }
        whole
    }

    fn peek_name(&self) -> Option<&'a str> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let name = rest.get(..end)?;
        name.starts_with(|c: char| c.is_alphabetic() || c == '_').then_some(name)
    }

    /// A name: a letter or `_`, then letters, digits and `_`.
    pub(super) fn name(&mut self, expected: &'static str) -> Result<Name, MappingError> {
        let at = self.at();
        let Some(name) = self.peek_name() else { return Err(self.expected(expected)) };
        self.offset += name.len();
        Ok(Name { text: name.to_owned(), at })
    }

    /// A number from one up.
    pub(super) fn number(&mut self) -> Result<u16, MappingError> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number = rest.get(..end).and_then(|digits| digits.parse().ok());
        let number = number.filter(|number| *number > 0);
        let Some(number) = number else { return Err(self.expected("a number from 1 to 65535")) };
        self.offset += end;
        Ok(number)
    }

    pub(super) fn is_digit_next(&self, after: usize) -> bool {
        self.rest().chars().nth(after).is_some_and(|c| c.is_ascii_digit())
    }

    /// A text in double quotes with `\"` and `\\`.
    pub(super) fn quoted(&mut self) -> Result<String, MappingError> {
        self.need("\"")?;
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.offset += at + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    _ => break,
                },
                _ => text.push(c),
            }
        }
        Err(self.expected("a closing quote, with \\\" and \\\\ as the only escapes"))
    }

    /// A text in double quotes, or a run of characters up to the next blank.
    pub(super) fn word(&mut self, expected: &'static str) -> Result<String, MappingError> {
        self.skip_blanks();
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let rest = self.rest();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let Some(word) = rest.get(..end).filter(|word| !word.is_empty()) else {
            return Err(self.expected(expected));
        };
        self.offset += end;
        Ok(word.to_owned())
    }
}
