//! MLLP framing (HL7 v2 Transport, minimal lower layer protocol) as a byte state machine.
//!
//! A frame is `0x0B` message `0x1C 0x0D`. The decoder takes whatever bytes arrive and gives events;
//! it resumes at any split, reads each byte once, and never holds more than its limit.

#[cfg(test)]
mod tests;

/// Start of a frame.
pub const START_BLOCK: u8 = 0x0B;
/// End of a frame, first byte.
pub const END_BLOCK: u8 = 0x1C;
/// End of a frame, second byte.
pub const CARRIAGE_RETURN: u8 = 0x0D;
/// Longest message accepted unless set otherwise, in bytes.
pub const DEFAULT_MAX_BYTES: usize = 50 * 1024 * 1024;
/// How much is kept of a message that is too long, and of noise, in bytes.
pub const HEAD_BYTES: usize = 4 * 1024;

/// What the decoder saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole frame, without its framing bytes.
    Message(Vec<u8>),
    /// A frame without its end: a new frame began within it. What had come of it.
    Broken(Vec<u8>),
    /// A frame beyond the limit; its first [`HEAD_BYTES`], enough to answer it.
    TooLong(Vec<u8>),
    /// Bytes outside frames.
    Noise {
        /// Their first [`HEAD_BYTES`].
        head: Vec<u8>,
        /// How many there were.
        length: u64,
        /// They look like the first bytes of TLS or HTTP: another protocol is speaking.
        foreign: bool,
    },
}

/// Takes bytes as they arrive and gives [`Event`]s.
#[derive(Debug)]
pub struct Decoder {
    max_bytes: usize,
    state: State,
    body: Vec<u8>,
    /// The frame is beyond the limit: only its head is kept.
    over: bool,
    /// The last four bytes of the frame, to see a frame that begins within it.
    recent: [u8; 4],
    noise_length: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Outside,
    Inside,
    /// After an end block inside a frame.
    Ending,
    /// After a whole frame that ended without carriage return, which may still come.
    Ended,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_BYTES)
    }
}

