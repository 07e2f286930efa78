//! Deliberate bugs for the simulator to find. In the product none of this exists: there the macro
//! is `false`.

/// Whether a deliberate bug is switched on.
macro_rules! fault {
    ($name:ident) => {{
        #[cfg(test)]
        let is_on = crate::fault::is_on(crate::fault::Fault::$name);
        #[cfg(not(test))]
        let is_on = crate::fault::never();
        is_on
    }};
}

pub(crate) use fault;

/// No bug.
#[cfg(not(test))]
pub(crate) const fn never() -> bool {
    false
}

#[cfg(test)]
pub(crate) use switch::{Fault, is_any_on, is_on, set};

#[cfg(test)]
mod switch {
    use std::cell::Cell;

    /// A bug.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Fault {
        // In sessions.
        /// The cursor moves on although a run could not be taken.
        CursorBeforeTaken,
        /// The scope is asked when an entry is made, and not when a record is told.
        ScopeAtEntryOnly,
        /// A push does not ask for the scope.
        PushWithoutScope,
        /// Nodes agree when their sets are of one size.
        AgreeByCount,
        /// The higher epoch is not met.
        EpochNotMet,
        /// What the peer calls outside is compared on.
        OutsideIgnored,
        /// A stamp from the future moves the clock.
        FutureStamp,
        /// A receipt is sent once.
        ReceiptOnce,
        /// What was refused is tried again at once.
        RefusedAtOnce,
        /// What the peer has is not fetched.
        NothingFetched,
        /// What the peer lacks is not given.
        NothingGiven,
        /// Both greet, and neither compares.
        NobodyCompares,
        /// Questions are asked once.
        AskedOnce,
        /// A revoked peer is served.
        RevokedServed,
        /// A late receipt replaces a newer one.
        LateReceipt,
        /// A receipt is not verified.
        ReceiptUnverified,
        /// What the peer said of its place before, and comes late, counts as what it says now.
        LateWordTrusted,
        /// The answerer does not say what it has and the asker lacks.
        HaveWithheld,
        /// A store's new incarnation is not noticed: the old cursor goes on.
        IncarnationIgnored,
        // Around them.
        /// What was taken in is not durable.
        AckBeforeSync,
        /// A restored store goes on with its old incarnation and numbers.
        IncarnationReused,
        /// The store forgets the first arrival after a cursor.
        ArrivalSkipped,
        /// The sketch is not updated at a write.
        SketchNotUpdated,
        /// The sessions with the others are not told what came from one peer.
        OthersNotTold,
        /// Signatures are not looked at.
        SignatureUnchecked,
        /// The clock begins anew after a crash.
        ClockForgotten,
        /// Notices are not in the catalogue of a node that starts.
        NoticesForgotten,
        /// Two versions of a record count as one.
        VersionTooShort,
        /// The last change of a run is left out.
        RunTooShort,
        /// The consent that was withdrawn holds on at the sender.
        ConsentHoldsOn,
    }

    thread_local! {
        static ON: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    pub(crate) fn is_on(fault: Fault) -> bool {
        ON.get() == Some(fault)
    }

    /// Whether any bug is switched on in this thread.
    pub(crate) fn is_any_on() -> bool {
        ON.get().is_some()
    }

    pub(crate) fn set(fault: Option<Fault>) {
        ON.set(fault);
    }
}
