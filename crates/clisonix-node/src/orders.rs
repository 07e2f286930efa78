//! Orders to erase on their way to every node that ever held the record, and the receipts on their
//! way back: notices of Tide (`docs/formats/erasure.md`).
//!
//! An order goes to the nodes of which the access log says that they were given the record or gave
//! it. Who takes it verifies that a node that is admitted here has signed it, asks the site's rule
//! about that node, carries it out as soon as the change is here that erases, and orders the same at
//! the nodes that it gave the record to. The order about a whole record brings that change with it,
//! signed, because a peer that may not hold the record any more would not get it otherwise; by then
//! it and all before it are without content.

mod kept;

use std::collections::BTreeSet;

use clisonix_pq::checkpoint::StatementError;
use clisonix_pq::erasure::{Done, Order, OrderTerms, Receipt, ReceiptTerms};
use clisonix_pq::{Fingerprint, FormError, Identity, PublicIdentity};
use clisonix_store::{Access, Action, Batch};
use clisonix_tide::{NoticeId, Outcome};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::consent::Orders;
use crate::erasing::Erased;
use crate::error::NodeError;
use crate::node::{By, Node, access_about};
use crate::signing::SignedError;
use crate::signing::news::News;
use crate::tide::take_again;
use crate::version;

use self::kept::{Kept, KeptReceipt, Notice, is_order, is_receipt};

/// Longest notice of an order with the change that erases, in bytes.
pub const MAX_NOTICE_BYTES: usize = 32 << 20;
/// Most orders of one issuer that are kept and not answered yet.
pub const MAX_ORDERS: usize = 10_000;

/// Why an order or a receipt is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OrderError {
    /// It cannot be read, or its signature does not verify.
    #[error("the order or receipt is not as it was signed")]
    Form(#[from] FormError),
    /// A receipt for no order of this node.
    #[error("the receipt is for no order that this node knows")]
    NoOrder,
    /// More than [`MAX_ORDERS`] wait, or the notice is longer than [`MAX_NOTICE_BYTES`].
    #[error("there are too many orders")]
    TooMany,
}

/// How an order stands at this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderState {
    /// It is this node's own.
    Given,
    /// It waits for the change that erases, which a peer has to bring.
    Waiting,
    /// It waits for a person.
    Asking,
    /// It was carried out, and a receipt signed.
    Done,
    /// It was refused, and that was signed.
    Refused,
}

/// An order to erase that this node has given or taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOrder {
    /// What receipts name it by.
    pub digest: [u8; 32],
    /// Who gave it.
    pub issuer: Fingerprint,
    /// When, by the issuer's clock, in milliseconds since 1970-01-01T00:00:00Z.
    pub made_ms: u64,
    /// The record.
    pub record: String,
    /// The change that names what is erased.
    pub change: [u8; 32],
    /// Whether the inputs that carried the record are to be destroyed too.
    pub inputs: bool,
    /// How it stands here.
    pub state: OrderState,
    /// The nodes that it goes to, or came from.
    pub peers: Vec<Fingerprint>,
    /// What nodes have signed about it, this one's own receipt too.
    pub receipts: Vec<OrderReceipt>,
}

/// What a node has signed about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderReceipt {
    /// The node.
    pub site: Fingerprint,
    /// What became of the order there.
    pub done: Done,
    /// When, by that node's clock, in milliseconds since 1970-01-01T00:00:00Z.
    pub made_ms: u64,
}

impl KeptOrder {
    /// The nodes that it went to and that have not signed what became of it.
    pub fn unanswered(&self) -> impl Iterator<Item = Fingerprint> + '_ {
        let is_answered = |peer: &Fingerprint| self.receipts.iter().any(|it| it.site == *peer);
        let open = self.state == OrderState::Given;
        self.peers.iter().copied().filter(move |peer| open && !is_answered(peer))
    }
}

impl Node {
    /// Orders every node that ever held the record to carry out an erasure that was done here, and
    /// the inputs that carried it with it if `inputs` says so. `None` if there is no such node.
    ///
    /// # Errors
    /// [`SignedError::NoAuthor`]; [`NodeError::Write`].
    pub fn give_order(
        &self,
        erased: &Erased,
        inputs: bool,
        by: By<'_>,
    ) -> Result<Option<KeptOrder>, NodeError> {
        let peers = self.holders_of(&erased.record)?;
        let run = if erased.is_whole { self.erased_run(erased)? } else { Vec::new() };
        self.give(erased.order(0, inputs), &run, peers, by)
    }

