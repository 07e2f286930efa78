//! The stored form of a text: the text itself, then the log's columns, then what is waiting.

use crate::wire::{DecodeError, Reader, put_bytes, put_u64};

use super::agents::Agents;
use super::graph::Graph;
use super::history::History;
use super::message::{Message, put_agents, read_agents};
use super::operations::Operations;
use super::rope::Rope;
use super::{MAX_EVENTS, MAX_MESSAGE_BYTES, Text, TextError, Waiting};

/// The first bytes of a stored text.
const MAGIC: &[u8; 4] = b"CLXT";
/// The stored format's version, after the magic bytes.
const STORAGE_VERSION: u8 = 1;

pub(super) fn encode(text: &Text) -> Vec<u8> {
    let history = &text.history;
    let mut out = Vec::with_capacity(2 * text.rope.len() as usize + 64);
    out.extend_from_slice(MAGIC);
    out.push(STORAGE_VERSION);
    let chunks = || text.rope.chunks();
    put_u64(&mut out, chunks().map(str::len).sum::<usize>() as u64);
    chunks().for_each(|chunk| out.extend_from_slice(chunk.as_bytes()));
    put_u64(&mut out, u64::from(history.len()));
    let agents = &history.agents;
    put_agents(&mut out, (0..agents.count()).map(|agent| agents.name(agent as u32)));
    encode_authors(history, &mut out);
    encode_graph(history, &mut out);
    history.operations.encode(&mut out);
    put_u64(&mut out, text.waiting.messages().count() as u64);
    text.waiting.messages().for_each(|message| put_bytes(&mut out, &message.encode()));
    out
}

pub(super) fn decode(bytes: &[u8]) -> Result<Text, TextError> {
    let mut reader = Reader::new(bytes);
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(DecodeError::Magic("a stored text").into());
    }
    match reader.byte()? {
        STORAGE_VERSION => {}
        newer => return Err(DecodeError::Version(newer).into()),
    }
    let rope = Rope::new(reader.str(MAX_EVENTS as usize * 4, "the text")?);
    let at = reader.at();
    let len = reader.u32("the number of events")?;
    if len > MAX_EVENTS || rope.len() > len {
        return Err(DecodeError::Limit { what: "the number of events", at }.into());
    }
    let agents = decode_authors(&mut reader, len)?;
    let graph = decode_graph(&mut reader, len)?;
    let operations = Operations::decode(&mut reader, len)?;
    let mut waiting = Waiting::default();
    for _ in 0..reader.count("the number of waiting messages")? {
        let message = Message::decode(reader.bytes(MAX_MESSAGE_BYTES, "a waiting message")?)?;
        for part in &message.parts {
            // What waits for nothing was found to be false in the meantime.
            if let Some(missing) = super::missing(&agents, &message, part) {
                waiting.add(missing, message.cut_out(part))?;
            }
        }
    }
    reader.end()?;
    let history = History { agents, graph, operations };
    Ok(Text { history, rope, merge: None, waiting })
}

fn encode_authors(history: &History, out: &mut Vec<u8>) {
    let mut runs = Vec::new();
    let mut count = 0_u64;
    let mut at = 0;
    while at < history.len() {
        let (agent, _, end) = history.agents.author(at);
        put_u64(&mut runs, u64::from(agent));
        put_u64(&mut runs, u64::from(end - at));
        count += 1;
        at = end;
    }
    put_u64(out, count);
    out.append(&mut runs);
}

fn decode_authors(reader: &mut Reader<'_>, len: u32) -> Result<Agents, TextError> {
    let at = reader.at();
    let wrong = DecodeError::Meaningless { what: "agent", at };
    let mut agents = Agents::default();
    let names = read_agents(reader)?;
    for (number, &name) in names.iter().enumerate() {
        if agents.intern(name)? as usize != number {
            return Err(wrong.into());
        }
    }
    for _ in 0..reader.count("the number of authors' runs")? {
        let agent = reader.u32("agent")?;
        let count = reader.u32("the number of events")?;
        if agent as usize >= names.len() || count == 0 || count > len - agents.len() {
            return Err(wrong.into());
        }
        agents.push(agent, count);
    }
    if agents.len() == len { Ok(agents) } else { Err(wrong.into()) }
}

fn encode_graph(history: &History, out: &mut Vec<u8>) {
    let mut runs = Vec::new();
    let mut count = 0_u64;
    let mut at = 0;
    while at < history.len() {
        let stretch = history.graph.stretch(at, history.len());
        let mut room = 0;
        let parents = history.graph.parents(at, &mut room);
        put_u64(&mut runs, u64::from(stretch.end - at));
        put_u64(&mut runs, parents.len() as u64);
        for parent in parents {
            put_u64(&mut runs, u64::from(at - parent));
        }
        count += 1;
        at = stretch.end;
    }
    put_u64(out, count);
    out.append(&mut runs);
}

fn decode_graph(reader: &mut Reader<'_>, len: u32) -> Result<Graph, TextError> {
    let mut graph = Graph::default();
    let mut parents = Vec::new();
    for _ in 0..reader.count("the number of runs")? {
        let at = reader.at();
        let wrong = DecodeError::Meaningless { what: "run of events", at };
        let count = reader.u32("the number of events")?;
        parents.clear();
        for _ in 0..reader.count("the number of parents")? {
            let back = reader.u32("a parent")?;
            let parent = graph.len().checked_sub(back).filter(|_| back > 0).ok_or(wrong)?;
            if parents.last().is_some_and(|&last| last >= parent) {
                return Err(wrong.into());
            }
            parents.push(parent);
        }
        if count == 0 || count > len - graph.len() {
            return Err(wrong.into());
        }
        graph.push(&parents, count);
    }
    let at = reader.at();
    if graph.len() == len {
        Ok(graph)
    } else {
        Err(DecodeError::Meaningless { what: "run of events", at }.into())
    }
}
