//! Forms: the text files of keys. A line that names the form and its version, then `name: value`
//! lines in one order; every line ends with a line feed, and nothing else is in the file.

use base64ct::{Base64, Encoding};

use crate::error::{KeyError, VerifyError};
use crate::fingerprint::Fingerprint;
use crate::profile::Profile;

/// Most bytes of a form. The largest, a public file of two keys and a signature, has 11 KB.
pub const MAX_FORM_BYTES: usize = 16_384;

/// Most bytes of a name in a form.
pub const MAX_NAME_BYTES: usize = 64;

/// A key file or a statement that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// Another kind of file.
    #[error("not a {0}")]
    Kind(&'static str),
    /// Written by a newer program.
    #[error("a {0} of a newer version than this program knows")]
    Newer(&'static str),
    /// More than [`MAX_FORM_BYTES`].
    #[error("longer than {MAX_FORM_BYTES} bytes")]
    TooLong,
    /// A line is missing, of another name or more than there are.
    #[error("line {0} is not what it must be")]
    Line(usize),
    /// The value of a line cannot be read, or is not written in the one way it can be.
    #[error("the value of `{0}` cannot be read")]
    Value(&'static str),
    /// More memory, time or lanes than a file may ask for, see [`crate::key_file`].
    #[error("the file asks for more work than is allowed")]
    Cost,
    /// The pass-phrase is wrong, or what was derived from it is not what the file holds.
    #[error("wrong pass-phrase")]
    PassPhrase,
    /// The pass-phrase is right and the file is not as it was written.
    #[error("the file is not as it was written")]
    Damaged,
    /// It speaks of another key.
    #[error("it speaks of another key")]
    OtherKey,
    /// Keys of it cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It is not signed by whom it says.
    #[error(transparent)]
    Signature(#[from] VerifyError),
}

/// Writes a form.
pub(crate) fn write(kind: &str, lines: &[(&str, &str)]) -> String {
    let lines = lines.iter().map(|(name, value)| line(name, value));
    std::iter::once(format!("{kind} {VERSION}\n")).chain(lines).collect()
}

/// Writes a line, for those who add the last one themselves.
pub(crate) fn line(name: &str, value: &str) -> String {
    format!("{name}: {value}\n")
}

/// Reads the values of a form's lines.
pub(crate) fn read<'a, const N: usize>(
    bytes: &'a [u8],
    kind: &'static str,
    names: [&'static str; N],
) -> Result<[&'a str; N], FormError> {
    if bytes.len() > MAX_FORM_BYTES {
        return Err(FormError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| FormError::Kind(kind))?;
    let (title, rest) = text.split_once('\n').ok_or(FormError::Kind(kind))?;
    let version = title.strip_prefix(kind).and_then(|rest| rest.strip_prefix(' '));
    let version = version.and_then(|version| number("", version).ok());
    match version.ok_or(FormError::Kind(kind))? {
        VERSION => {}
        0 => return Err(FormError::Kind(kind)),
        _ => return Err(FormError::Newer(kind)),
    }
    let mut values = [""; N];
    let mut lines = rest.split_inclusive('\n');
    for (at, (name, own)) in names.into_iter().zip(&mut values).enumerate() {
        let line = lines.next().and_then(|line| line.strip_suffix('\n'));
        let value = line.and_then(|line| line.strip_prefix(name)?.strip_prefix(": "));
        *own = value.ok_or(FormError::Line(at + 2))?;
    }
    if lines.next().is_some() {
        return Err(FormError::Line(N + 2));
    }
    Ok(values)
}

/// Everything before the last line: what that line's signature or tag is over.
pub(crate) fn before_last_line(form: &[u8]) -> &[u8] {
    let whole = form.strip_suffix(b"\n").unwrap_or(form);
    let end = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    form.get(..end).unwrap_or_default()
}

/// A number, which has one way to be written.
pub(crate) fn number(name: &'static str, text: &str) -> Result<u64, FormError> {
    let number = text.parse::<u64>().ok().filter(|number| number.to_string() == text);
    number.ok_or(FormError::Value(name))
}

/// A name of 1 to [`MAX_NAME_BYTES`] letters, digits, `.`, `_` and `-`, which does not start with
/// a dot.
pub(crate) fn name(text: &str) -> Result<&str, FormError> {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.starts_with('.');
    if fits && text.chars().all(letter) { Ok(text) } else { Err(FormError::Value("name")) }
}

/// A profile by its name.
pub(crate) fn profile(text: &str) -> Result<Profile, FormError> {
    text.parse().map_err(|_| FormError::Value("profile"))
}

/// Base64 bytes (RFC 4648 section 4, padded), which have one way to be written.
pub(crate) fn base64(name: &'static str, text: &str) -> Result<Vec<u8>, FormError> {
    Base64::decode_vec(text).map_err(|_| FormError::Value(name))
}

/// Bytes as base64.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// A fingerprint of 64 small hexadecimal digits.
pub(crate) fn fingerprint(name: &'static str, text: &str) -> Result<Fingerprint, FormError> {
    Fingerprint::from_hexadecimal(text).ok_or(FormError::Value(name))
}

/// The version of all forms.
const VERSION: u64 = 1;
