//! What a peer may hold, as it stands in the admission that this node signed.

use clap::{Args, ValueEnum};
use clisonix_node::consent::{Basis, Orders, PeerRule};
use clisonix_pq::link::Admission;

/// What a peer may hold of this node's records.
#[derive(Clone, Debug, Args)]
pub(crate) struct Terms {
    /// On what ground the peer may hold a patient's record; a consent that denies it outranks all
    /// but `own`
    #[arg(long, value_name = "GROUND", value_enum, default_value = "consent")]
    pub(crate) basis: Ground,
    /// The peer may hold shared records, such as practitioners and organizations
    #[arg(long)]
    pub(crate) shared: bool,
    /// For what the peer uses records: a code of HL7's v3-ActReason, such as TREAT; may stand
    /// several times
    #[arg(long = "use", value_name = "CODE")]
    pub(crate) uses: Vec<String>,
    /// A sensitive class that the peer may hold without a consent that names it, such as PSY; may
    /// stand several times
    #[arg(long = "class", value_name = "CODE")]
    pub(crate) classes: Vec<String>,
    /// What becomes of the peer's orders to erase
    #[arg(long, value_name = "WAY", value_enum, default_value = "carry-out")]
    pub(crate) orders: OrderWay,
}

/// What becomes of orders, as people name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OrderWay {
    /// They are carried out when they come
    CarryOut,
    /// They wait for a person, see `clisonix erasure list`
    Ask,
    /// They are refused, and the peer is told so
    Refuse,
}

impl OrderWay {
    const fn orders(self) -> Orders {
        match self {
            Self::CarryOut => Orders::CarryOut,
            Self::Ask => Orders::Ask,
            Self::Refuse => Orders::Refuse,
        }
    }
}

/// The grounds, as people name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ground {
    /// Another node of this organization: every record
    Own,
    /// Every record, unless a consent denies it
    All,
    /// Records of patients whom the peer takes care of, and what a consent permits
    Care,
    /// What a consent of the patient permits
    Consent,
    /// None
    Nothing,
}

impl Ground {
    const fn basis(self) -> Basis {
        match self {
            Self::Own => Basis::Own,
            Self::All => Basis::All,
            Self::Care => Basis::Care,
            Self::Consent => Basis::Consent,
            Self::Nothing => Basis::Nothing,
        }
    }
}

impl Terms {
    /// Whether none was given.
    pub(crate) fn are_default(&self) -> bool {
        let basis = self.basis == Ground::Consent && self.orders == OrderWay::CarryOut;
        basis && !self.shared && self.uses.is_empty() && self.classes.is_empty()
    }

    /// As they stand in an admission.
    pub(crate) fn words(&self) -> Vec<String> {
        let basis = std::iter::once(format!("basis={}", self.basis.basis().word()));
        let shared = self.shared.then(|| "shared".to_owned());
        let uses = self.uses.iter().map(|code| format!("use={code}"));
        let classes = self.classes.iter().map(|code| format!("class={code}"));
        let orders = self.orders.orders();
        let orders = (orders != Orders::default()).then(|| format!("orders={}", orders.word()));
        basis.chain(shared).chain(uses).chain(classes).chain(orders).collect()
    }
}

/// The rule that an admission makes. A word that is not known, of a newer program, makes it one that
/// gives nothing.
pub(crate) fn rule(admission: &Admission) -> PeerRule {
    let about = admission.invitation().about();
    let identifier = |text: &String| {
        text.split_once('|').map(|(system, value)| (system.to_owned(), value.to_owned()))
    };
    let mut rule = PeerRule {
        identifiers: about.identifiers.iter().filter_map(identifier).collect(),
        ..PeerRule::default()
    };
    for word in admission.terms() {
        match word.split_once('=') {
            None if word == "shared" => rule.shared = true,
            Some(("basis", ground)) => {
                rule.basis = Basis::of_word(ground).unwrap_or_default();
            }
            Some(("use", code)) => drop(rule.purposes.insert(code.to_owned())),
            Some(("orders", way)) => match Orders::of_word(way) {
                Some(orders) => rule.orders = orders,
                None => return PeerRule::default(),
            },
            Some(("class", code)) => drop(rule.classes.insert(code.to_owned())),
            _ => return PeerRule::default(),
        }
    }
    rule
}
