//! `erase`: content goes from a record, here and wherever the change arrives, and the keys that old
//! copies of it are under are destroyed.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clisonix_fhir::json::{Object, Value};
use clisonix_node::{Aim, Erased, NodeError, Outside as _, SignedError};
use clisonix_pq::erasure::Order;

use crate::context::Context;
use crate::exit::Exit;
use crate::new_file::{refuse_present, write_new};
use crate::outside::{self, System};
use crate::pass_phrase::Source;
use crate::results::Results;
use crate::sharing::OwnKeys;
use crate::site_keys;

/// Options of `erase`.
#[derive(Debug, clap::Args)]
pub(crate) struct Erase {
    /// A record's id, `Patient/` and an id, or an identifier (`value` or `system|value`)
    #[arg(value_name = "PATIENT")]
    patient: String,
    /// Only this entry
    #[arg(long, value_name = "TYPE/ID")]
    entry: Option<String>,
    /// Only the smallest unit that holds this member of the entry (a JSON Pointer, such as
    /// `/birthDate`)
    #[arg(long, value_name = "POINTER", requires = "entry")]
    path: Option<String>,
    /// Why; it stays readable for ever and must not say what was erased
    #[arg(long, value_name = "WORDS")]
    reason: String,
    /// Keep the inputs that carried the record as they were received
    #[arg(long)]
    keep_inputs: bool,
    /// Write a signed order for other sites to this file; orders for sensitive classes that are kept
    /// apart of the patient get `-2` and so on behind its name
    #[arg(long, value_name = "FILE", requires = "name")]
    order: Option<PathBuf>,
    /// The name of the own keys that sign orders, see `clisonix keys` [default: a serving process
    /// signs with its own]
    #[arg(long = "as", id = "name", value_name = "NAME")]
    name: Option<String>,
    /// The folder of the own keys (else `clisonix/keys` in `$XDG_CONFIG_HOME` or `~/.config`)
    #[arg(long, env = "CLISONIX_KEYS", value_name = "DIR", hide_env_values = true)]
    keys: Option<PathBuf>,
    #[command(flatten)]
    pass_phrase: Source,
}

impl Erase {
    pub(crate) fn own_keys(&self) -> Option<(Option<&Path>, &Source)> {
        self.name.as_ref().map(|_| (self.keys.as_deref(), &self.pass_phrase))
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let author = context.author()?;
        let by = context.by(&author);
        let file = self.order.as_deref().map(|path| context.path(path));
        if let Some(path) = &file {
            refuse_present(path)?;
        }
        // Before anything is erased: without the key there can be no order.
        let own = self.name.map(|name| OwnKeys::new(name, self.keys, self.pass_phrase));
        let own = own.map(|own| own.unlocked(context)).transpose()?;
        let node = context.open_present()?;
        if let (Some((keys, _)), None) = (&own, context.service()) {
            node.sign_as(site_keys::author(keys)?)?;
        }
        let record = node.find_record(&self.patient)?;
        let aim = match (&self.entry, &self.path) {
            (None, _) => Aim::Record,
            (Some(entry), None) => Aim::Entry(entry),
            (Some(entry), Some(pointer)) => Aim::Value { entry, pointer },
        };
        let mut records = node.with_beside(&record)?;
        if let Some(entry) = &self.entry {
            let holder = node.record_of(entry)?;
            let holder = holder.filter(|holder| records.contains(holder));
            records = vec![holder.unwrap_or(record)];
        }
        let mut results = context.results();
        for (number, record) in records.iter().enumerate() {
            let erased = node.erase(record, aim, &self.reason, !self.keep_inputs, by)?;
            if let (Some(path), Some((keys, _))) = (&file, &own) {
                let terms = erased.order(System.now_ms(), !self.keep_inputs);
                let order = Order::sign(terms, keys.identity(), &mut outside::random)?;
                write_new(&numbered(path, number), order.to_text())?;
            }
            let told = match node.give_order(&erased, !self.keep_inputs, by) {
                // Nobody can sign: whoever holds the record is told by a file, or by nothing.
                Err(NodeError::Signed(SignedError::NoAuthor)) => None,
                order => Some(order?.map_or(0, |order| order.peers.len())),
            };
            results.either(|| value(&erased, told), |results| print(&erased, told, results))?;
        }
        results.finish()?;
        Ok(Exit::Done)
    }
}

/// The file of an order: the one that was named, and beside it `-2` and so on for what is kept apart
/// of a patient.
fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!("-{}", number + 1));
    PathBuf::from(name)
}

fn print(erased: &Erased, told: Option<usize>, results: &mut Results) -> std::io::Result<()> {
    let Erased { record, operations, inputs_destroyed, inputs_kept, .. } = erased;
    results.line(format_args!("erased {operations} operations of the record {record}"))?;
    results.line(format_args!("  change        {}", erased.change))?;
    results
        .line(format_args!("  inputs        {inputs_destroyed} destroyed, {inputs_kept} kept"))?;
    match told {
        Some(0) => results.line("  order         to nobody: no other node was given the record")?,
        Some(count) => results.line(format_args!("  order         to {count} nodes"))?,
        None => results
            .line("  order         to nobody: give --as, or erase while `clisonix serve` runs")?,
    }
    match erased.generation {
        Some(generation) => {
            results.line(format_args!("  vault         generation {generation}"))?;
            results.line(
                "Backups made before hold nothing of this record any more: make a new one. Keys of \
                 index rows in free pages go with `clisonix store rotate`. A copy of the vault from \
                 before still leads to it: `clisonix store copy-vault` makes it anew.",
            )
        }
        None => results.line(
            "The store is not encrypted: backups and free pages still hold what was erased. \
             `clisonix store encrypt` encrypts it.",
        ),
    }
}

fn value(erased: &Erased, told: Option<usize>) -> Value {
    let mut object = Object::new();
    object.insert("record", erased.record.as_str());
    object.insert("change", erased.change.to_string());
    object.insert("operations", erased.operations as u64);
    object.insert("inputs_destroyed", erased.inputs_destroyed);
    object.insert("inputs_kept", erased.inputs_kept);
    object.insert("ordered_nodes", told.map_or(Value::Null, |count| Value::from(count as u64)));
    if let Some(generation) = erased.generation {
        object.insert("vault_generation", generation);
    }
    Value::Object(object)
}
