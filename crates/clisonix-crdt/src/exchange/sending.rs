//! Giving changes out: as batches, runs and single changes.

use crate::actor::ActorId;
use crate::batch;
use crate::change::{ChangeId, RawOp, Typed, find_op, raw_ops};
use crate::log::Logged;
use crate::overwritten::Overwritten;
use crate::record::Record;
use crate::state::{ChangeNo, Written};
use crate::time::HybridTime;
use crate::travel::{BaseOp, Incoming, Numbering, Outgoing, RunWriter, WireOp};

use super::Form;

impl Record {
    /// Everything that a replica with `heads` lacks, as a batch; `[]` gives all. Heads that are not
    /// known here are passed over, so that too much may be sent, never too little.
    pub fn changes_since(&self, heads: &[ChangeId]) -> Vec<u8> {
        self.batch_since(heads, Form::Short)
    }

    /// As [`Self::changes_since`], with every operation spelled whole. A replica that has erased
    /// what a change overwrites refuses the short form ([`crate::RefusalReason::Base`]) and takes
    /// this one.
    pub fn whole_changes_since(&self, heads: &[ChangeId]) -> Vec<u8> {
        self.batch_since(heads, Form::Whole)
    }

    fn batch_since(&self, heads: &[ChangeId], form: Form) -> Vec<u8> {
        let known: Vec<ChangeNo> = heads.iter().filter_map(|head| self.number_of(head)).collect();
        let seen = self.log.clock_of(&known, &self.tables);
        let missing = self.log.rows().map(|(_, row)| row);
        let missing = missing.filter(|row| !seen.covers(row.stamp.actor, row.stamp.seq));
        batch::encode(&self.id, missing.map(|row| self.outgoing(row, form)))
    }

    /// The numbers of the changes that a replica lacks which has these heads and these changes of
    /// actors, with all before them; ascending, so causes come before their effects. What is not
    /// known here is passed over. The first change has number 0 (see [`Self::change_count`]).
    pub fn missing_since(&self, heads: &[ChangeId], places: &[(ActorId, u32)]) -> Vec<usize> {
        let heads = heads.iter().filter_map(|head| self.number_of(head));
        // Who has a later change of an actor has those that are here.
        let places = places
            .iter()
            .filter_map(|&(actor, seq)| self.known((actor, seq.min(self.last_seq(actor)))));
        let known: Vec<ChangeNo> = heads.chain(places).collect();
        let seen = self.log.clock_of(&known, &self.tables);
        let missing = self.log.rows().filter(|(_, row)| {
            let stamp = &row.stamp;
            !seen.covers(stamp.actor, stamp.seq)
        });
        missing.map(|(number, _)| number as usize).collect()
    }

    /// The changes with these numbers as a batch; `is_whole` as [`Self::whole_changes_since`].
    pub fn changes_numbered(&self, numbers: &[usize], is_whole: bool) -> Vec<u8> {
        let form = if is_whole { Form::Whole } else { Form::Short };
        let rows = numbers.iter().filter_map(|&number| self.log.get(number as ChangeNo));
        batch::encode(&self.id, rows.map(|row| self.outgoing(row, form)))
    }

    /// Actor and sequence number of the change with a number here.
    pub fn place_of(&self, number: usize) -> Option<(ActorId, u32)> {
        let (actor, seq) = self.dot(number as ChangeNo)?;
        Some((self.tables.actor(actor), seq))
    }

    /// One change as a batch of its own.
    pub fn change(&self, id: &ChangeId) -> Option<Vec<u8>> {
        self.batch_of(id, Form::Short)
    }

    /// As [`Self::change`], with every operation spelled whole.
    pub fn whole_change(&self, id: &ChangeId) -> Option<Vec<u8>> {
        self.batch_of(id, Form::Whole)
    }

    fn batch_of(&self, id: &ChangeId, form: Form) -> Option<Vec<u8>> {
        let row = self.log.get(self.number_of(id)?)?;
        Some(batch::encode(&self.id, std::iter::once(self.outgoing(row, form))))
    }

