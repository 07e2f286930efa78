//! A strict RFC 8259 reader: one pass over the bytes, every limit named.

use thiserror::Error;

use super::{Number, Object, Value};

/// The largest JSON text that is read, in bytes (64 MiB).
pub const MAX_BYTES: usize = 64 << 20;
/// How deeply arrays and objects may nest. Dropping or writing a value that was read recurses at
/// most this deep.
pub const MAX_DEPTH: usize = 128;
/// How many values one text may hold, counting arrays and objects: bounds the memory that a text of
/// [`MAX_BYTES`] can ask for.
pub const MAX_VALUES: usize = 8_000_000;
/// The longest number, in bytes.
pub const MAX_NUMBER_BYTES: usize = 4096;

/// From how many members on an object's names are compared by sorting them.
const WIDE_OBJECT: usize = 32;

/// Why and where a text is not JSON. It tells the place and never the content.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind} at line {line}, column {column}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The offset in bytes, from 0.
    pub offset: usize,
}

/// What is wrong with a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// More than [`MAX_BYTES`].
    #[error("the JSON text is larger than the limit")]
    TooLarge,
    /// More than [`MAX_DEPTH`] arrays and objects in one another.
    #[error("arrays or objects nest deeper than the limit")]
    TooDeep,
    /// More than [`MAX_VALUES`].
    #[error("the JSON text holds more values than the limit")]
    TooManyValues,
    /// Not UTF-8, the only encoding of JSON that is exchanged (RFC 8259 section 8.1).
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// The text ends inside a value; often a file that was cut off.
    #[error("the text ends too early")]
    UnexpectedEnd,
    /// A character that cannot stand here, for example a comma before a closing bracket.
    #[error("a character that cannot stand here")]
    UnexpectedCharacter,
    /// Not a number of RFC 8259 section 6 (`01`, `1.`, `+1`), or longer than [`MAX_NUMBER_BYTES`].
    #[error("a number that is not written as JSON asks")]
    BadNumber,
    /// A backslash with something else than RFC 8259 section 7 allows after it.
    #[error("an escape that JSON does not know")]
    BadEscape,
    /// Half of a UTF-16 surrogate pair.
    #[error("an escape that is half of a surrogate pair")]
    LoneSurrogate,
    /// A control character that should have been escaped.
    #[error("a control character inside a string")]
    ControlCharacter,
    /// One object has two members of the same name.
    #[error("a member name that occurs twice in one object")]
    DuplicateMember,
    /// Something follows the value.
    #[error("something follows the end of the value")]
    TrailingCharacters,
}

/// Reads one JSON value, which must fill the text.
///
/// A byte order mark before the value is passed over.
///
/// # Errors
/// [`ParseError`] when the bytes are not JSON or exceed [`MAX_BYTES`], [`MAX_DEPTH`] or
/// [`MAX_VALUES`].
pub fn parse(bytes: &[u8]) -> Result<Value, ParseError> {
    if bytes.len() > MAX_BYTES {
        return Err(ParseError { kind: ParseErrorKind::TooLarge, line: 1, column: 1, offset: 0 });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| located(bytes, ParseErrorKind::NotUtf8, error.valid_up_to()))?;
    let start = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    let mut parser = Parser { text, bytes, at: start, values: 0 };
    parser.document().map_err(|kind| located(bytes, kind, parser.at))
}

fn located(bytes: &[u8], kind: ParseErrorKind, offset: usize) -> ParseError {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let mut rows = before.split(|&byte| byte == b'\n');
    let last = rows.next_back().unwrap_or_default();
    let line = rows.count() + 1;
    // Bytes of the form 10xxxxxx continue a character of UTF-8.
    let column = last.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() + 1;
    ParseError { kind, line: line as u32, column: column as u32, offset }
}