    /// Signs an order for these nodes and keeps it, which gives it to them.
    fn give(
        &self,
        terms: OrderTerms,
        run: &[u8],
        mut peers: BTreeSet<Fingerprint>,
        by: By<'_>,
    ) -> Result<Option<KeptOrder>, NodeError> {
        let author = self.inside().signing.author().cloned().ok_or(SignedError::NoAuthor)?;
        peers.remove(&author.fingerprint());
        if peers.is_empty() {
            return Ok(None);
        }
        let now = self.inside().outside.now_ms();
        let terms = OrderTerms { made_ms: now, ..terms };
        let order = self
            .signed(author.identity(), |identity, random| Order::sign(terms, identity, random))?;
        let mut batch = Batch::new();
        batch.access(order_line(by, now, &order, "given")?)?;
        let kept = Kept::new(&mut batch, order, run, OrderState::Given, peers)?;
        self.write_notice(batch, kept.id)?;
        Ok(Some(kept.told(Vec::new())))
    }

    /// Writes what this node has signed, and tells the links that there is a notice to give.
    fn write_notice(&self, mut batch: Batch, id: [u8; 32]) -> Result<(), NodeError> {
        batch.note(News::new([], [&*NoticeId(id).name()]).encode())?;
        self.store.write(batch)?;
        self.watchers.tell();
        Ok(())
    }

