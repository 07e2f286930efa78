//! The first exchange of two whole nodes: one has everything, the other one nothing.

use std::time::Instant;

use anyhow::Result;
use cpu_time::ProcessTime;

use crate::nodes::{Folder, Site, forget_peak, peak_mb};

/// What it took.
pub struct First {
    pub records_per_s: f64,
    /// Of the bytes on the wire.
    pub mb_per_s: f64,
    /// Processor time of both nodes for each record.
    pub cpu_us: f64,
    /// The most memory of both nodes together, meanwhile.
    pub peak_mb: f64,
}

/// So many records of one patient each, over a socket, to a disk.
pub fn sync(records: usize) -> Result<First> {
    let folder = Folder::new()?;
    let mut one = Site::encrypted(&folder, "one")?;
    let mut two = Site::encrypted(&folder, "two")?;
    one.fill(records)?;
    let address = two.serve()?;
    one.serve()?;
    two.admit(&[(&one, None)])?;
    forget_peak();
    let (begun, cpu) = (Instant::now(), ProcessTime::now());
    one.admit(&[(&two, Some(address))])?;
    two.wait_for_sync(one.name, records)?;
    let (took, cpu) = (begun.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
    let bytes = two.status(one.name)?.traffic.bytes_in;
    Ok(First {
        records_per_s: records as f64 / took,
        mb_per_s: bytes as f64 / took / 1e6,
        cpu_us: cpu * 1e6 / records as f64,
        peak_mb: peak_mb(),
    })
}
