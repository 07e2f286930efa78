//! Orders to erase, and receipts that they were carried out: signed forms
//! (`docs/formats/erasure.md`). They name a record and a change, never a value.

use crate::digest::sha256;
use crate::fingerprint::Fingerprint;
use crate::form::{self, FormError};
use crate::identity::{Context, Identity, PublicIdentity, Signature};
use crate::random::Random;

/// Longest change that an order carries with it, in bytes.
pub const MAX_CARRIED_BYTES: usize = 6 * 1024;
/// Longest name of a record, in bytes.
pub const MAX_RECORD_BYTES: usize = 255;

/// What an order asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTerms {
    /// When it was given, in milliseconds since 1970-01-01T00:00:00Z, by the issuer's clock.
    pub made_ms: u64,
    /// The record.
    pub record: String,
    /// The change that names what is erased.
    pub change: [u8; 32],
    /// Whether the inputs that carried the record are to be destroyed as well.
    pub inputs: bool,
    /// The change as it travels; none where it is too long, or reaches the others in another way.
    pub carried: Vec<u8>,
}

/// A signed order to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    terms: OrderTerms,
    issuer: Fingerprint,
    text: String,
}

impl Order {
    /// Signs an order.
    ///
    /// # Errors
    /// [`FormError::Value`] for a record's name that fits no line, [`FormError::TooLong`] for a
    /// change that is carried and too long.
    pub fn sign(
        terms: OrderTerms,
        by: &Identity,
        random: &mut dyn Random,
    ) -> Result<Self, FormError> {
        record(&terms.record)?;
        if terms.carried.len() > MAX_CARRIED_BYTES {
            return Err(FormError::TooLong);
        }
        let issuer = by.public().fingerprint();
        let lines = [
            ("made", terms.made_ms.to_string()),
            ("issuer", issuer.hexadecimal()),
            ("record", terms.record.clone()),
            ("change", form::to_base64(&terms.change)),
            ("inputs", word(terms.inputs).to_owned()),
            ("carried", form::to_base64(&terms.carried)),
        ];
        let text = signed(ORDER, &lines, by, GIVE, random);
        Ok(Self { terms, issuer, text })
    }

    /// Who an order says has signed it; nothing is verified.
    pub fn issuer_of(bytes: &[u8]) -> Option<Fingerprint> {
        let [_, by, ..] = form::read(bytes, ORDER, ORDER_NAMES).ok()?;
        form::fingerprint("issuer", by).ok()
    }

    /// Reads an order and verifies that the issuer signed it.
    pub fn from_text(bytes: &[u8], issuer: &PublicIdentity) -> Result<Self, FormError> {
        let order = Self::known(bytes)?;
        verify(bytes, order.issuer, issuer, GIVE)?;
        Ok(order)
    }

    /// Reads an order that was verified before; nothing is verified.
    pub fn known(bytes: &[u8]) -> Result<Self, FormError> {
        let [made, by, of, change, inputs, carried, _] = form::read(bytes, ORDER, ORDER_NAMES)?;
        let by = form::fingerprint("issuer", by)?;
        let terms = OrderTerms {
            made_ms: form::number("made", made)?,
            record: record(of)?.to_owned(),
            change: digest("change", change)?,
            inputs: flag("inputs", inputs)?,
            carried: form::base64("carried", carried)?,
        };
        if terms.carried.len() > MAX_CARRIED_BYTES {
            return Err(FormError::TooLong);
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        Ok(Self { terms, issuer: by, text })
    }

    /// What it asks for.
    pub fn terms(&self) -> &OrderTerms {
        &self.terms
    }

    /// Who signed it.
    pub fn issuer(&self) -> Fingerprint {
        self.issuer
    }

    /// The order as a file.
    pub fn to_text(&self) -> &str {
        &self.text
    }

    /// What a receipt names it by.
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.text.as_bytes())
    }
}

/// What became of an order at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The content is erased, and no key leads to what is left of it on disk or in backups.
    Destroyed,
    /// The content is erased from the record's rows; the store is not encrypted, so what backups
    /// and free pages hold of it can be read.
    Erased,
    /// The site has no such record.
    Absent,
    /// The site does not carry the order out.
    Refused,
}

impl Done {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Destroyed, Self::Erased, Self::Absent, Self::Refused];

    /// Its word in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Destroyed => "destroyed",
            Self::Erased => "erased",
            Self::Absent => "absent",
            Self::Refused => "refused",
        }
    }
}

/// What a receipt states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptTerms {
    /// When it was carried out, in milliseconds since 1970-01-01T00:00:00Z, by the site's clock.
    pub made_ms: u64,
    /// The order's digest.
    pub order: [u8; 32],
    /// The record.
    pub record: String,
    /// The change that names what was erased.
    pub change: [u8; 32],
    /// What became of it.
    pub done: Done,
    /// Generation of the vault that no longer leads to it; 0 without a vault.
    pub generation: u64,
    /// How many inputs that carried the record were destroyed.
    pub inputs_destroyed: u64,
    /// How many are kept.
    pub inputs_kept: u64,
}

/// A signed receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    terms: ReceiptTerms,
    site: Fingerprint,
    text: String,
}

