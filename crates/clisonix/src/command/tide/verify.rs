//! `tide verify`: every receipt that is kept, and everything that they speak of.

use std::collections::BTreeMap;

use anyhow::Result;
use clisonix_fhir::json::{Object, Value};
use clisonix_node::KeptReceipt;
use clisonix_pq::{Fingerprint, PublicIdentity};
use clisonix_server::verify_receipt;

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::peers::PeerFolder;
use crate::plain::hexadecimal;
use crate::site_keys::SiteKeys;

/// Verifies receipts, then the store with its chains.
pub(super) fn run(site: &SiteKeys, context: &Context) -> Result<Exit> {
    let peers = match context.service() {
        Some(service) => service.peers().clone(),
        None => PeerFolder::of(&site.entry()?),
    };
    let node = context.open_present()?;
    let known = identities(&peers)?;
    let (receipts, fault) = node.verify_receipts(|node, text, signature| {
        let by = known.get(&Fingerprint::from_bytes(node.0));
        by.is_some_and(|by| verify_receipt(by, text, signature))
    })?;
    if let Some(fault) = fault {
        return Err(Fault::damaged(fault.to_string()).into());
    }
    let entries = node.verify()?;
    let last = node.tide_receipts(receipts.saturating_sub(1), 1)?.pop();
    let mut results = context.results();
    results.either(
        || {
            let mut object = Object::new();
            object.insert("sound", true);
            object.insert("receipts", receipts);
            object.insert("last", last.as_ref().map_or(Value::Null, value));
            object.insert("access_entries", entries);
            Value::Object(object)
        },
        |results| {
            results.line(format_args!(
                "{receipts} receipts are signed and chained as they were kept; the store is sound; \
                 the access log's chain of {entries} entries holds"
            ))
        },
    )?;
    results.finish()?;
    Ok(Exit::Done)
}

/// Everyone whose signature may stand under a receipt, also those who were revoked since.
fn identities(peers: &PeerFolder) -> Result<BTreeMap<Fingerprint, PublicIdentity>> {
    let listed = peers.load()?;
    let others = listed.admissions.iter().map(|admission| admission.invitation().keys().identity());
    let all = others.chain(peers.own());
    Ok(all.map(|identity| (identity.fingerprint(), identity.clone())).collect())
}

fn value(kept: &KeptReceipt) -> Value {
    let mut object = Object::new();
    object.insert("from", kept.from().hexadecimal());
    object.insert("to", kept.to().hexadecimal());
    object.insert("time_ms", kept.receipt.time.millis());
    object.insert("records", kept.receipt.count);
    object.insert("set", hexadecimal(&kept.receipt.hash.0.to_be_bytes()));
    object.insert("scope", hexadecimal(&kept.receipt.scope));
    Value::Object(object)
}
