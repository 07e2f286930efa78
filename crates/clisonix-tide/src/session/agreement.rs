//! Agreeing: the cursor becomes valid, and both sign that they hold the same.

use super::questions::Asked;
use super::{CloseReason, Output, Session, Turn};
use crate::clock::Seen;
use crate::fault::fault;
use crate::message::{Message, State};
use crate::receipt::{Cursor, Receipt};

/// The receipts of both.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    own: Option<(Receipt, Vec<u8>)>,
    /// Whether the peer has kept it.
    is_kept: bool,
    /// Whether it had when the way was opened.
    was_kept: bool,
    peers: Option<Receipt>,
    /// Whether that one came since the way was opened.
    is_fresh: bool,
}

impl Agreement {
    pub(super) fn forget_kept(&mut self) {
        (self.is_kept, self.was_kept) = (false, false);
    }

    /// A new way: what comes from now on is later than what came before, whatever its time says. The
    /// peer's clock may have been set back together with its store.
    pub(super) fn opened(&mut self) {
        self.is_fresh = false;
        self.was_kept = self.is_kept;
    }

    pub(super) fn own(&self) -> Option<Receipt> {
        self.own.as_ref().map(|(receipt, _)| *receipt)
    }

    pub(super) fn peers(&self) -> Option<Receipt> {
        self.peers
    }
}

impl Session {
    /// Both hold the same: the cursor is set, and a receipt is made if there is something new to
    /// say.
    pub(super) fn agree(&mut self, state: &State, turn: &mut Turn<'_, '_>) {
        self.agreed_ms = Some(turn.now_ms);
        self.is_in_sync = true;
        self.differing = 0;
        self.pace.agreed(turn.now_ms);
        self.stand_at(state.at, turn);
        // The set is not yet what the scope says, and a receipt names both.
        if self.roster.is_looking() {
            return;
        }
        let receipt = Receipt {
            from: self.settings.node,
            to: self.settings.peer,
            time: turn.site.clock.stamp(turn.now_ms),
            at: Cursor {
                incarnation: self.settings.incarnation,
                arrival: turn.site.replica.arrival(),
            },
            epoch: self.roster.epoch(),
            count: self.roster.count(),
            hash: self.roster.hash(),
            scope: turn.site.scope.digest(),
        };
        let is_said = self.agreement.own().is_some_and(|own| own.says_no_more_than(&receipt));
        if is_said && (self.agreement.is_kept || self.is_sending_receipt()) {
            return;
        }
        if !is_said {
            let signature = turn.site.signer.sign(&receipt.signed_bytes());
            turn.out.push(Output::Agreed(receipt, signature.clone()));
            self.agreement.own = Some((receipt, signature));
            self.agreement.forget_kept();
        }
        self.send_receipt(turn);
    }

    fn is_sending_receipt(&self) -> bool {
        self.questions.has(|asked| matches!(asked, Asked::Receipt))
    }

    fn send_receipt(&mut self, turn: &mut Turn<'_, '_>) {
        self.questions.drop_all(|asked| matches!(asked, Asked::Receipt));
        if let Some((receipt, signature)) = self.agreement.own.clone() {
            let message = |question| Message::Receipt { question, receipt, signature };
            let message = self.questions.ask(turn.now_ms, Asked::Receipt, message);
            turn.send_bytes(message);
        }
    }

    /// After an agreement all that the peer had is here.
    fn stand_at(&mut self, at: Cursor, turn: &mut Turn<'_, '_>) {
        let seen = self.settings.seen;
        let is_same = seen.incarnation == at.incarnation || fault!(IncarnationIgnored);
        if is_same && seen.arrival >= at.arrival {
            return;
        }
        self.settings.seen = at;
        turn.out.push(Output::Seen(at));
        turn.send(&Message::Seen { cursor: at });
    }

    pub(super) fn take_receipt(
        &mut self,
        question: u64,
        receipt: Receipt,
        signature: Vec<u8>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), CloseReason> {
        let between = (receipt.from, receipt.to) == (self.settings.peer, self.settings.node);
        let is_known = self.agreement.peers == Some(receipt);
        if !between {
            return Err(CloseReason::Receipt);
        }
        if !is_known {
            let bytes = receipt.signed_bytes();
            if !turn.site.signer.verify(&receipt.from, &bytes, &signature) {
                return Err(CloseReason::Receipt);
            }
            // It came before the peer has told of its store: it will come again.
            if receipt.at.incarnation != self.peer_at.incarnation {
                return Ok(());
            }
            // One that comes late does not replace a newer one.
            let last = self.agreement.peers;
            let is_older = last.is_some_and(|last| {
                last.at.incarnation == receipt.at.incarnation
                    && last.time >= receipt.time
                    && self.agreement.is_fresh
                    && !fault!(LateReceipt)
            });
            if is_older {
                turn.send(&Message::Kept { question });
                return Ok(());
            }
            self.agreement.peers = Some(receipt);
            self.agreement.is_fresh = true;
            let seen: Seen = turn.site.clock.see(receipt.time, turn.now_ms);
            turn.out.push(Output::Receipt(receipt, signature, seen));
        }
        // A peer that says the same again, on another way, does not know that this node has it: it
        // may have begun anew and lost what it kept of this node's, with an older image of its
        // store. Its clock may say what it said then, so the two can be the very same.
        let is_same = self.agreement.own().is_some_and(|own| own.agrees(&receipt));
        if is_same && self.agreement.was_kept {
            self.agreement.forget_kept();
            self.send_receipt(turn);
        }
        turn.send(&Message::Kept { question });
        Ok(())
    }

    pub(super) fn take_kept(&mut self, question: u64, turn: &Turn<'_, '_>) {
        if let Some(Asked::Receipt) = self.questions.asked(question) {
            self.questions.take(question, turn.now_ms);
            self.agreement.is_kept = true;
        }
    }
}
