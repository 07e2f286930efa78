//! Character sets by MSH-18 (HL7 table 0211).

use encoding_rs::Encoding;
use std::borrow::Cow;

/// How the bytes of a message's values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// ASCII; a byte above 127 is an error.
    Ascii,
    /// UTF-8; a malformed sequence is an error.
    Utf8,
    /// A set in which every ASCII byte means itself: the ISO 8859 family, EUC.
    Superset(&'static Encoding),
    /// A set whose later bytes may look like delimiters (GB 18030, Big5, Shift-JIS, ISO 2022):
    /// the message is turned to UTF-8 before it is split.
    Wide(&'static Encoding),
}

/// What MSH-18 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declared {
    Nothing,
    Known(Charset),
    Unknown,
    /// UTF-16 or UTF-32.
    Unreadable,
}

impl Charset {
    /// The set's usual name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ascii => "US-ASCII",
            Self::Utf8 => "UTF-8",
            Self::Superset(encoding) | Self::Wide(encoding) => encoding.name(),
        }
    }

    /// Decodes bytes; `None` if they are not valid in this set. Never a replacement character.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Ascii if !bytes.is_ascii() => None,
            Self::Ascii | Self::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Superset(encoding) | Self::Wide(encoding) => {
                encoding.decode_without_bom_handling_and_without_replacement(bytes)
            }
        }
    }

    /// The offset of the first byte that is not valid in this set.
    pub(crate) fn first_invalid(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Ascii => (!bytes.is_ascii())
                .then(|| bytes.iter().position(|b| !b.is_ascii()).unwrap_or_default()),
            Self::Utf8 => std::str::from_utf8(bytes).err().map(|e| e.valid_up_to()),
            Self::Superset(encoding) | Self::Wide(encoding) => first_malformed(encoding, bytes),
        }
    }

    /// The set that HL7 table 0211 (or habit) calls `name`.
    pub(crate) fn declared(name: &[u8]) -> Declared {
        let key: String = name
            .iter()
            .filter(|b| b.is_ascii_alphanumeric() || **b == b'/')
            .map(|b| char::from(b.to_ascii_uppercase()))
            .collect();
        let superset = |encoding| Declared::Known(Self::Superset(encoding));
        let wide = |encoding| Declared::Known(Self::Wide(encoding));
        match key.as_str() {
            "" => Declared::Nothing,
            "ASCII" | "USASCII" | "ISOIR6" => Declared::Known(Self::Ascii),
            "UNICODEUTF8" | "UTF8" | "UNICODE" => Declared::Known(Self::Utf8),
            "8859/1" | "ISOIR100" | "ISO88591" | "WINDOWS1252" | "CP1252" => {
                superset(encoding_rs::WINDOWS_1252)
            }
            "8859/2" | "ISOIR101" | "ISO88592" => superset(encoding_rs::ISO_8859_2),
            "8859/3" => superset(encoding_rs::ISO_8859_3),
            "8859/4" => superset(encoding_rs::ISO_8859_4),
            "8859/5" => superset(encoding_rs::ISO_8859_5),
            "8859/6" => superset(encoding_rs::ISO_8859_6),
            "8859/7" => superset(encoding_rs::ISO_8859_7),
            "8859/8" => superset(encoding_rs::ISO_8859_8),
            "8859/9" => superset(encoding_rs::WINDOWS_1254),
            "8859/10" => superset(encoding_rs::ISO_8859_10),
            "8859/13" => superset(encoding_rs::ISO_8859_13),
            "8859/14" => superset(encoding_rs::ISO_8859_14),
            "8859/15" | "ISO885915" => superset(encoding_rs::ISO_8859_15),
            "GB180302000" | "GB18030" => wide(encoding_rs::GB18030),
            "BIG5" | "BIG" => wide(encoding_rs::BIG5),
            "KSX1001" => wide(encoding_rs::EUC_KR),
            "SHIFTJIS" | "SJIS" => wide(encoding_rs::SHIFT_JIS),
            "ISOIR14" | "ISOIR87" | "ISOIR159" => wide(encoding_rs::ISO_2022_JP),
            "UNICODEUTF16" | "UTF16" | "UNICODEUTF32" | "UTF32" => Declared::Unreadable,
            _ => Declared::Unknown,
        }
    }
}

fn first_malformed(encoding: &'static Encoding, bytes: &[u8]) -> Option<usize> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut piece = String::with_capacity(256);
    let mut read_total = 0;
    loop {
        let rest = bytes.get(read_total..).unwrap_or_default();
        let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut piece, true);
        read_total += read;
        match result {
            encoding_rs::DecoderResult::InputEmpty => return None,
            encoding_rs::DecoderResult::OutputFull => piece.clear(),
            encoding_rs::DecoderResult::Malformed(length, extra) => {
                return Some(read_total.saturating_sub(usize::from(length) + usize::from(extra)));
            }
        }
    }
}
