//! HL7 v2 parser and MLLP framing.
