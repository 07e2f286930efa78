//! How fast FHIR Bundles are taken in: `measure_fhir FILE...`, resources a second on one core.

use std::time::{Duration, Instant};

use clisonix_ingest::recognition::unpack;
use clisonix_ingest::{Hint, Outcome, take_in_each};

fn main() -> std::io::Result<()> {
    let (mut resources, mut bytes, mut time) = (0_usize, 0_usize, Duration::ZERO);
    for path in std::env::args().skip(1) {
        let packed = std::fs::read(path)?;
        let Ok(text) = unpack(&packed) else { continue };
        let begin = Instant::now();
        take_in_each(&text, &Hint::for_feed("measure"), &mut |outcome| {
            if let Outcome::Taken(intake) = outcome {
                resources += intake.statements.iter().map(|s| s.resources.len()).sum::<usize>();
            }
        });
        time += begin.elapsed();
        bytes += text.len();
    }
    let seconds = time.as_secs_f64();
    #[allow(clippy::cast_precision_loss)] // figures for people
    let (rate, megabytes) = (resources as f64 / seconds, bytes as f64 / seconds / 1e6);
    eprintln!(
        "{resources} resources in {seconds:.2} s: {rate:.0} resources/s, {megabytes:.0} MB/s"
    );
    Ok(())
}
