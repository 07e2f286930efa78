//! Acknowledgements (HL7 v2 2.9): MSH, MSA and ERR for a message that may not even parse.

#[cfg(test)]
mod tests;

use crate::{Address, Delimiters, escape, header};

/// Most bytes taken over from one field of the message.
pub const MAX_COPIED_BYTES: usize = 250;
/// Most ERR segments in one acknowledgement.
pub const MAX_ERRORS: usize = 20;

/// MSA-1 (HL7 table 0008).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckCode {
    /// AA: processed.
    Accept,
    /// AE: the content is at fault; sending it again unchanged will not help.
    Error,
    /// AR: not taken for a reason beyond the content, or of a kind not taken here.
    Reject,
    /// CA: stored safely (enhanced mode).
    CommitAccept,
    /// CE: not stored.
    CommitError,
    /// CR: not stored, of a kind not taken here.
    CommitReject,
}

impl AckCode {
    /// The code of table 0008.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "AA",
            Self::Error => "AE",
            Self::Reject => "AR",
            Self::CommitAccept => "CA",
            Self::CommitError => "CE",
            Self::CommitReject => "CR",
        }
    }
}

/// One ERR segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckError {
    /// ERR-2: where; `None` for the whole message.
    pub at: Option<Address>,
    /// ERR-3: code of HL7 table 0357, such as `101` (required field missing), `207` (internal).
    pub code: &'static str,
    /// ERR-4: `E` error, `W` warning, `I` information (HL7 table 0516).
    pub severity: char,
    /// ERR-8: a sentence without any value of the message.
    pub text: String,
}

/// What to answer. Nothing here is read from a clock: the caller gives the time.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// MSA-1.
    pub code: AckCode,
    /// MSH-10 of the answer itself.
    pub control_id: &'a str,
    /// MSH-7, as `YYYYMMDDHHMMSS+ZZZZ`.
    pub time: &'a str,
    /// ERR segments and MSA-3 of the first; at most [`MAX_ERRORS`].
    pub errors: &'a [AckError],
}

/// Whether the message is an acknowledgement itself, which is never acknowledged.
#[must_use]
pub fn is_acknowledgement(message: &[u8]) -> bool {
    let (_, header) = start(message);
    let delimiters = delimiters(header);
    let kind = header::raw_field(header, delimiters.field, 9);
    kind.split(|b| *b == delimiters.component)
        .next()
        .is_some_and(|code| matches!(code, b"ACK" | b"MCF") || code.eq_ignore_ascii_case(b"ack"))
}

/// The acknowledgement of `message`, segments ended by carriage returns, not framed.
///
/// Sender and receiver change places. What is taken over from the message (MSH-3 to -6, -9 to -12)
/// keeps its bytes and delimiters, without control bytes, and is cut at [`MAX_COPIED_BYTES`].
#[must_use]
pub fn acknowledge(message: &[u8], answer: &Answer<'_>) -> Vec<u8> {
    let (found, header) = start(message);
    let d = delimiters(header);
    let field = |number: usize| if found { copied(header, d, number) } else { Vec::new() };
    let mut out = Line::new(d);
    out.name("MSH");
    out.bytes.push(d.field);
    out.bytes.extend(signs(d));
    for number in [5, 6, 3, 4] {
        out.field(&field(number));
    }
    out.text(answer.time);
    out.field(b"");
    out.field(&reply_type(&field(9), d));
    out.text(answer.control_id);
    out.field(or(&field(11), b"P"));
    let version = field(12);
    out.field(or(&version, b"2.5.1"));
    out.end();
    out.name("MSA");
    out.text(answer.code.as_str());
    out.field(&field(10));
    if let Some(first) = answer.errors.first() {
        out.text(&first.text);
    }
    out.end();
    for error in answer.errors.iter().take(MAX_ERRORS) {
        out.error(error);
    }
    out.bytes
}

/// The answer as it grows.
struct Line {
    bytes: Vec<u8>,
    delimiters: Delimiters,
}

impl Line {
    fn new(delimiters: Delimiters) -> Self {
        Self { bytes: Vec::with_capacity(512), delimiters }
    }

    fn name(&mut self, name: &str) {
        self.bytes.extend_from_slice(name.as_bytes());
    }

    fn field(&mut self, raw: &[u8]) {
        self.bytes.push(self.delimiters.field);
        self.bytes.extend_from_slice(raw);
    }

    fn text(&mut self, text: &str) {
        let safe: String = text.chars().filter(|c| !c.is_control()).collect();
        let encoded = escape::encode(&safe, &self.delimiters);
        self.field(encoded.as_bytes());
    }

    fn end(&mut self) {
        self.bytes.push(b'\r');
    }

    fn error(&mut self, error: &AckError) {
        let component = char::from(self.delimiters.component);
        self.name("ERR");
        self.field(b"");
        let place = error.at.map_or_else(String::new, |a| {
            let parts = [a.occurrence, a.field, a.repetition, a.component, a.subcomponent];
            parts
                .iter()
                .fold(a.segment.to_string(), |text, part| format!("{text}{component}{part}"))
        });
        self.field(place.as_bytes());
        self.field(format!("{}{component}{component}HL70357", error.code).as_bytes());
        self.field(error.severity.to_string().as_bytes());
        for _ in 5..8 {
            self.field(b"");
        }
        self.text(&error.text);
        self.end();
    }
}

/// Whether a header was found, and the message from there.
fn start(message: &[u8]) -> (bool, &[u8]) {
    match header::find(message) {
        Ok(begin) => (true, message.get(begin..).unwrap_or_default()),
        Err(_) => (false, &[]),
    }
}

fn delimiters(header: &[u8]) -> Delimiters {
    Delimiters::read(header).map(|(d, _)| d).unwrap_or_default()
}

fn copied(header: &[u8], delimiters: Delimiters, number: usize) -> Vec<u8> {
    let raw = header::raw_field(header, delimiters.field, number);
    let cut = raw.get(..MAX_COPIED_BYTES).unwrap_or(raw);
    cut.iter().copied().filter(|b| !b.is_ascii_control()).collect()
}

/// `ACK^A01^ACK` for a message of event A01.
fn reply_type(kind: &[u8], delimiters: Delimiters) -> Vec<u8> {
    let event = kind.split(|b| *b == delimiters.component).nth(1).unwrap_or_default();
    if event.is_empty() {
        return b"ACK".to_vec();
    }
    let mark = [delimiters.component];
    [&b"ACK"[..], &mark, event, &mark, b"ACK"].concat()
}

fn signs(d: Delimiters) -> Vec<u8> {
    let four = [Some(d.component), d.repetition, d.escape, d.subcomponent, d.truncation];
    four.into_iter().map_while(|sign| sign).collect()
}

fn or<'a>(value: &'a [u8], usual: &'a [u8]) -> &'a [u8] {
    if value.is_empty() { usual } else { value }
}
