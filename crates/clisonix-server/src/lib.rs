//! The driver of a node: the one crate that uses the network.
//!
//! [`Transport`] listens on one TCP port, dials the peers that have an address, opens links of
//! [`clisonix_pq::link`] with both ends pinned, and carries framed messages over them in both
//! directions. It knows nothing of what is in the messages: whoever started it gets an [`Event`]
//! for each link and each message, and answers through a [`Line`]. A [`Server`] is a transport with
//! the engine over it: one thread that owns the sessions with all peers and works for a [`Home`].
//!
//! Threads with blocking sockets, two for each link: one reads, one writes, and both share the link,
//! which itself touches no socket. `docs/design/0010-tide.md` says why.

mod address;
mod credit;
mod dialing;
mod engine;
mod error;
mod frame;
mod home;
mod line;
mod listening;
mod of_node;
mod opening;
mod pairing;
mod places;
mod signer;
mod traffic;
mod transport;

pub use address::{CONNECT_MS, MAX_PROXY_HEAD_BYTES};
pub use credit::{Credit, MAX_UNHANDLED, MAX_UNHANDLED_BYTES};
pub use dialing::{FIRST_PAUSE_MS, LAST_PAUSE_MS};
pub use engine::{PeerStatus, Recorder, Server, ServerStatus, TICK_MS, Way};
pub use error::{Ending, ServerError};
pub use frame::{FrameError, Frames, MAX_MESSAGE_BYTES};
pub use home::{Home, HomeError, Kept, Member, News};
pub use line::{
    KEEP_ALIVE_MS, LEAST_BYTES_A_MS, Line, MAX_MESSAGE_MS, MAX_QUEUED_BYTES, SILENCE_MS, WRITE_MS,
};
pub use listening::{MAX_OPENINGS, MAX_OPENINGS_OF_ONE};
pub use of_node::NodeHome;
pub use pairing::{CodeEnd, Joined, MAX_PAIRINGS, MAX_PAIRINGS_OF_ONE, OpenCode, join};
pub use signer::{node_id, verify_receipt};
pub use traffic::{Fault, Traffic};
pub use transport::{Event, Known, Settings, Transport};
