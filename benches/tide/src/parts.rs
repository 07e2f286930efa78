//! The parts of this bench that run whole nodes: their rows, and what is run for them.

use anyhow::Result;

use crate::report::{Report, Row};
use crate::{first, live, slow};

/// Edits a second, from one node to another.
const LIVE_PER_S: usize = 500;
/// Edits a second, to many nodes.
const HUB_PER_S: usize = 10;
const HUB_PEERS: [usize; 3] = [2, 10, 50];
/// Records that changed, for the slow line.
const SLOW_CHANGED: usize = 100;

/// A part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Finding the difference, and whole sessions over made-up records.
    Difference,
    /// Live propagation.
    Live,
    /// The first exchange.
    First,
    /// A slow, far line.
    Slow,
    /// More and more peers.
    Peers,
}

impl Part {
    pub const ALL: [Self; 5] = [Self::Difference, Self::Live, Self::First, Self::Slow, Self::Peers];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Difference => "difference",
            Self::Live => "live",
            Self::First => "first",
            Self::Slow => "slow",
            Self::Peers => "peers",
        }
    }

    /// Records of the first exchange and of the slow line.
    fn records(self, full: bool) -> usize {
        match (self, full) {
            (Self::Slow, true) => 1_000_000,
            (_, true) => 100_000,
            _ => 10_000,
        }
    }

    pub fn rows(self, full: bool) -> Vec<Row> {
        let row = |name: &str, title: &str, unit, better| Row::new(name, title, unit, better);
        let lower = |name: &str, title: &str, unit| row(name, title, unit, "lower");
        let n = self.records(full);
        match self {
            Self::Difference => Vec::new(),
            Self::Live => vec![
                row("live_edits_per_s", "live: edits/s of 500 asked for", "1/s", "higher"),
                lower("live_p50_ms", "live: acknowledged to durable there, p50", "ms"),
                lower("live_p99_ms", "live: acknowledged to durable there, p99", "ms"),
                lower("live_edit_p50_ms", "live: an edit until acknowledged, p50", "ms"),
                lower("live_edit_p99_ms", "live: an edit until acknowledged, p99", "ms"),
                lower("live_cpu_ms", "live: CPU of both nodes an edit", "ms"),
                lower("disk_p50_ms", "live: a commit of this disk without nodes, p50", "ms"),
                lower("disk_p99_ms", "live: a commit of this disk without nodes, p99", "ms"),
            ],
            Self::First => vec![
                row("first_records_per_s", &format!("first {n}: records/s"), "1/s", "higher"),
                row("first_mb_per_s", &format!("first {n}: MB/s on the wire"), "MB/s", "higher"),
                lower("first_cpu_us", &format!("first {n}: CPU of both a record"), "us"),
                lower("first_peak_mb", &format!("first {n}: peak memory of both"), "MB"),
            ],
            Self::Slow => ["sketched", "pushed"]
                .into_iter()
                .flat_map(|way| {
                    let title = |what| format!("1 Mbit/s, 600 ms, n {n} d 100, {way}: {what}");
                    [
                        lower(&format!("slow_{way}_s"), &title("until equal"), "s"),
                        lower(&format!("slow_{way}_payload_s"), &title("its bytes alone"), "s"),
                        lower(&format!("slow_{way}_bytes"), &title("bytes"), "B"),
                    ]
                })
                .collect(),
            Self::Peers => HUB_PEERS
                .into_iter()
                .flat_map(|peers| {
                    let title = |what| format!("{peers} peers: {what}");
                    [
                        lower(&format!("hub_cpu_ms_{peers}"), &title("CPU an edit"), "ms"),
                        lower(&format!("hub_p50_ms_{peers}"), &title("last has it, p50"), "ms"),
                        lower(&format!("hub_p99_ms_{peers}"), &title("last has it, p99"), "ms"),
                    ]
                })
                .collect(),
        }
    }

    pub fn run(self, report: &mut Report, full: bool) -> Result<()> {
        let mut value = |name: &str, value| report.value("clisonix", name, value);
        let seconds = if full { 60 } else { 10 };
        match self {
            Self::Difference => {}
            Self::Live => {
                let run = live::two_nodes(LIVE_PER_S, seconds)?;
                value("live_edits_per_s", run.edits_per_s);
                value("live_p50_ms", run.p50_ms);
                value("live_p99_ms", run.p99_ms);
                value("live_edit_p50_ms", run.edit_p50_ms);
                value("live_edit_p99_ms", run.edit_p99_ms);
                value("live_cpu_ms", run.cpu_ms);
                value("disk_p50_ms", run.disk_p50_ms);
                value("disk_p99_ms", run.disk_p99_ms);
            }
            Self::First => {
                let run = first::sync(self.records(full))?;
                value("first_records_per_s", run.records_per_s);
                value("first_mb_per_s", run.mb_per_s);
                value("first_cpu_us", run.cpu_us);
                value("first_peak_mb", run.peak_mb);
            }
            Self::Slow => {
                let (sketched, pushed) = slow::catch_up(self.records(full), SLOW_CHANGED)?;
                for (way, run) in [("sketched", sketched), ("pushed", pushed)] {
                    value(&format!("slow_{way}_s"), run.seconds);
                    value(&format!("slow_{way}_payload_s"), run.payload_s);
                    value(&format!("slow_{way}_bytes"), run.bytes);
                }
            }
            Self::Peers => {
                for peers in HUB_PEERS {
                    let run = live::hub(peers, HUB_PER_S, seconds)?;
                    value(&format!("hub_cpu_ms_{peers}"), run.cpu_ms);
                    value(&format!("hub_p50_ms_{peers}"), run.p50_ms);
                    value(&format!("hub_p99_ms_{peers}"), run.p99_ms);
                }
            }
        }
        Ok(())
    }
}
