//! Canonical JSON text: members of every object sorted by name, so that equal content is equal bytes.

use std::fmt::Write as _;

use clisonix_fhir::json::{MAX_DEPTH, Number, Value};
use smallvec::SmallVec;

/// Appends the canonical text of `value`; numbers keep their own text.
pub(crate) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(number.as_str()),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            let mut members: SmallVec<[(&str, &Value); 8]> = object.iter().collect();
            members.sort_unstable_by_key(|&(name, _)| name);
            out.push('{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(name, out);
                out.push(':');
                write(member, out);
            }
            out.push('}');
        }
    }
}

/// The canonical text of `value`.
pub(crate) fn text(value: &Value) -> String {
    let mut out = String::with_capacity(64);
    write(value, &mut out);
    out
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Appends `text` as a JSON string.
pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    write_escaped(text, out);
    out.push('"');
}

/// Appends part of a JSON string's inside.
pub(crate) fn write_escaped(text: &str, out: &mut String) {
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(plain_len(rest.as_bytes()));
        out.push_str(plain);
        match special.bytes().next() {
            None => return,
            Some(b'"') => out.push_str("\\\""),
            Some(b'\\') => out.push_str("\\\\"),
            Some(b'\n') => out.push_str("\\n"),
            Some(b'\r') => out.push_str("\\r"),
            Some(b'\t') => out.push_str("\\t"),
            // Writing to a `String` cannot fail.
            Some(byte) => drop(write!(out, "\\u{byte:04x}")),
        }
        rest = special.get(1..).unwrap_or_default();
    }
}

/// Where the value at `tokens` (of a JSON Pointer) stands in canonical text.
pub(crate) fn place_of(text: &str, tokens: &[impl AsRef<str>]) -> Option<std::ops::Range<usize>> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    let mut range = 0..text.len();
    for token in tokens {
        scan.at = range.start;
        match scan.member(text, token.as_ref())? {
            Found::There(there) => range = there,
            Found::Missing { .. } => return None,
        }
    }
    Some(range)
}

/// How many bytes at the start stand for themselves inside a JSON string.
fn plain_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    for chunk in bytes.chunks_exact(8) {
        let special = special_of(chunk.try_into().unwrap_or_default());
        if special != 0 {
            return len + special.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    let is_special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let rest = bytes.get(len..).unwrap_or_default();
    len + rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
}

/// Eight bytes at once: the high bit of the first quote, backslash or control character, if any, and
/// perhaps of bytes behind it (Mycroft's test for a zero byte, with subtraction).
#[inline]
fn special_of(chunk: [u8; 8]) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let word = u64::from_le_bytes(chunk);
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & (ONES << 7)
}

/// Whether canonical text stays canonical with `middle` between its first `prefix` and last `suffix`
/// bytes, because that changes the inside of one string only, which is no member's name. `false` does
/// not say that it does not.
pub(crate) fn keeps_its_shape(text: &str, (prefix, suffix): (usize, usize), middle: &str) -> bool {
    let end = text.len().checked_sub(suffix);
    let parts =
        end.and_then(|end| Some((text.get(..prefix)?, text.get(prefix..end)?, text.get(end..)?)));
    let Some((head, gone, tail)) = parts else { return false };
    let is_plain = |part: &str| plain_len(part.as_bytes()) == part.len();
    // Without escapes every quote begins or ends a string.
    let quotes = head.bytes().filter(|&byte| byte == b'"').count();
    let is_inside = quotes % 2 == 1 && !head.as_bytes().contains(&b'\\');
    let rest = tail.as_bytes().get(plain_len(tail.as_bytes())..).unwrap_or_default();
    let is_value = matches!(rest, [b'"', after @ ..] if after.first() != Some(&b':'));
    is_inside && is_plain(gone) && is_plain(middle) && is_value
}

/// Whether `text` is the canonical text of one JSON value, as [`write`] makes it, which may stand
/// `depth` levels deep in a document.
pub(crate) fn is_value(text: &str, depth: usize) -> bool {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    scan.value(depth).is_some() && scan.at == text.len()
}

/// The members of a run `"name":value,..` as written, names without quotes; `None` unless every
/// name and value is canonical.
pub(crate) fn members(text: &str, depth: usize) -> Option<Vec<(&str, &str)>> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    let mut members = Vec::with_capacity(2);
    loop {
        let start = scan.at;
        scan.string()?;
        let name = text.get(start + 1..scan.at - 1)?;
        scan.take(b':')?;
        let start = scan.at;
        scan.value(depth)?;
        members.push((name, text.get(start..scan.at)?));
        if scan.at == text.len() {
            return Some(members);
        }
        scan.take(b',')?;
    }
}

