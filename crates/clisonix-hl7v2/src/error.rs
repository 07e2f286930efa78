//! What can be wrong with a message: errors that stop reading, and reports beside a message.

use crate::SegmentName;

/// Why bytes could not be read as a message. No variant holds a value of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The bytes do not begin with an MSH segment (HL7 v2 2.5.1).
    #[error("no MSH segment at offset {offset}")]
    NoHeader {
        /// Where MSH was expected.
        offset: usize,
    },
    /// MSH-1 is not a printable ASCII sign, or is a letter or digit.
    #[error("MSH-1 is not usable as field separator (offset {offset})")]
    FieldSeparator {
        /// Where MSH-1 stands.
        offset: usize,
    },
    /// A sign in MSH-2 is a letter, a digit, a control byte or outside ASCII.
    #[error("MSH-2 holds a sign that cannot be a delimiter (offset {offset})")]
    EncodingCharacter {
        /// Where the sign stands.
        offset: usize,
    },
    /// The message is longer than the limit.
    #[error("message longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// There are more segments than the limit.
    #[error("more than {limit} segments")]
    TooManySegments {
        /// The limit.
        limit: usize,
    },
    /// There are more leaves than the limit.
    #[error("more than {limit} values (at {segment}, offset {offset})")]
    TooManyLeaves {
        /// The limit.
        limit: usize,
        /// The segment where the limit was reached.
        segment: SegmentName,
        /// Byte offset in the message.
        offset: usize,
    },
    /// A field, repetition, component or subcomponent number is beyond the limit.
    #[error("position number beyond {limit} in {segment}-{field} (offset {offset})")]
    PositionTooHigh {
        /// The limit.
        limit: u16,
        /// The segment.
        segment: SegmentName,
        /// The field.
        field: u16,
        /// Byte offset in the message.
        offset: usize,
    },
    /// Bytes that are not valid in the declared character set.
    #[error("bytes outside the declared character set in {segment}-{field} (offset {offset})")]
    Characters {
        /// The segment.
        segment: SegmentName,
        /// The field; 0 when the place is not known.
        field: u16,
        /// Byte offset in the message.
        offset: usize,
    },
    /// The message is in UTF-16 or UTF-32, whose bytes are no superset of ASCII.
    #[error("UTF-16 and UTF-32 are not read")]
    WideCharacters,
}

/// Something strange in a message that was read all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// What it is.
    pub kind: ReportKind,
    /// The segment it was seen in.
    pub segment: SegmentName,
    /// The field it was seen in; 0 when it concerns the whole segment.
    pub field: u16,
    /// Byte offset in the message.
    pub offset: usize,
}

/// The kinds of [`Report`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportKind {
    /// Bytes before MSH (byte order mark, line ends, a start block) were skipped.
    LeadingBytes,
    /// MSH-2 gives fewer than four signs; the usual ones were taken for the rest.
    DelimiterDefaulted,
    /// MSH-2 gives more than five signs, or one sign twice; the sign counts once.
    DelimiterRepeated,
    /// The escape sign was doubled in MSH-2 (as JSON writers do) and is read doubled in values.
    EscapeDoubled,
    /// A line that begins with no segment name was joined to the field before it.
    LineJoined,
    /// A line feed ended a segment in a message whose segments end with carriage returns.
    LineEndsMixed,
    /// A segment name stands behind blanks.
    Indented,
    /// A second MSH stands in one message.
    SecondHeader,
    /// The last segment has no line end.
    Unterminated,
    /// The message breaks off within a value or a segment name.
    Truncated,
    /// MSH-18 names a character set that is not known; it was read as if none were named.
    CharsetUnknown,
    /// No character set is named and the bytes are not UTF-8; read as windows-1252.
    CharsetGuessed,
}

impl ReportKind {
    /// A short sentence for people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::LeadingBytes => "bytes before the first segment were skipped",
            Self::DelimiterDefaulted => "missing encoding characters were taken as usual",
            Self::DelimiterRepeated => "repeated or surplus encoding characters were ignored",
            Self::EscapeDoubled => "the escape character is doubled",
            Self::LineJoined => "a line without segment name was joined to the field before it",
            Self::LineEndsMixed => "a line feed was taken as segment end between carriage returns",
            Self::Indented => "blanks before a segment name were skipped",
            Self::SecondHeader => "a second MSH stands in the message",
            Self::Unterminated => "the last segment has no line end",
            Self::Truncated => "the message breaks off",
            Self::CharsetUnknown => "the declared character set is not known",
            Self::CharsetGuessed => "no character set declared, read as windows-1252",
        }
    }

    /// Whether the message's structure was repaired in a way that another reader might not share.
    #[must_use]
    pub fn is_repair(self) -> bool {
        matches!(
            self,
            Self::LineJoined | Self::LineEndsMixed | Self::EscapeDoubled | Self::DelimiterRepeated
        )
    }
}
