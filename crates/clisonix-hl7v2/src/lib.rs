//! HL7 version 2 messages as a flat index over their own bytes, MLLP framing, and acknowledgements.
//!
//! One pass over a message gives a list of [`Leaf`]s, each an address and a byte range. Nothing is
//! unescaped, decoded or copied until a value is asked for, so that what no reader asks for costs
//! nothing and is never lost: every byte of a message is part of a leaf, a delimiter, a segment
//! name or a line end.
//!
//! ```
//! use clisonix_hl7v2::Message;
//! let message = Message::parse(b"MSH|^~\\&|LAB|NORTH\rPID|1||12^^^A&1.2.3&ISO^MR\r").unwrap();
//! assert_eq!(message.text_at("PID-3.4.2").unwrap().as_deref(), Some("1.2.3"));
//! ```
//!
//! Faults are of two kinds. What makes a message unreadable is a [`ParseError`]; what was strange
//! but could be read is a [`Report`] beside the message. Neither ever holds a value of the message.

pub mod ack;
pub mod address;
pub mod batch;
pub mod charset;
pub mod delimiters;
pub mod error;
pub mod escape;
pub mod header;
pub mod message;
pub mod mllp;
pub mod segment;
pub mod timestamp;

pub use address::Address;
pub use batch::{Batch, split};
pub use charset::Charset;
pub use delimiters::Delimiters;
pub use error::{ParseError, Report, ReportKind};
pub use escape::Text;
pub use message::{Leaf, Message, Options, Segment};
pub use segment::SegmentName;
pub use timestamp::Timestamp;
