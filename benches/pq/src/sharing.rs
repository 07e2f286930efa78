//! Sealing, verifying and opening one large file, beside the raw speed of the payload's cipher and
//! beside the peers that write the same format.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
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

/// The rows.
pub fn rows() -> Vec<Row> {
    let rates = [
        ("raw_mb_s", "ChaCha20-Poly1305 alone, MB/s"),
        ("age_seal_mb_s", "age file, seal, MB/s"),
        ("age_open_mb_s", "age file, open, MB/s"),
        ("share_seal_mb_s", "share, seal and sign, MB/s"),
        ("share_open_mb_s", "share, verify and open, MB/s"),
        ("share_verify_mb_s", "share, verify, MB/s"),
        ("share_seal_cpu_mb_s", "share, seal and sign, MB a CPU s"),
        ("share_open_cpu_mb_s", "share, verify and open, MB a CPU s"),
        ("share_verify_cpu_mb_s", "share, verify, MB a CPU s"),
    ];
    let ratios = [
        ("age_seal_of_raw", "age file, seal, of raw"),
        ("age_open_of_raw", "age file, open, of raw"),
        ("share_seal_of_raw", "share, seal and sign, of raw"),
        ("share_open_of_raw", "share, verify and open, of raw"),
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
    let raw = best(|| raw(bytes))?.wall;
    let rate = |seconds: f64| bytes as f64 / 1e6 / seconds;
    report.value(OWN, "raw_mb_s", rate(raw));

    let key = RecipientKey::generate(Profile::Hybrid, &mut random)?;
    let sealed = folder.0.join("plain.age");
    let seal = best(|| age_seal(&plain, &sealed, &key))?.wall;
    let open = best(|| age_open(&sealed, &key))?.wall;
    for (name, seconds) in [("age_seal", seal), ("age_open", open)] {
        report.value(OWN, &format!("{name}_mb_s"), rate(seconds));
        report.value(OWN, &format!("{name}_of_raw"), raw / seconds);
    }
    let share = Share { key, issuer: Identity::generate(Profile::Hybrid, &mut random)? };
    let path = folder.0.join("plain.share");
    let seal = best(|| share.seal(&plain, &path))?;
    let verify = best(|| share.verify(&path))?;
    let open = best(|| share.open(&path))?;
    for (name, spent) in [("share_seal", seal), ("share_open", open), ("share_verify", verify)] {
        report.value(OWN, &format!("{name}_mb_s"), rate(spent.wall));
        report.value(OWN, &format!("{name}_cpu_mb_s"), rate(spent.cpu));
        report.value(OWN, &format!("{name}_of_raw"), raw / spent.wall);
    }
    report.value(OWN, "memory_kib", memory_kib()?);

    if let Some(peer) = std::env::var_os("CLISONIX_AGE_PEER") {
        let output = Command::new(peer).args([&plain, &folder.0.join("peer.age")]).output()?;
        let text = String::from_utf8(output.stdout)?;
        let seconds: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
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
    fn seal(&self, from: &Path, to: &Path) -> Result<()> {
        let content = File::open(from)?;
        let bytes = content.metadata()?.len();
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
        seal(&sealing, content, bytes, File::create(to)?, &mut random)?;
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

fn age_seal(from: &Path, to: &Path, key: &RecipientKey) -> Result<()> {
    let mut content = File::open(from)?;
    let mut writer = Writer::new(File::create(to)?, &[key.public()], &mut random)?;
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

fn age_open(from: &Path, key: &RecipientKey) -> Result<()> {
    let mut reader = Reader::new(BufReader::new(File::open(from)?), key)?;
    while reader.chunk()?.is_some() {}
    Ok(())
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