impl Decoder {
    /// A decoder that accepts messages of up to `max_bytes`.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            state: State::Outside,
            body: Vec::new(),
            over: false,
            recent: [0; 4],
            noise_length: 0,
        }
    }

    /// Takes the next bytes; every finished event goes to `sink`, in order.
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(Event)) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            let plain = match self.state {
                State::Outside => rest.iter().position(|b| *b == START_BLOCK),
                State::Inside if self.recent.contains(&START_BLOCK) => Some(0),
                State::Inside => rest.iter().position(|b| matches!(*b, START_BLOCK | END_BLOCK)),
                State::Ending | State::Ended => Some(0),
            };
            let run = plain.unwrap_or(rest.len());
            if run > 0 {
                let (head, tail) = rest.split_at(run);
                self.take(head);
                rest = tail;
            } else {
                self.step(byte, &mut sink);
                rest = after;
            }
        }
    }

    /// Whether a frame ended without its carriage return. If nothing more comes for a short time,
    /// call [`Decoder::settle`].
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.state == State::Ending
    }

    /// Whether a frame has begun and not ended.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        matches!(self.state, State::Inside | State::Ending)
    }

    /// The sender is silent: accepts a lone end block as the end, and hands out noise held back.
    pub fn settle(&mut self, mut sink: impl FnMut(Event)) {
        match self.state {
            State::Ending => {
                self.finish(&mut sink);
                self.state = State::Ended;
            }
            State::Outside => self.flush_noise(&mut sink),
            State::Inside | State::Ended => {}
        }
    }

    /// The connection closed: everything held becomes an event.
    pub fn close(&mut self, mut sink: impl FnMut(Event)) {
        match self.state {
            State::Ending => self.finish(&mut sink),
            State::Inside => {
                let body = std::mem::take(&mut self.body);
                sink(if self.over { Event::TooLong(body) } else { Event::Broken(body) });
            }
            State::Outside | State::Ended => self.flush_noise(&mut sink),
        }
        *self = Self::new(self.max_bytes);
    }

    /// Takes bytes that mean nothing to the framing.
    fn take(&mut self, bytes: &[u8]) {
        if self.state == State::Outside {
            // Line ends between frames are usual and say nothing.
            let bytes = match self.noise_length {
                0 => trim_line_ends(bytes),
                _ => bytes,
            };
            self.noise_length += bytes.len() as u64;
            let room = HEAD_BYTES.saturating_sub(self.body.len()).min(bytes.len());
            self.body.extend_from_slice(bytes.get(..room).unwrap_or_default());
            return;
        }
        let room = if self.over {
            0
        } else {
            self.max_bytes.saturating_sub(self.body.len()).min(bytes.len())
        };
        self.body.extend_from_slice(bytes.get(..room).unwrap_or_default());
        if room < bytes.len() && !self.over {
            self.over = true;
            self.body.truncate(HEAD_BYTES);
            self.body.shrink_to_fit();
        }
    }

    fn step(&mut self, byte: u8, sink: &mut impl FnMut(Event)) {
        match (self.state, byte) {
            (State::Outside | State::Ended, START_BLOCK) => {
                self.flush_noise(sink);
                self.begin();
            }
            (State::Ended, CARRIAGE_RETURN) => self.state = State::Outside,
            (State::Outside | State::Ended, byte) => {
                self.state = State::Outside;
                self.take(&[byte]);
            }
            (State::Ending, CARRIAGE_RETURN | b'\n') => {
                self.finish(sink);
                self.state = State::Outside;
            }
            (State::Ending, START_BLOCK) => {
                self.finish(sink);
                self.begin();
            }
            (State::Ending, END_BLOCK) => self.inside(END_BLOCK, sink),
            (State::Ending, byte) => {
                self.state = State::Inside;
                self.inside(END_BLOCK, sink);
                self.inside(byte, sink);
            }
            (State::Inside, END_BLOCK) => self.state = State::Ending,
            (State::Inside, START_BLOCK) if self.body.is_empty() => {}
            (State::Inside, byte) => self.inside(byte, sink),
        }
    }

    /// One byte of a frame near a start block: `0x0B MSH` within a frame begins the next frame.
    fn inside(&mut self, byte: u8, sink: &mut impl FnMut(Event)) {
        self.take(&[byte]);
        let [_, second, third, fourth] = self.recent;
        self.recent = [second, third, fourth, byte];
        if self.recent == [START_BLOCK, b'M', b'S', b'H'] {
            let mut body = std::mem::take(&mut self.body);
            if !self.over {
                body.truncate(body.len().saturating_sub(4));
            }
            sink(if self.over { Event::TooLong(body) } else { Event::Broken(body) });
            self.begin();
            self.take(b"MSH");
        }
    }

    fn begin(&mut self) {
        self.state = State::Inside;
        self.body.clear();
        self.over = false;
        self.recent = [0; 4];
    }

    fn finish(&mut self, sink: &mut impl FnMut(Event)) {
        let body = std::mem::take(&mut self.body);
        sink(if self.over { Event::TooLong(body) } else { Event::Message(body) });
        self.over = false;
        self.recent = [0; 4];
    }

    fn flush_noise(&mut self, sink: &mut impl FnMut(Event)) {
        if self.noise_length > 0 {
            let head = std::mem::take(&mut self.body);
            let foreign = is_foreign(&head);
            sink(Event::Noise { head, length: self.noise_length, foreign });
        }
        self.body.clear();
        self.noise_length = 0;
    }
}

/// Frames a message. Framing bytes within the message are left out, as they could not be told
/// from the frame's own.
#[must_use]
pub fn encode(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(message.len() + 3);
    frame.push(START_BLOCK);
    frame.extend(message.iter().filter(|b| !matches!(**b, START_BLOCK | END_BLOCK)));
    frame.extend([END_BLOCK, CARRIAGE_RETURN]);
    frame
}

fn is_foreign(head: &[u8]) -> bool {
    let verbs: [&[u8]; 5] = [b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b"PRI * HTTP"];
    matches!(head, [0x16, 0x03, ..]) || verbs.iter().any(|verb| head.starts_with(verb))
}

fn trim_line_ends(bytes: &[u8]) -> &[u8] {
    let count = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n' | 0)).count();
    bytes.get(count..).unwrap_or_default()
}
