//! Sealing, verifying and opening one large file, beside the raw speed of the payload's cipher and
//! beside the peers that write the same format.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clisonix_pq::aead::ChaCha20Poly1305;
use clisonix_pq::age::{self, CHUNK_BYTES, Reader, Writer};
use clisonix_pq::share::{Moment, Opening, Sealing, Terms, Trust, seal, verify};
use clisonix_pq::{Identity, Profile, RecipientKey};
use cpu_time::ProcessTime;

use crate::operations::random;
use crate::report::{Report, Row};

const OWN: &str = "hybrid";
/// How often each is measured; the best counts.
const TURNS: usize = 3;

/// Bytes at most that are sealed and opened without a file: the kernel's copying is not the cipher's.
const IN_MEMORY: u64 = 64 << 20;

/// The rows.
pub fn rows() -> Vec<Row> {
    let rates = [
        ("raw_mb_s", "ChaCha20-Poly1305 alone, MB/s"),
        ("age_seal_mb_s", "age file, seal, MB/s"),
        ("age_open_mb_s", "age file, open, MB/s"),
        ("share_seal_mb_s", "share, seal and sign, MB/s"),
        ("share_open_mb_s", "share, verify and open, MB/s"),
        ("share_verify_mb_s", "share, verify, MB/s"),
        ("raw_cpu_mb_s", "ChaCha20-Poly1305 alone, MB a CPU s"),
        ("share_seal_cpu_mb_s", "share, seal and sign, no file written, MB a CPU s"),
        ("share_open_cpu_mb_s", "share, verify and open, MB a CPU s"),
        ("share_verify_cpu_mb_s", "share, verify, MB a CPU s"),
    ];
    let ratios = [
        ("age_seal_of_raw", "age file in memory, seal, CPU s of raw to it"),
        ("age_open_of_raw", "age file in memory, open, CPU s of raw to it"),
        ("share_seal_of_raw", "share, seal and sign, CPU s of raw to it"),
        ("share_open_of_raw", "share, verify and open, CPU s of raw to it"),
    ];
    let rates = rates.map(|(name, title)| Row::new(name, title, "MB/s", "higher"));
    let ratios = ratios.map(|(name, title)| Row::new(name, title, "ratio", "higher"));
    let memory = Row::new("memory_kib", "memory of all this at most, KiB", "KiB", "lower");
    rates.into_iter().chain(ratios).chain([memory]).collect()
}

/// Measures a file of so many MiB; then the peers, on the same file.
pub fn run(mib: u64, report: &mut Report) -> Result<()> {
    let folder = Folder::new()?;
    let bytes = mib << 20;
    let plain = folder.0.join("plain");
    io::copy(&mut io::repeat(7).take(bytes), &mut File::create(&plain)?)?;
    let raw = best(|| raw(bytes))?;
    let rate = |seconds: f64| bytes as f64 / 1e6 / seconds;
    report.value(OWN, "raw_mb_s", rate(raw.wall));
    report.value(OWN, "raw_cpu_mb_s", rate(raw.cpu));

    let key = RecipientKey::generate(Profile::Hybrid, &mut random)?;
    let sealed = folder.0.join("plain.age");
    let seal = best(|| age_seal(&mut File::open(&plain)?, File::create(&sealed)?, &key))?;
    let open = best(|| age_open(BufReader::new(File::open(&sealed)?), &key))?;
    report.value(OWN, "age_seal_mb_s", rate(seal.wall));
    report.value(OWN, "age_open_mb_s", rate(open.wall));
    let share = Share { key, issuer: Identity::generate(Profile::Hybrid, &mut random)? };
    let path = folder.0.join("plain.share");
    let seal = best(|| share.seal(File::open(&plain)?, bytes, File::create(&path)?))?;
    let verify = best(|| share.verify(&path))?;
    let open = best(|| share.open(&path))?;
    // Writing a large file costs the kernel more than all else together, and `cp` as much.
    let inside = best(|| share.seal(io::repeat(7).take(bytes), bytes, Nowhere::default()))?;
    for (name, wall, cpu) in [
        ("share_seal", seal.wall, inside.cpu),
        ("share_open", open.wall, open.cpu),
        ("share_verify", verify.wall, verify.cpu),
    ] {
        report.value(OWN, &format!("{name}_mb_s"), rate(wall));
        report.value(OWN, &format!("{name}_cpu_mb_s"), rate(cpu));
        report.value(OWN, &format!("{name}_of_raw"), raw.cpu / cpu);
    }
    report.value(OWN, "memory_kib", memory_kib()?);
    let (seal, open) = age_in_memory(bytes.min(IN_MEMORY), &share.key)?;
    report.value(OWN, "age_seal_of_raw", seal * raw.cpu / bytes as f64);
    report.value(OWN, "age_open_of_raw", open * raw.cpu / bytes as f64);

    if let Some(peer) = std::env::var_os("CLISONIX_AGE_PEER") {
        let output = Command::new(peer).args([&plain, &folder.0.join("peer.age")]).output()?;
        let text = String::from_utf8(output.stdout)?;
        let seconds: Vec<f64> =
            text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [seal, open] = seconds[..] else { anyhow::bail!("the age crate's program failed") };
        report.value("age (Rust)", "age_seal_mb_s", rate(seal));
        report.value("age (Rust)", "age_open_mb_s", rate(open));
    }
    let typage_in = std::env::var_os("CLISONIX_TYPAGE").map(PathBuf::from);
    // Without Node.js or the network it is not there, which its installer told.
    if let Some(peer) = typage_in.filter(|it| it.join("node_modules/age-encryption").exists()) {
        let (seal, open) = typage(&peer, &folder.0, &share.key)?;
        report.value("typage", "age_seal_mb_s", rate(seal));
        report.value("typage", "age_open_mb_s", rate(open));
    }
    Ok(())
}

