//! Figures for instruments, in the text format of Prometheus (version 0.0.4).

use std::fmt::{Display, Write as _};

use clisonix_server::{PeerStatus, ServerStatus};

use crate::outside::System;
use clisonix_node::Outside as _;

/// All figures.
pub(crate) fn text(status: &ServerStatus) -> String {
    let mut out = String::new();
    let peers = &status.peers;
    let mut each =
        |name: &str, kind: &str, help: &str, value: &dyn Fn(&PeerStatus) -> Option<f64>| {
            head(&mut out, name, kind, help);
            for peer in peers {
                if let Some(value) = value(peer) {
                    let (name_of, key) = (escaped(&peer.name), peer.peer.hexadecimal());
                    let labels = format!("peer=\"{name_of}\",key=\"{key}\"");
                    // Writing to a string does not fail.
                    let _ = writeln!(out, "clisonix_tide_{name}{{{labels}}} {value}");
                }
            }
        };
    let now = System.now_ms();
    each("linked", "gauge", "Whether there is a link to the peer.", &|peer| {
        Some(if peer.traffic.linked_since_ms.is_some() { 1.0 } else { 0.0 })
    });
    each("in_sync", "gauge", "Whether both are known to hold the same.", &|peer| {
        peer.session.as_ref().map(|session| if session.is_in_sync { 1.0 } else { 0.0 })
    });
    each("agreed_seconds_ago", "gauge", "Time since both were found to hold the same.", &|peer| {
        let agreed = peer.session.as_ref()?.agreed_ms?;
        Some(float(now.saturating_sub(agreed)) / 1000.0)
    });
    each("behind_arrivals", "gauge", "Arrivals here that the peer has not confirmed.", &|peer| {
        peer.session.as_ref()?.behind.map(float)
    });
    each("ahead_arrivals", "gauge", "Arrivals at the peer that are not here.", &|peer| {
        peer.session.as_ref()?.ahead.map(float)
    });
    each("records", "gauge", "Records and notices that the peer may hold of ours.", &|peer| {
        peer.session.as_ref().map(|session| float(session.count))
    });
    each("refused_records", "gauge", "Records of which a run was refused.", &|peer| {
        peer.session.as_ref().map(|session| float(session.refused as u64))
    });
    each("received_bytes_total", "counter", "Bytes that came.", &|peer| {
        Some(float(peer.traffic.bytes_in))
    });
    each("sent_bytes_total", "counter", "Bytes that went out.", &|peer| {
        Some(float(peer.traffic.bytes_out))
    });
    each("links_total", "counter", "Links opened.", &|peer| Some(float(peer.traffic.links)));
    single(&mut out, "peers", "gauge", "Peers that are admitted.", peers.len());
    let refused = status.refused;
    single(&mut out, "refused_connections_total", "counter", "Connections refused.", refused);
    out
}

fn single(out: &mut String, name: &str, kind: &str, help: &str, value: impl Display) {
    head(out, name, kind, help);
    let _ = writeln!(out, "clisonix_tide_{name} {value}");
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP clisonix_tide_{name} {help}");
    let _ = writeln!(out, "# TYPE clisonix_tide_{name} {kind}");
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

// Counts here are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn float(count: u64) -> f64 {
    count as f64
}
