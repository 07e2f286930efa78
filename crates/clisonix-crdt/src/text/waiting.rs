//! Events that arrived before an event they have seen; bounded, and visible as a number.

use std::collections::BTreeMap;

use crate::ActorId;

use super::agents::Agents;
use super::message::Message;
use super::{EventId, MAX_WAITING_EVENTS, TextError};

/// Messages of one part, by the event that they wait for.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    by_missing: BTreeMap<EventId, Vec<Message>>,
    events: u32,
}

impl Waiting {
    pub(super) fn events(&self) -> u32 {
        self.events
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.by_missing.values().flatten()
    }

    /// Fails when too much would wait; then nothing is changed.
    pub(super) fn has_room(&self, events: u32) -> Result<(), TextError> {
        if self.events.saturating_add(events) > MAX_WAITING_EVENTS {
            return Err(TextError::Limit("the number of waiting events"));
        }
        Ok(())
    }

    pub(super) fn add(&mut self, missing: EventId, message: Message) -> Result<(), TextError> {
        let events = message.operations.len();
        self.has_room(events)?;
        let list = self.by_missing.entry(missing).or_default();
        if !list.contains(&message) {
            list.push(message);
            self.events += events;
        }
        Ok(())
    }

    /// Takes out what waits for an event that is there now.
    pub(super) fn take_ready(&mut self, agents: &Agents) -> Option<Vec<Message>> {
        let mut after = EventId { agent: ActorId([0; 16]), seq: 0 };
        loop {
            let (&missing, _) = self.by_missing.range(after..).next()?;
            if agents.event(missing).is_some() {
                let list = self.by_missing.remove(&missing)?;
                self.events -= list.iter().map(|message| message.operations.len()).sum::<u32>();
                return Some(list);
            }
            // The agent's later events are missing too.
            after = EventId { agent: missing.agent, seq: u32::MAX };
        }
    }
}