    /// All orders to erase that this node has given or taken, with what was signed about them.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn orders(&self) -> Result<Vec<KeptOrder>, NodeError> {
        let snapshot = self.store.snapshot()?;
        let receipts = kept::receipts(&snapshot)?;
        let told = |kept: Kept| {
            let digest = kept.order.digest();
            let about = receipts.iter().filter(|it| it.receipt.terms().order == digest);
            kept.told(about.map(KeptReceipt::told).collect())
        };
        let mut orders: Vec<KeptOrder> = kept::orders(&snapshot)?.into_iter().map(told).collect();
        orders.sort_by_key(|order| order.made_ms);
        Ok(orders)
    }

    /// A person decides about an order that waits for one. Says whether there was one with this
    /// digest.
    ///
    /// # Errors
    /// [`SignedError::NoAuthor`] where a refusal cannot be signed; [`NodeError::Write`].
    pub fn decide_order(
        &self,
        digest: [u8; 32],
        is_accepted: bool,
        by: By<'_>,
    ) -> Result<bool, NodeError> {
        let orders = kept::orders(&self.store.snapshot()?)?;
        let asking = orders
            .into_iter()
            .find(|kept| kept.state == OrderState::Asking && kept.order.digest() == digest);
        let Some(mut kept) = asking else { return Ok(false) };
        if !is_accepted {
            self.refuse(kept, by)?;
            return Ok(true);
        }
        kept.state = OrderState::Waiting;
        let mut batch = Batch::new();
        let now = self.inside().outside.now_ms();
        batch.access(order_line(by, now, &kept.order, "accepted")?)?;
        kept.put(&mut batch)?;
        self.store.write(batch)?;
        Ok(true)
    }

    /// Carries out the orders whose erasing change is here or came with them, and signs receipts.
    /// Gives how many. To be called again and again.
    ///
    /// # Errors
    /// [`NodeError::Write`].
    pub fn carry_out_orders(&self, by: By<'_>) -> Result<u64, NodeError> {
        let snapshot = self.store.snapshot()?;
        let now = self.inside().outside.now_ms();
        let (mut done, mut fault) = (0, None);
        for kept in kept::waiting(&snapshot)? {
            let version = version::version(&snapshot, &kept.order.terms().record)?;
            if !self.exchange.is_to_try(kept.order.digest(), version, now) {
                continue;
            }
            match self.carry_out_kept(kept, by) {
                Ok(is_done) => done += u64::from(is_done),
                // Another time: it waits for a change, or for the record.
                Err(NodeError::NotFound(_) | NodeError::Loading) => {}
                // One that cannot be carried out does not hold up the others.
                Err(error) => fault = Some(error),
            }
        }
        fault.map_or(Ok(done), Err)
    }

    fn carry_out_kept(&self, mut kept: Kept, by: By<'_>) -> Result<bool, NodeError> {
        let order = &kept.order;
        let (record, change) = (order.terms().record.clone(), order.terms().change);
        let snapshot = self.store.snapshot()?;
        let (is_here, run) = (snapshot.record(&record)?.is_some(), kept.run(&snapshot)?);
        drop(snapshot);
        if is_here && !run.is_empty() && !self.holds_erasure(&record, change)? {
            // Through the same checks as everything that comes in.
            if take_again(self, &record, &run, by) != Outcome::Taken {
                return Ok(false);
            }
        }
        if is_here && !self.holds_erasure(&record, change)? {
            return Ok(false);
        }
        let receipt = self.carry_out(order, By { purpose: "erasure order", ..by })?;
        kept.state = OrderState::Done;
        // Before the answer: what a crash cuts off is done again, and this only once.
        self.order_on(&kept, &run, by)?;
        self.answer(&kept, receipt, by)?;
        Ok(true)
    }

    /// Orders the same at the nodes that were given the record here, once for each erasure: they
    /// need not know who ordered it first.
    fn order_on(&self, kept: &Kept, run: &[u8], by: By<'_>) -> Result<(), NodeError> {
        let terms = kept.order.terms();
        let is_same = |other: &Kept| {
            other.state == OrderState::Given && other.order.terms().change == terms.change
        };
        if kept::orders(&self.store.snapshot()?)?.iter().any(is_same) {
            return Ok(());
        }
        let mut peers = self.holders_of(&terms.record)?;
        peers.retain(|peer| !kept.peers.contains(peer));
        let terms = OrderTerms { carried: Vec::new(), ..terms.clone() };
        self.give(terms, run, peers, by)?;
        Ok(())
    }

    /// Whether a change is here that erases.
    fn holds_erasure(&self, record: &str, change: [u8; 32]) -> Result<bool, NodeError> {
        self.with_record(record, |record| {
            if record.at(&[clisonix_crdt::ChangeId(change)]).is_err() {
                return Ok(false);
            }
            let history = record.history(None);
            Ok(history.iter().any(|info| info.id.0 == change && info.erases.is_some()))
        })
    }

    fn refuse(&self, mut kept: Kept, by: By<'_>) -> Result<(), NodeError> {
        let terms = kept.order.terms();
        let receipt = ReceiptTerms {
            made_ms: self.inside().outside.now_ms(),
            order: kept.order.digest(),
            record: terms.record.clone(),
            change: terms.change,
            done: Done::Refused,
            generation: 0,
            inputs_destroyed: 0,
            inputs_kept: 0,
        };
        kept.state = OrderState::Refused;
        self.answer(&kept, receipt, by)
    }

    /// Signs what became of an order and keeps it, for the node that the order came from.
    fn answer(&self, kept: &Kept, terms: ReceiptTerms, by: By<'_>) -> Result<(), NodeError> {
        let author = self.inside().signing.author().cloned().ok_or(SignedError::NoAuthor)?;
        let now = terms.made_ms;
        let word = terms.done.name();
        let receipt = self
            .signed(author.identity(), |identity, random| Receipt::sign(terms, identity, random))?;
        let mut batch = Batch::new();
        batch.access(order_line(by, now, &kept.order, word)?)?;
        kept.put(&mut batch)?;
        let own = KeptReceipt { receipt, peers: kept.peers.clone() };
        let id = own.put(&mut batch)?;
        self.write_notice(batch, id)
    }

    /// Takes a notice in, if it is of an order or a receipt; `None` of any other.
    pub(crate) fn take_notice(
        &self,
        bytes: &[u8],
        from: Fingerprint,
        by: By<'_>,
    ) -> Result<Option<()>, NodeError> {
        let is_order = is_order(bytes);
        if !is_order && !is_receipt(bytes) {
            return Ok(None);
        }
        if kept::is_known(&self.store.snapshot()?, Sha256::digest(bytes).into())? {
            return Ok(Some(()));
        }
        if is_order {
            self.take_order(bytes, from, by).map(Some)
        } else {
            self.take_receipt(bytes, from).map(Some)
        }
    }

    fn take_order(&self, bytes: &[u8], from: Fingerprint, by: By<'_>) -> Result<(), NodeError> {
        if bytes.len() > MAX_NOTICE_BYTES {
            return Err(OrderError::TooMany.into());
        }
        let unreadable = || OrderError::Form(FormError::OtherKey);
        let notice = Notice::of(bytes).ok_or_else(unreadable)?;
        let issuer = notice.issuer().ok_or_else(unreadable)?;
        // Revoked nodes have no rule, and no order of theirs is taken.
        let rule = self.peer_rules()?.remove(&issuer);
        let rule = rule.ok_or(SignedError::from(StatementError::UnknownAuthor))?;
        let order = self.signed_by(issuer, |identity| notice.verified(identity))?;
        let open = kept::orders(&self.store.snapshot()?)?;
        let is_open = |kept: &&Kept| {
            let is_waiting = matches!(kept.state, OrderState::Waiting | OrderState::Asking);
            is_waiting && kept.order.issuer() == issuer
        };
        if open.iter().filter(is_open).count() >= MAX_ORDERS {
            return Err(OrderError::TooMany.into());
        }
        let peers = BTreeSet::from([from, issuer]);
        // One that is refused must not be carried out after a crash in between.
        let is_done = rule.orders == Orders::CarryOut;
        let state = if is_done { OrderState::Waiting } else { OrderState::Asking };
        let mut batch = Batch::new();
        let kept = Kept::new(&mut batch, order, notice.run, state, peers)?;
        self.store.write(batch)?;
        if rule.orders == Orders::Refuse { self.refuse(kept, by) } else { Ok(()) }
    }

    fn take_receipt(&self, bytes: &[u8], from: Fingerprint) -> Result<(), NodeError> {
        let site = Receipt::site_of(bytes).ok_or(OrderError::Form(FormError::OtherKey))?;
        let receipt = self.signed_by(site, |identity| Receipt::from_text(bytes, identity))?;
        let orders = kept::orders(&self.store.snapshot()?)?;
        if !orders.iter().any(|kept| receipt.answers(&kept.order)) {
            return Err(OrderError::NoOrder.into());
        }
        let peers = BTreeSet::from([from, site]);
        let mut batch = Batch::new();
        KeptReceipt { receipt, peers }.put(&mut batch)?;
        self.store.write(batch)?;
        Ok(())
    }

    /// What a node that is admitted here has signed.
    fn signed_by<T>(
        &self,
        node: Fingerprint,
        verify: impl FnOnce(&PublicIdentity) -> Result<T, FormError>,
    ) -> Result<T, NodeError> {
        let authors = self.authors();
        let known = authors.known(node).ok_or(SignedError::from(StatementError::UnknownAuthor))?;
        Ok(verify(known.identity()).map_err(OrderError::from)?)
    }

    /// Whether a peer may have a notice: an order goes to those that held the record, a receipt to
    /// where its order came from.
    pub(crate) fn may_know(&self, peer: Fingerprint, id: [u8; 32]) -> Result<bool, NodeError> {
        let peers = kept::peers(&self.store.snapshot()?, id)?;
        Ok(peers.is_none_or(|peers| peers.contains(&peer)))
    }

    /// The ids of all notices of orders and receipts.
    pub(crate) fn notice_ids(&self) -> Result<Vec<[u8; 32]>, NodeError> {
        kept::ids(&self.store.snapshot()?)
    }

    /// A notice of an order or a receipt.
    pub(crate) fn notice(&self, id: [u8; 32]) -> Result<Option<Vec<u8>>, NodeError> {
        kept::notice(&self.store.snapshot()?, id)
    }

    fn holders_of(&self, record: &str) -> Result<BTreeSet<Fingerprint>, NodeError> {
        let mut holders = self.holders(&BTreeSet::from([record.to_owned()]))?;
        Ok(holders.remove(record).unwrap_or_default())
    }

    /// All that is left of a record that was erased as a whole, signed; empty if something was
    /// written since, which is not for everyone.
    fn erased_run(&self, erased: &Erased) -> Result<Vec<u8>, NodeError> {
        let run = self.whole_run(&erased.record)?;
        // Heads only move on: with this one head now, nothing else was in the run.
        let is_last = self.heads(&erased.record)? == [erased.change];
        Ok(if is_last && run.len() < MAX_NOTICE_BYTES / 2 { run } else { Vec::new() })
    }

    fn signed<T>(
        &self,
        identity: &Identity,
        sign: impl FnOnce(&Identity, &mut dyn clisonix_pq::Random) -> Result<T, FormError>,
    ) -> Result<T, NodeError> {
        let mut random = |bytes: &mut [u8]| self.inside().outside.random(bytes);
        Ok(sign(identity, &mut random).map_err(OrderError::from)?)
    }
}

fn order_line(by: By<'_>, now_ms: u64, order: &Order, word: &str) -> Result<Access, NodeError> {
    let purpose = format!("erasure order, {word}");
    access_about(By { purpose: &purpose, ..by }, Action::Erase, now_ms, &order.terms().record)
}