struct Share {
    key: RecipientKey,
    issuer: Identity,
}

impl Share {
    fn seal(&self, content: impl Read, bytes: u64, to: impl Write + Seek) -> Result<()> {
        let words = || "a measurement".to_owned();
        let recipients = [self.key.public().clone()];
        let sealing = Sealing {
            issuer: &self.issuer,
            recipients: &recipients,
            terms: Terms {
                created: now()?,
                until: None,
                purpose: words(),
                basis: words(),
                content: words(),
                previous: None,
            },
            name: "measured",
            hide_recipients: false,
            hide_size: false,
        };
        seal(&sealing, content, bytes, to, &mut random)?;
        Ok(())
    }

    fn trust(&self) -> Trust {
        let mut trust = Trust::nobody();
        trust.accept(self.issuer.public().clone());
        trust
    }

    fn verify(&self, share: &Path) -> Result<()> {
        verify(File::open(share)?, &self.trust(), now()?)?;
        Ok(())
    }

    fn open(&self, share: &Path) -> Result<()> {
        let opening = Opening::start(File::open(share)?, &self.trust(), &self.key, now()?)?;
        opening.copy_to(&mut io::sink())?;
        Ok(())
    }
}

/// The payload's cipher alone, on memory that stays where it is.
fn raw(bytes: u64) -> Result<()> {
    let aead = ChaCha20Poly1305::with_key(&[1; 32]);
    let mut text = vec![7; CHUNK_BYTES];
    for chunk in 0..bytes / CHUNK_BYTES as u64 {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&chunk.to_le_bytes());
        aead.seal_in_place(&nonce, b"", &mut text);
    }
    Ok(())
}

fn age_seal(content: &mut impl Read, to: impl Write, key: &RecipientKey) -> Result<()> {
    let mut writer = Writer::new(to, &[key.public()], &mut random)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = content.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        writer.write_all(&chunk[..count])?;
    }
    writer.finish()?;
    Ok(())
}

fn age_open(from: impl BufRead, key: &RecipientKey) -> Result<()> {
    let mut reader = Reader::new(from, key)?;
    while reader.chunk()?.is_some() {}
    Ok(())
}

/// Bytes a CPU second of sealing and of opening so many in memory.
fn age_in_memory(bytes: u64, key: &RecipientKey) -> Result<(f64, f64)> {
    let seal = best(|| age_seal(&mut io::repeat(7).take(bytes), io::sink(), key))?;
    let mut sealed = Vec::new();
    age_seal(&mut io::repeat(7).take(bytes), &mut sealed, key)?;
    let open = best(|| age_open(&*sealed, key))?;
    Ok((bytes as f64 / seal.cpu, bytes as f64 / open.cpu))
}

/// Seconds of sealing and of opening with typage, which has the whole file in memory.
fn typage(peer: &Path, folder: &Path, key: &RecipientKey) -> Result<(f64, f64)> {
    let job = |action: &str, from: &str, to: &str, key: &str| {
        let (from, to) = (folder.join(from), folder.join(to));
        serde_json::json!({ "do": action, "in": from, "out": to, "keys": [key] })
    };
    let recipient = age::recipient_text(key.public())?;
    let identity = age::identity_text(key)?;
    let mut node = Command::new("node");
    node.arg("--max-old-space-size=8192").arg(peer.join("peer.mjs"));
    let mut running = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = running.stdin.take().context("its input")?;
    writeln!(input, "{}", job("seal", "plain", "typage.age", &recipient))?;
    writeln!(input, "{}", job("open", "typage.age", "typage.out", &identity))?;
    drop(input);
    let output = running.wait_with_output()?;
    ensure!(output.status.success(), "typage failed");
    let text = String::from_utf8(output.stdout)?;
    let spent: Vec<f64> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
    let [seal, open] = spent[..] else { anyhow::bail!("typage told no times") };
    Ok((seal / 1e3, open / 1e3))
}

/// What something took, in seconds.
struct Spent {
    wall: f64,
    /// Of all threads.
    cpu: f64,
}

fn best(work: impl Fn() -> Result<()>) -> Result<Spent> {
    let mut best = Spent { wall: f64::MAX, cpu: f64::MAX };
    for _ in 0..TURNS {
        let (wall, cpu) = (Instant::now(), ProcessTime::now());
        work()?;
        best.wall = best.wall.min(wall.elapsed().as_secs_f64());
        best.cpu = best.cpu.min(cpu.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn now() -> Result<Moment> {
    Ok("2026-11-23T02:10:00Z".parse()?)
}

/// The most memory that this process ever had.
fn memory_kib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// A file that keeps nothing but its place.
#[derive(Default)]
struct Nowhere(u64);

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Nowhere {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(place) => self.0 = place,
            SeekFrom::Current(0) => {}
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
        Ok(self.0)
    }
}

/// A folder that goes away with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("clisonix-bench-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
