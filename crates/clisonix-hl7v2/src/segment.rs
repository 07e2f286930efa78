//! Segment names: which first bytes of a line make it a segment.

use std::fmt;

/// A segment's name in upper case: three letters or digits, four for some local segments.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName([u8; 4]);

impl SegmentName {
    /// The message header.
    pub const MSH: Self = Self(*b"MSH\0");

    /// A name from its text; `None` unless it is three or four ASCII letters or digits, a letter
    /// first. Lower case is taken as upper case.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = std::str::from_utf8(&self.0).unwrap_or_default();
        text.trim_end_matches('\0')
    }

    /// Whether the standard (v2.1 to v2.9) has a segment of this name.
    #[must_use]
    pub fn is_standard(self) -> bool {
        STANDARD.binary_search(&self.as_str()).is_ok()
    }

    /// Whether the name begins with Z, as local segments do (HL7 v2 2.11).
    #[must_use]
    pub fn is_local(self) -> bool {
        self.0.first() == Some(&b'Z')
    }

    /// Whether the segment carries delimiters in its first two fields.
    #[must_use]
    pub fn is_header(self) -> bool {
        matches!(self.as_str(), "MSH" | "FHS" | "BHS")
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut name = [0u8; 4];
        let fits = matches!(bytes.len(), 3 | 4)
            && bytes.first().is_some_and(u8::is_ascii_alphabetic)
            && bytes.iter().all(u8::is_ascii_alphanumeric);
        if !fits {
            return None;
        }
        for (to, from) in name.iter_mut().zip(bytes) {
            *to = from.to_ascii_uppercase();
        }
        Some(Self(name))
    }

    /// The segment name that `line` begins with, if the line is a segment.
    ///
    /// Lines of free text must not pass for segments, so the rule is stricter where a word of
    /// text looks like a name: lower case needs a name of the standard or a Z, and so does a name
    /// that no separator follows; four signs need a Z.
    pub(crate) fn at_line_start(line: &[u8], separator: u8) -> Option<Self> {
        let three = line.get(..3)?;
        let name = Self::from_bytes(three)?;
        match line.get(3) {
            Some(&byte) if byte == separator => {
                let upper = !three.iter().any(u8::is_ascii_lowercase);
                (upper || name.is_standard() || name.is_local()).then_some(name)
            }
            None | Some(b'\r' | b'\n') => (name.is_standard() || name.is_local()).then_some(name),
            Some(_) if name.is_local() && line.get(4) == Some(&separator) => {
                Self::from_bytes(line.get(..4)?)
            }
            Some(_) => None,
        }
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The names of the standard's segments, sorted (HL7 v2.1 to v2.9, appendix A.3).
#[rustfmt::skip]
const STANDARD: &[&str] = &[
    "ABS", "ACC", "ADD", "ADJ", "AFF", "AIG", "AIL", "AIP", "AIS", "AL1", "APR", "ARQ", "ARV",
    "AUT", "BHS", "BLC", "BLG", "BPO", "BPX", "BTS", "BTX", "BUI", "CDM", "CDO", "CER", "CM0",
    "CM1", "CM2", "CNS", "CON", "CSP", "CSR", "CSS", "CTD", "CTI", "CTR", "DB1", "DEV", "DG1",
    "DMI", "DON", "DPS", "DRG", "DSC", "DSP", "DST", "ECD", "ECR", "EDU", "EQL", "EQP", "EQU",
    "ERQ", "ERR", "EVN", "FAC", "FHS", "FT1", "FTS", "GOL", "GP1", "GP2", "GT1", "IAM", "IAR",
    "IIM", "ILT", "IN1", "IN2", "IN3", "INV", "IPC", "IPR", "ISD", "ITM", "IVC", "IVT", "LAN",
    "LCC", "LCH", "LDP", "LOC", "LRL", "MCP", "MFA", "MFE", "MFI", "MRG", "MSA", "MSH", "NCK",
    "NDS", "NK1", "NPU", "NSC", "NST", "NTE", "OBR", "OBX", "ODS", "ODT", "OH1", "OH2", "OH3",
    "OH4", "OM1", "OM2", "OM3", "OM4", "OM5", "OM6", "OM7", "OMC", "ORC", "ORG", "OVR", "PAC",
    "PCE", "PCR", "PD1", "PDA", "PDC", "PEO", "PES", "PID", "PKG", "PM1", "PMT", "PR1", "PRA",
    "PRB", "PRC", "PRD", "PRT", "PSG", "PSH", "PSL", "PSS", "PTH", "PV1", "PV2", "PYE", "QAK",
    "QID", "QPD", "QRD", "QRF", "QRI", "RCP", "RDF", "RDT", "REL", "RF1", "RFI", "RGS", "RMI",
    "ROL", "RQ1", "RQD", "RXA", "RXC", "RXD", "RXE", "RXG", "RXO", "RXR", "RXV", "SAC", "SCD",
    "SCH", "SCP", "SDD", "SFT", "SGH", "SGT", "SHP", "SID", "SLT", "SPM", "SPR", "STF", "STZ",
    "TCC", "TCD", "TQ1", "TQ2", "TXA", "UAC", "UB1", "UB2", "URD", "URS", "VAR", "VND", "VTQ",
];
