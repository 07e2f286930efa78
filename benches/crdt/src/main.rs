//! The record workload: what concurrent editing of clinical records costs in
//! this engine and in its peers, and whether the result can be trusted.

mod cases;
mod curves;
mod heap;
mod patient;
mod report;
mod rows;
mod seed;
mod size;
mod workload;

use anyhow::{Result, bail};

use bench_crdt::{engine, op};
use engine::{automerge::Automerge, clisonix::Clisonix, loro::Loro, plain::Plain, yrs::Yrs};
use size::Size;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

fn main() -> Result<()> {
    let mut size = Size::default();
    let mut json = false;
    for argument in std::env::args().skip(1) {
        match &*argument {
            "--json" => json = true,
            "--full" => size = Size::full(),
            "--quick" => size = Size::quick(),
            other => bail!("unknown argument `{other}`; known: --json --full --quick"),
        }
    }
    let mut report = rows::report(json, &size);
    workload::run::<Plain>(&size, &mut report)?;
    workload::run::<Clisonix>(&size, &mut report)?;
    curves::run(&size, &mut report)?;
    workload::run::<Yrs>(&size, &mut report)?;
    workload::run::<Loro>(&size, &mut report)?;
    workload::run::<Automerge>(&size, &mut report)?;
    report.close();
    Ok(())
}
