//! The delimiters that a message declares in MSH-1 and MSH-2.

use crate::{ParseError, ReportKind};

/// The signs that structure one message (HL7 v2 2.5.4). `None` = the message has no such sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiters {
    /// MSH-1, between fields; usually `|`.
    pub field: u8,
    /// Between components; usually `^`.
    pub component: u8,
    /// Between repetitions; usually `~`.
    pub repetition: Option<u8>,
    /// Around escape sequences; usually `\`.
    pub escape: Option<u8>,
    /// Between subcomponents; usually `&`.
    pub subcomponent: Option<u8>,
    /// Marks a cut value (since v2.7); usually `#`.
    pub truncation: Option<u8>,
    /// Escape sequences are written with doubled escape signs.
    pub escape_doubled: bool,
}

impl Default for Delimiters {
    fn default() -> Self {
        Self {
            field: b'|',
            component: b'^',
            repetition: Some(b'~'),
            escape: Some(b'\\'),
            subcomponent: Some(b'&'),
            truncation: None,
            escape_doubled: false,
        }
    }
}

impl Delimiters {
    /// Reads MSH-1 and MSH-2 of a header that begins at the start of `header`.
    ///
    /// Missing signs take their usual value, unless that sign already has another role; what was
    /// repaired is returned with the offset (from the start of `header`) it was seen at.
    ///
    /// # Errors
    /// [`ParseError::FieldSeparator`] and [`ParseError::EncodingCharacter`], offsets as above.
    pub fn read(header: &[u8]) -> Result<(Self, Vec<(ReportKind, usize)>), ParseError> {
        let field = *header.get(3).ok_or(ParseError::FieldSeparator { offset: 3 })?;
        if !field.is_ascii_graphic() || field.is_ascii_alphanumeric() {
            return Err(ParseError::FieldSeparator { offset: 3 });
        }
        let rest = header.get(4..).unwrap_or_default();
        let length =
            rest.iter().position(|&b| b == field || b == b'\r' || b == b'\n').unwrap_or(rest.len());
        let declared = rest.get(..length).unwrap_or_default();
        if let Some(at) = declared
            .iter()
            .take(MAX_SIGNS)
            .position(|b| !b.is_ascii_graphic() || b.is_ascii_alphanumeric())
        {
            return Err(ParseError::EncodingCharacter { offset: 4 + at });
        }
        Ok(Self::assign(field, declared))
    }

    fn assign(field: u8, declared: &[u8]) -> (Self, Vec<(ReportKind, usize)>) {
        let mut reports = Vec::new();
        let mut signs: Vec<u8> = declared.iter().copied().take(MAX_SIGNS).collect();
        let mut escape_doubled = false;
        if let [_, _, a, b, ..] = signs.as_slice()
            && a == b
        {
            // `^~\\&`: a JSON or source-code layer escaped the backslash once too often.
            escape_doubled = true;
            signs.remove(3);
            reports.push((ReportKind::EscapeDoubled, 4));
        }
        if signs.len() == 3 && signs.get(2) == Some(&b'&') {
            // `^~&`: the escape sign was left out, the subcomponent separator is meant.
            signs.insert(2, b'\\');
            reports.push((ReportKind::DelimiterDefaulted, 4));
        }
        if declared.len() > MAX_SIGNS {
            reports.push((ReportKind::DelimiterRepeated, 4));
        }
        let mut taken = vec![field];
        let mut pick = |index: usize, usual: Option<u8>| -> Option<u8> {
            let given = signs.get(index).copied();
            if given.is_none() && usual.is_some() {
                reports.push((ReportKind::DelimiterDefaulted, 4));
            }
            let sign = given.or(usual)?;
            if taken.contains(&sign) {
                reports.push((ReportKind::DelimiterRepeated, 4));
                return None;
            }
            taken.push(sign);
            Some(sign)
        };
        let component = pick(0, Some(b'^'));
        let repetition = pick(1, Some(b'~'));
        let escape = pick(2, Some(b'\\'));
        let subcomponent = pick(3, Some(b'&'));
        let truncation = pick(4, None);
        reports.dedup();
        // A component separator equal to the field separator never separates anything.
        let component = component.unwrap_or(field);
        let delimiters =
            Self { field, component, repetition, escape, subcomponent, truncation, escape_doubled };
        (delimiters, reports)
    }
}

/// Signs that MSH-2 can give: component, repetition, escape, subcomponent, truncation, and one
/// more for a doubled escape sign.
const MAX_SIGNS: usize = 6;