type Parsed<T> = Result<T, ParseErrorKind>;

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Parsed<Value> {
        self.skip_space();
        let value = self.value(0)?;
        self.skip_space();
        if self.at < self.bytes.len() {
            return Err(ParseErrorKind::TrailingCharacters);
        }
        Ok(value)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The first byte of a value is at hand; `depth` counts the arrays and objects around it.
    fn value(&mut self, depth: usize) -> Parsed<Value> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(ParseErrorKind::TooManyValues);
        }
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(ParseErrorKind::UnexpectedCharacter),
            None => Err(ParseErrorKind::UnexpectedEnd),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Parsed<Value> {
        for expected in word.bytes() {
            self.expect(expected)?;
        }
        Ok(value)
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Parsed<()> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(ParseErrorKind::UnexpectedCharacter),
            None => Err(ParseErrorKind::UnexpectedEnd),
        }
    }

    /// Whether `close` comes next, in which case it is taken.
    fn closes(&mut self, close: u8) -> bool {
        self.skip_space();
        let closes = self.peek() == Some(close);
        self.at += usize::from(closes);
        closes
    }

    fn enter(&mut self, depth: usize) -> Parsed<()> {
        if depth >= MAX_DEPTH {
            return Err(ParseErrorKind::TooDeep);
        }
        self.at += 1;
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Parsed<Value> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.closes(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth + 1)?);
            if self.closes(b']') {
                return Ok(Value::Array(items));
            }
            self.expect(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Value> {
        self.enter(depth)?;
        let mut members: Vec<(Box<str>, Value)> = Vec::new();
        if self.closes(b'}') {
            return Ok(Value::Object(Object::new()));
        }
        loop {
            self.skip_space();
            let start = self.at;
            let name = self.string()?;
            if members.len() < WIDE_OBJECT && members.iter().any(|(key, _)| *key == name) {
                self.at = start;
                return Err(ParseErrorKind::DuplicateMember);
            }
            self.skip_space();
            self.expect(b':')?;
            self.skip_space();
            members.push((name, self.value(depth + 1)?));
            if self.closes(b'}') {
                break;
            }
            self.expect(b',')?;
        }
        if members.len() > WIDE_OBJECT && has_equal_names(&members) {
            return Err(ParseErrorKind::DuplicateMember);
        }
        Ok(Value::Object(Object::from_unique(members)))
    }

    fn number(&mut self) -> Parsed<Value> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = number_len(rest).ok_or(ParseErrorKind::BadNumber)?;
        let text = self.text.get(self.at..self.at + len).ok_or(ParseErrorKind::BadNumber)?;
        if len > MAX_NUMBER_BYTES {
            return Err(ParseErrorKind::BadNumber);
        }
        self.at += len;
        Ok(Value::Number(Number::from_checked(text)))
    }

    fn string(&mut self) -> Parsed<Box<str>> {
        self.expect(b'"')?;
        let plain = self.plain()?;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(plain.into());
        }
        let mut unescaped = String::from(plain);
        loop {
            if self.peek() == Some(b'"') {
                self.at += 1;
                return Ok(unescaped.into_boxed_str());
            }
            unescaped.push(self.escape()?);
            unescaped.push_str(self.plain()?);
        }
    }

    /// The characters up to the next quote or backslash, which is then at hand.
    #[inline]
    fn plain(&mut self) -> Parsed<&'a str> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let Some(len) = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\')
        else {
            self.at = self.bytes.len();
            return Err(ParseErrorKind::UnexpectedEnd);
        };
        self.at += len;
        if rest.get(len).is_some_and(|&byte| byte < 0x20) {
            return Err(ParseErrorKind::ControlCharacter);
        }
        // Both ends stand next to ASCII, so the slice lies on character boundaries.
        self.text.get(start..self.at).ok_or(ParseErrorKind::NotUtf8)
    }

    /// A backslash is at hand.
    fn escape(&mut self) -> Parsed<char> {
        self.at += 1;
        let kind = self.peek().ok_or(ParseErrorKind::UnexpectedEnd)?;
        let short = match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{C}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(ParseErrorKind::BadEscape),
        };
        self.at += 1;
        Ok(short)
    }

    /// A `u` is at hand; what is outside the first plane takes two escapes (RFC 8259 section 7).
    fn unicode_escape(&mut self) -> Parsed<char> {
        self.at += 1;
        let first = self.four_hex()?;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        let follows = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u"));
        if first >= 0xDC00 || !follows {
            return Err(ParseErrorKind::LoneSurrogate);
        }
        self.at += 2;
        let second = self.four_hex()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(ParseErrorKind::LoneSurrogate);
        }
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))
            .ok_or(ParseErrorKind::LoneSurrogate)
    }

    fn four_hex(&mut self) -> Parsed<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.peek().ok_or(ParseErrorKind::UnexpectedEnd)?;
            let digit = char::from(byte).to_digit(16).ok_or(ParseErrorKind::BadEscape)?;
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}

/// Whether two of the members have one name.
fn has_equal_names(members: &[(Box<str>, Value)]) -> bool {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| matches!(pair, [one, other] if one == other))
}

/// How many bytes at the start of `bytes` are a number of RFC 8259 section 6; `None` if none are,
/// or if a digit, point or exponent follows that the number cannot have.
pub(super) fn number_len(bytes: &[u8]) -> Option<usize> {
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits_from(bytes, sign);
    if whole == 0 || (whole > 1 && bytes.get(sign) == Some(&b'0')) {
        return None;
    }
    let mut len = sign + whole;
    if bytes.get(len) == Some(&b'.') {
        let fraction = digits_from(bytes, len + 1);
        if fraction == 0 {
            return None;
        }
        len += 1 + fraction;
    }
    if matches!(bytes.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits_from(bytes, len + 1 + sign);
        if exponent == 0 {
            return None;
        }
        len += 1 + sign + exponent;
    }
    Some(len)
}

fn digits_from(bytes: &[u8], start: usize) -> usize {
    bytes.iter().skip(start).take_while(|byte| byte.is_ascii_digit()).count()
}
