//! Seals a file with the Rust `age` crate into another one and opens that; prints the seconds that
//! each took, best of three.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::time::Instant;

use age::{Decryptor, Encryptor, x25519};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const TURNS: usize = 3;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("two files are needed: from, to");
    let (from, to) = (next()?, next()?);
    let identity = x25519::Identity::generate();
    let recipient = identity.to_public();
    let (mut seal, mut open) = (f64::MAX, f64::MAX);
    for _ in 0..TURNS {
        seal = seal.min(timed(|| {
            let recipients = std::iter::once(&recipient as &dyn age::Recipient);
            let out = BufWriter::new(File::create(&to)?);
            let mut writer = Encryptor::with_recipients(recipients)?.wrap_output(out)?;
            io::copy(&mut File::open(&from)?, &mut writer)?;
            Ok(writer.finish()?.flush()?)
        })?);
        open = open.min(timed(|| {
            let decryptor = Decryptor::new_buffered(BufReader::new(File::open(&to)?))?;
            let keys = std::iter::once(&identity as &dyn age::Identity);
            io::copy(&mut decryptor.decrypt(keys)?, &mut io::sink())?;
            Ok(())
        })?);
    }
    println!("{seal} {open}");
    Ok(())
}

fn timed(work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}