impl Receipt {
    /// Signs a receipt.
    ///
    /// # Errors
    /// [`FormError::Value`] for a record's name that fits no line.
    pub fn sign(
        terms: ReceiptTerms,
        by: &Identity,
        random: &mut dyn Random,
    ) -> Result<Self, FormError> {
        record(&terms.record)?;
        let site = by.public().fingerprint();
        let lines = [
            ("made", terms.made_ms.to_string()),
            ("site", site.hexadecimal()),
            ("order", form::to_base64(&terms.order)),
            ("record", terms.record.clone()),
            ("change", form::to_base64(&terms.change)),
            ("done", terms.done.name().to_owned()),
            ("generation", terms.generation.to_string()),
            ("inputs-destroyed", terms.inputs_destroyed.to_string()),
            ("inputs-kept", terms.inputs_kept.to_string()),
        ];
        let text = signed(RECEIPT, &lines, by, CONFIRM, random);
        Ok(Self { terms, site, text })
    }

    /// Who a receipt says has signed it; nothing is verified.
    pub fn site_of(bytes: &[u8]) -> Option<Fingerprint> {
        let [_, by, ..] = form::read(bytes, RECEIPT, RECEIPT_NAMES).ok()?;
        form::fingerprint("site", by).ok()
    }

    /// Reads a receipt and verifies that the site signed it.
    pub fn from_text(bytes: &[u8], site: &PublicIdentity) -> Result<Self, FormError> {
        let receipt = Self::known(bytes)?;
        verify(bytes, receipt.site, site, CONFIRM)?;
        Ok(receipt)
    }

    /// Reads a receipt that was verified before; nothing is verified.
    pub fn known(bytes: &[u8]) -> Result<Self, FormError> {
        let [made, by, order, of, change, done, generation, destroyed, kept, _] =
            form::read(bytes, RECEIPT, RECEIPT_NAMES)?;
        let by = form::fingerprint("site", by)?;
        let known = Done::ALL.into_iter().find(|known| known.name() == done);
        let terms = ReceiptTerms {
            made_ms: form::number("made", made)?,
            order: digest("order", order)?,
            record: record(of)?.to_owned(),
            change: digest("change", change)?,
            done: known.ok_or(FormError::Value("done"))?,
            generation: form::number("generation", generation)?,
            inputs_destroyed: form::number("inputs-destroyed", destroyed)?,
            inputs_kept: form::number("inputs-kept", kept)?,
        };
        let text = String::from_utf8_lossy(bytes).into_owned();
        Ok(Self { terms, site: by, text })
    }

    /// Whether it is for this order.
    pub fn answers(&self, order: &Order) -> bool {
        let (own, asked) = (&self.terms, order.terms());
        own.order == order.digest() && own.record == asked.record && own.change == asked.change
    }

    /// What it states.
    pub fn terms(&self) -> &ReceiptTerms {
        &self.terms
    }

    /// Who signed it.
    pub fn site(&self) -> Fingerprint {
        self.site
    }

    /// The receipt as a file.
    pub fn to_text(&self) -> &str {
        &self.text
    }
}

fn signed(
    kind: &str,
    lines: &[(&str, String)],
    by: &Identity,
    context: Context,
    random: &mut dyn Random,
) -> String {
    let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (*name, &**value)).collect();
    let text = form::write(kind, &lines);
    let signature = by.sign(context, text.as_bytes(), random);
    text + &form::line("signature", &form::to_base64(signature.to_bytes()))
}

fn verify(
    bytes: &[u8],
    named: Fingerprint,
    by: &PublicIdentity,
    context: Context,
) -> Result<(), FormError> {
    if named != by.fingerprint() {
        return Err(FormError::OtherKey);
    }
    // The last line, which was read as such.
    let text = bytes.get(form::before_last_line(bytes).len()..).unwrap_or_default();
    let text = str::from_utf8(text).unwrap_or_default().trim_end_matches('\n');
    let signature = text.strip_prefix("signature: ").ok_or(FormError::Value("signature"))?;
    let signature = Signature::from_bytes(&form::base64("signature", signature)?);
    Ok(by.verify(context, form::before_last_line(bytes), &signature)?)
}

/// A record's name has no control character, so it is one line.
fn record(text: &str) -> Result<&str, FormError> {
    let fits = (1..=MAX_RECORD_BYTES).contains(&text.len()) && !text.contains(char::is_control);
    if fits { Ok(text) } else { Err(FormError::Value("record")) }
}

fn digest(name: &'static str, text: &str) -> Result<[u8; 32], FormError> {
    form::base64(name, text)?.try_into().map_err(|_| FormError::Value(name))
}

const fn word(flag: bool) -> &'static str {
    if flag { "destroy" } else { "keep" }
}

fn flag(name: &'static str, text: &str) -> Result<bool, FormError> {
    [true, false].into_iter().find(|flag| word(*flag) == text).ok_or(FormError::Value(name))
}

const ORDER: &str = "clisonix erasure order";
const GIVE: Context = Context::new("clisonix erasure order 1");
const ORDER_NAMES: [&str; 7] =
    ["made", "issuer", "record", "change", "inputs", "carried", "signature"];
const RECEIPT: &str = "clisonix erasure receipt";
const CONFIRM: Context = Context::new("clisonix erasure receipt 1");
const RECEIPT_NAMES: [&str; 10] = [
    "made",
    "site",
    "order",
    "record",
    "change",
    "done",
    "generation",
    "inputs-destroyed",
    "inputs-kept",
    "signature",
];

#[cfg(test)]
mod tests;