    /// The changes that wait, as a batch; empty if none does.
    pub(crate) fn waiting_batch(&self) -> Vec<u8> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let changes = self.waiting.values().flatten();
        let keys = |change: &Incoming| self.secrets.get(&change.actor);
        batch::encode(&self.id, changes.map(|change| change.outgoing(keys(change))))
    }

    /// Appends the changes from number `first` on to `out`.
    pub(crate) fn write_run(
        &self,
        first: usize,
        numbering: &mut Numbering,
        in_columns: bool,
        out: Vec<u8>,
    ) -> Vec<u8> {
        let mut run = RunWriter::new(numbering, &self.id, in_columns, out);
        for (_, row) in self.log.rows_from(first as ChangeNo) {
            run.push(&self.outgoing(row, Form::Short));
        }
        run.finish()
    }

    /// A change as it travels.
    pub(crate) fn outgoing<'a>(&'a self, row: &'a Logged, form: Form) -> Outgoing<'a> {
        let stamp = &row.stamp;
        let actor = self.tables.actors.get(stamp.actor as usize);
        let actor = actor.filter(|_| form != Form::Kept && stamp.seq == 1);
        let dots = row.deps.iter().filter_map(|&dep| self.dot(dep));
        let mut deps: Vec<(ActorId, u32)> = dots
            .filter(|(dep, _)| *dep != stamp.actor)
            .map(|(a, s)| (self.tables.actor(a), s))
            .collect();
        deps.sort_unstable();
        let source = stamp.source.checked_sub(1).and_then(|s| self.tables.sources.get(s as usize));
        let bases = row.bases.iter().copied().chain(std::iter::repeat(None));
        let ops = raw_ops(&row.ops).zip(bases).map(|(op, base)| {
            if let Some(Written::Edits(bytes)) = op.write
                && (form == Form::Whole || self.is_rootless(bytes))
            {
                return WireOp::typed_whole(&op, bytes);
            }
            let base = base.filter(|_| form != Form::Whole);
            let base = base.and_then(|base| self.base_op(&base, &op));
            WireOp::spell(&op, base.as_ref())
        });
        Outgoing {
            actor: self.tables.actor(stamp.actor),
            keys: actor.map(|actor| &actor.keys),
            seq: stamp.seq,
            deps,
            time: HybridTime(stamp.time),
            author: self.tables.authors.name(stamp.author),
            source: source.map(|&(feed, message)| {
                (self.tables.feeds.name(feed), message, HybridTime(stamp.said).millis())
            }),
            order: row.order.as_deref(),
            erased: &row.erased,
            ops: ops.collect(),
        }
    }

    /// Whether the text that edits are in was erased.
    fn is_rootless(&self, edits: &[u8]) -> bool {
        let root = Typed::read(edits).ok().map(|typed| typed.root);
        root.is_some_and(|root| self.log.is_erased(&root, &self.tables))
    }

    /// Actor and sequence number of a change, without the log if it is some actor's last.
    fn dot(&self, change: ChangeNo) -> Option<(u32, u32)> {
        match self.tables.stamps.get(change) {
            Some(stamp) => Some((stamp.actor, stamp.seq)),
            None => self.log.dot(change),
        }
    }

    /// How a message names what `op` overwrites; `None` if that was erased.
    fn base_op(&self, base: &Overwritten, op: &RawOp<'_>) -> Option<BaseOp> {
        let index = if let Some(index) = base.op {
            // What is still packed holds all that was overwritten since.
            let row = self.log.at_hand(base.change);
            Some(index).filter(|&index| row.is_none_or(|row| !row.is_erased(index)))?
        } else {
            let row = self.log.get(base.change)?;
            row.index_of(find_op(&row.ops, op.entry, op.address)?.0)?
        };
        let (actor, seq) = self.dot(base.change)?;
        Some(BaseOp {
            actor: self.tables.actor(actor),
            seq,
            op: index,
            prefix: base.prefix as usize,
            suffix: base.suffix as usize,
        })
    }
}
