//! Deliberate bugs that show that the simulator can fail. None of them is in the product's code: they
//! are in what the product is handed, or in what stands around it.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The disk promises that bytes are durable that are not: what is acknowledged is lost.
    AcknowledgedBeforeSync,
    /// The random source repeats itself after a start, so actors' ids and numbers come again.
    SequenceReused,
    /// A node that heard of a revocation goes on as before.
    RevocationSkipped,
    /// What a peer may hold is not asked.
    ScopeNotAsked,
    /// A consent that was withdrawn holds on.
    WithdrawalIgnored,
    /// A run is called taken, and is not.
    RunDropped,
    /// A version tells of a record's changes only in part.
    VersionTooShort,
    /// Signatures under receipts are not looked at.
    ReceiptUnverified,
    /// Nothing shows that a page was damaged.
    PagesUnsealed,
    /// A clock goes by what others say.
    ClockTakenOver,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::AcknowledgedBeforeSync,
        Self::SequenceReused,
        Self::RevocationSkipped,
        Self::ScopeNotAsked,
        Self::WithdrawalIgnored,
        Self::RunDropped,
        Self::VersionTooShort,
        Self::ReceiptUnverified,
        Self::PagesUnsealed,
        Self::ClockTakenOver,
    ];
}
