//! Addresses of values as text: `PID-3[2].4.1`, `OBX[3]-5`.

use crate::SegmentName;
use std::fmt;
use std::str::FromStr;

/// Where a value stands. All numbers count from 1.
///
/// Text form: segment name, `[n]` for the n-th segment of that name in the message (absent = 1),
/// `-` field, `[n]` for the repetition (absent = 1), `.` component, `.` subcomponent (each absent
/// = 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The segment's name.
    pub segment: SegmentName,
    /// Which of the segments of that name.
    pub occurrence: u16,
    /// The field.
    pub field: u16,
    /// The repetition of the field.
    pub repetition: u16,
    /// The component.
    pub component: u16,
    /// The subcomponent.
    pub subcomponent: u16,
}

/// The text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address of the form PID-3[2].4.1")]
#[non_exhaustive]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (segment, rest) = text.split_once('-').ok_or(AddressError)?;
        let (name, occurrence) = indexed(segment)?;
        let mut parts = rest.split('.');
        let (field, repetition) = indexed(parts.next().ok_or(AddressError)?)?;
        let component = parts.next().map_or(Ok(1), number)?;
        let subcomponent = parts.next().map_or(Ok(1), number)?;
        if parts.next().is_some() {
            return Err(AddressError);
        }
        let segment = SegmentName::from_text(name).ok_or(AddressError)?;
        Ok(Self { segment, occurrence, field: number(field)?, repetition, component, subcomponent })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.segment)?;
        if self.occurrence != 1 {
            write!(f, "[{}]", self.occurrence)?;
        }
        write!(f, "-{}", self.field)?;
        if self.repetition != 1 {
            write!(f, "[{}]", self.repetition)?;
        }
        if self.component != 1 || self.subcomponent != 1 {
            write!(f, ".{}", self.component)?;
        }
        if self.subcomponent != 1 {
            write!(f, ".{}", self.subcomponent)?;
        }
        Ok(())
    }
}

/// Splits `name[n]` into its name and n, 1 when there is none.
fn indexed(text: &str) -> Result<(&str, u16), AddressError> {
    match text.split_once('[') {
        None => Ok((text, 1)),
        Some((name, index)) => Ok((name, number(index.strip_suffix(']').ok_or(AddressError)?)?)),
    }
}

fn number(text: &str) -> Result<u16, AddressError> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let value = if plain { text.parse().map_err(|_| AddressError)? } else { 0 };
    if value == 0 { Err(AddressError) } else { Ok(value) }
}
