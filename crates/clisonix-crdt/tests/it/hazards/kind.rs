//! The kinds of hazard, and what a case claims of a correct merge.

/// What two authors do to the same or related elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    TwoValues,
    SetAndClear,
    TwoTypes,
    Members,
    ValueAndExtension,
    Rule,
    Retraction,
    StatusAndOther,
    ModifierAndOther,
    Siblings,
    ItemEditedAndRemoved,
    RequiredAndContainer,
    ItemEditedTwice,
    PartCreatedTwice,
    LastItems,
    EntryRemovedAndEdited,
    EntryCreatedTwice,
    ReferenceAndRemoval,
    Contained,
    Narrative,
    SameTwice,
    Independent,
}

impl Kind {
    /// All kinds, in the order of the tables.
    pub(crate) const ALL: [Kind; 22] = [
        Kind::TwoValues,
        Kind::SetAndClear,
        Kind::TwoTypes,
        Kind::Members,
        Kind::ValueAndExtension,
        Kind::Rule,
        Kind::Retraction,
        Kind::StatusAndOther,
        Kind::ModifierAndOther,
        Kind::Siblings,
        Kind::ItemEditedAndRemoved,
        Kind::RequiredAndContainer,
        Kind::ItemEditedTwice,
        Kind::PartCreatedTwice,
        Kind::LastItems,
        Kind::EntryRemovedAndEdited,
        Kind::EntryCreatedTwice,
        Kind::ReferenceAndRemoval,
        Kind::Contained,
        Kind::Narrative,
        Kind::SameTwice,
        Kind::Independent,
    ];

    /// The name in case names and tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::TwoValues => "two-values",
            Kind::SetAndClear => "set-and-clear",
            Kind::TwoTypes => "two-types",
            Kind::Members => "members",
            Kind::ValueAndExtension => "value-and-extension",
            Kind::Rule => "rule",
            Kind::Retraction => "retraction",
            Kind::StatusAndOther => "status-and-other",
            Kind::ModifierAndOther => "modifier-and-other",
            Kind::Siblings => "siblings",
            Kind::ItemEditedAndRemoved => "item-edited-and-removed",
            Kind::RequiredAndContainer => "required-and-container",
            Kind::ItemEditedTwice => "item-edited-twice",
            Kind::PartCreatedTwice => "part-created-twice",
            Kind::LastItems => "last-items",
            Kind::EntryRemovedAndEdited => "entry-removed-and-edited",
            Kind::EntryCreatedTwice => "entry-created-twice",
            Kind::ReferenceAndRemoval => "reference-and-removal",
            Kind::Contained => "contained",
            Kind::Narrative => "narrative",
            Kind::SameTwice => "same-twice",
            Kind::Independent => "independent",
        }
    }
}

/// What a correct merge has to do besides losing and inventing nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The two edits cannot both stand: a conflict must be shown.
    Disputed,
    /// The two edits have nothing to do with each other, or are the same: both are in, no conflict.
    Agreed,
    /// Whether a conflict is shown is a matter of policy.
    Open,
}