/// `head` and then canonical text with the value at `tokens` (of a JSON Pointer) replaced, or a member
/// added; `None` if the way does not lead there, or a name would need escapes.
pub(crate) fn replaced(
    head: &str,
    text: &str,
    tokens: &[impl AsRef<str>],
    value: &Value,
) -> Option<String> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    let mut range = 0..text.len();
    let mut added: Option<(&str, bool)> = None;
    for (token, is_last) in tokens.iter().zip((0..tokens.len()).rev().map(|left| left == 0)) {
        scan.at = range.start;
        match scan.member(text, token.as_ref())? {
            Found::There(there) => range = there,
            Found::Missing { at, first } if is_last => {
                added = Some((token.as_ref(), first));
                range = at..at;
            }
            Found::Missing { .. } => return None,
        }
    }
    let (before, after) = (text.get(..range.start)?, text.get(range.end..)?);
    let name_len = added.map_or(0, |(name, _)| name.len() + 4);
    let new_len = value.as_str().map_or(24, |text| text.len() + 2);
    let len = head.len() + before.len() + name_len + new_len + after.len();
    let mut out = String::with_capacity(len);
    out.push_str(head);
    out.push_str(before);
    // A member added at the end follows a comma; anywhere else one follows it.
    let at_end = after.starts_with('}');
    if let Some((name, first)) = added {
        if plain_len(name.as_bytes()) < name.len() {
            return None;
        }
        if at_end && !first {
            out.push(',');
        }
        for part in ["\"", name, "\":"] {
            out.push_str(part);
        }
    }
    write(value, &mut out);
    if added.is_some() && !at_end {
        out.push(',');
    }
    out.push_str(after);
    Some(out)
}

/// A member's text: `"name":value`.
pub(crate) fn member(name: &str, value: &Value) -> String {
    let mut text = String::with_capacity(name.len() + 32);
    write_string(name, &mut text);
    text.push(':');
    write(value, &mut text);
    text
}

/// Where a member or element is, or where it would stand.
enum Found {
    There(std::ops::Range<usize>),
    Missing { at: usize, first: bool },
}

/// A walk over canonical JSON text; every step gives `None` at the first deviation.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' if depth < MAX_DEPTH => self.object(depth + 1),
            b'[' if depth < MAX_DEPTH => self.array(depth + 1),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.take(b'{')?;
        let mut last: Option<(usize, usize)> = None;
        while self.peek()? != b'}' {
            if last.is_some() {
                self.take(b',')?;
            }
            let start = self.at;
            self.string()?;
            let name = (start + 1, self.at - 1);
            if let Some(last) = last {
                let of = |(from, to): (usize, usize)| self.bytes.get(from..to);
                let escaped = |name: &[u8]| name.contains(&b'\\');
                let (before, now) = (of(last)?, of(name)?);
                // Escapes are the only case in which the order of the spelling can differ.
                let ascending = if escaped(before) || escaped(now) {
                    unescaped(before)? < unescaped(now)?
                } else {
                    before < now
                };
                if !ascending {
                    return None;
                }
            }
            last = Some(name);
            self.take(b':')?;
            self.value(depth)?;
        }
        self.take(b'}')
    }

    /// Looks for a member or element of the value that begins here.
    fn member(&mut self, text: &str, token: &str) -> Option<Found> {
        let is_object = self.peek()? == b'{';
        if !is_object && self.peek()? != b'[' {
            return None;
        }
        let close = if is_object { b'}' } else { b']' };
        self.at += 1;
        for index in 0_usize.. {
            let start = self.at;
            if self.peek()? == close {
                return is_object.then_some(Found::Missing { at: start, first: index == 0 });
            }
            if index > 0 {
                self.take(b',')?;
            }
            let begin = self.at;
            let is_it = if is_object {
                self.string()?;
                let name = text.get(begin + 1..self.at - 1)?;
                if name > token {
                    return Some(Found::Missing { at: begin, first: index == 0 });
                }
                self.take(b':')?;
                name == token
            } else {
                token.parse() == Ok(index)
            };
            let start = self.at;
            self.value(0)?;
            if is_it {
                return Some(Found::There(start..self.at));
            }
        }
        None
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        let mut first = true;
        while self.peek()? != b']' {
            if !first {
                self.take(b',')?;
            }
            first = false;
            self.value(depth)?;
        }
        self.take(b']')
    }

    /// Only the escapes that [`write_string`] makes. The text is UTF-8 already.
    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            let rest = self.bytes.get(self.at..)?;
            let plain = plain_len(rest);
            self.at += plain + 1;
            match rest.get(plain)? {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let kind = self.peek()?;
        self.at += 1;
        match kind {
            b'"' | b'\\' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.bytes.get(self.at..self.at + 4)?;
                self.at += 4;
                let lower = digits.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
                let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                (lower && code < 0x20 && !matches!(code, 9 | 10 | 13)).then_some(())
            }
            _ => None,
        }
    }

    /// RFC 8259, section 6; the text of a number is kept as it was written.
    fn number(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let part =
            |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        let len = rest.iter().position(|byte| !part(byte)).unwrap_or(rest.len());
        let text = std::str::from_utf8(rest.get(..len)?).ok()?;
        Number::from_text(text)?;
        self.at += len;
        Some(())
    }
}

/// The characters of a string's inside.
fn unescaped(inside: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(inside).ok()?;
    clisonix_fhir::json::parse(format!("\"{text}\"").as_bytes()).ok()?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~\u{0}-\u{1f}\u{e4}]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec(("[a-c\"\\\\\u{1}-\u{3}]{0,3}", inner), 0..4).prop_map(
                    |members| {
                        let members = members.into_iter();
                        Value::Object(members.map(|(n, v)| (n.into_boxed_str(), v)).collect())
                    }
                ),
            ]
        })
    }

    proptest! {
        #[test]
        fn scanning_agrees_with_parsing_and_writing(value in json(), at in any::<prop::sample::Index>(), with in 0..128_u8) {
            let text = text(&value);
            prop_assert!(is_value(&text, 0), "{}", text);
            let mut bytes = text.into_bytes();
            let index = at.index(bytes.len());
            bytes[index] = with;
            if let Ok(text) = String::from_utf8(bytes) {
                let parsed = clisonix_fhir::json::parse(text.as_bytes());
                prop_assert_eq!(is_value(&text, 0), parsed.is_ok_and(|v| super::text(&v) == text), "{}", text);
            }
        }
    }

    proptest! {
        #[test]
        fn what_keeps_its_shape_is_canonical(
            value in json(),
            cut in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
            middle in "[a-c\"\\\\:,{}\u{1}\u{e4}]{0,3}",
        ) {
            let text = text(&value);
            let (a, b) = (cut.0.index(text.len() + 1), cut.1.index(text.len() + 1));
            let (from, to) = (a.min(b), a.max(b));
            if keeps_its_shape(&text, (from, text.len() - to), &middle) {
                let new = [&text[..from], &middle, &text[to..]].concat();
                prop_assert!(is_value(&new, 0), "{} {}", text, new);
            }
        }
    }

    #[test]
    fn only_the_inside_of_a_value_keeps_its_shape() {
        let text = r#"{"city":"Bonn","line":["a\\b","c"]}"#;
        let check = |what: &str, middle: &str| {
            let from = text.find(what).unwrap_or_default();
            keeps_its_shape(text, (from, text.len() - from - what.len()), middle)
        };
        assert!(check("Bonn", "Berlin") && check("on", "") && check("B", "ä"));
        assert!(!check("a", "x"), "before an escape nothing is said");
        assert!(!check("Bonn", "a\"") && !check("Bonn", "a\\") && !check("Bonn", "\n"));
        assert!(!check("city", "town") && !check("\"Bonn\"", "1") && !check("n\",\"l", "x"));
        assert!(!check("c\"]", "x"), "behind an escape nothing is said");
    }

    #[test]
    fn values_are_replaced_and_members_added_in_order() {
        let check = |tokens: &[&str], new: &str| {
            let new = clisonix_fhir::json::parse(new.as_bytes()).unwrap();
            replaced("", r#"{"b":[1,{"c":2}],"d":"x"}"#, tokens, &new).unwrap_or_default()
        };
        assert_eq!(check(&["d"], "7"), r#"{"b":[1,{"c":2}],"d":7}"#);
        assert_eq!(check(&["b", "0"], "7"), r#"{"b":[7,{"c":2}],"d":"x"}"#);
        assert_eq!(check(&["b", "1", "c"], "7"), r#"{"b":[1,{"c":7}],"d":"x"}"#);
        assert_eq!(check(&["b", "1", "a"], "7"), r#"{"b":[1,{"a":7,"c":2}],"d":"x"}"#);
        assert_eq!(check(&["c"], "7"), r#"{"b":[1,{"c":2}],"c":7,"d":"x"}"#);
        assert_eq!(check(&["e"], "7"), r#"{"b":[1,{"c":2}],"d":"x","e":7}"#);
        assert_eq!(check(&["b", "2"], "7"), "");
        assert_eq!(check(&["b", "1", "c", "d"], "7"), "");
        let seven = Value::from(7_u64);
        assert_eq!(replaced("", "{}", &["a"], &seven), Some(r#"{"a":7}"#.to_owned()));
        assert_eq!(replaced("x:", "1", &[] as &[&str], &seven), Some("x:7".to_owned()));
        assert_eq!(replaced("", "{}", &["\""], &seven), None);
    }

    #[test]
    fn members_are_taken_apart() {
        assert_eq!(
            members(r#""a":1,"_a":{"id":"x"}"#, 0),
            Some(vec![("a", "1"), ("_a", r#"{"id":"x"}"#)])
        );
        assert_eq!(members(r#""a": 1"#, 0), None);
        assert_eq!(members("", 0), None);
    }
}
