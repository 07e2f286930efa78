//! The operations, each for the two profiles and for the classical algorithms.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clisonix_pq::ed25519::Ed25519;
use clisonix_pq::primitive::Signing;
use clisonix_pq::{Context, Identity, Profile, RecipientKey, Secret, x25519};
use cpu_time::ThreadTime;

use crate::report::Report;

/// What is signed: about the size of a statement's digest lines.
pub const MESSAGE_BYTES: usize = 256;

const CONTEXT: Context = Context::new("clisonix bench 1");
/// What the profiles replace.
pub const CLASSICAL: &str = "classical";

/// Measures everything.
pub fn run(spell: Duration, report: &mut Report) -> Result<()> {
    for (subject, profile) in [("hybrid", Profile::Hybrid), ("cnsa2", Profile::Cnsa2)] {
        signing(subject, profile, spell, report)?;
        opening(subject, profile, spell, report)?;
    }
    ed25519(spell, report)?;
    agreement(spell, report)
}

fn signing(
    subject: &'static str,
    profile: Profile,
    spell: Duration,
    report: &mut Report,
) -> Result<()> {
    let message = [7; MESSAGE_BYTES];
    let identity = Identity::generate(profile, &mut random)?;
    let public = identity.public().clone();
    let signature = identity.sign(CONTEXT, &message, &mut random);
    ensure!(public.verify(CONTEXT, &message, &signature).is_ok(), "the signature does not verify");
    report.value(
        subject,
        "key_per_s",
        rate(spell, || {
            black_box(Identity::generate(profile, &mut random).is_ok());
        }),
    );
    report.value(
        subject,
        "sign_per_s",
        rate(spell, || {
            black_box(identity.sign(CONTEXT, &message, &mut random));
        }),
    );
    report.value(
        subject,
        "verify_per_s",
        rate(spell, || {
            black_box(public.verify(CONTEXT, &message, &signature).is_ok());
        }),
    );
    report.value(subject, "public_bytes", (public.to_bytes().len() - 2) as f64);
    report.value(subject, "signature_bytes", signature.to_bytes().len() as f64);
    Ok(())
}

fn opening(
    subject: &'static str,
    profile: Profile,
    spell: Duration,
    report: &mut Report,
) -> Result<()> {
    let key = RecipientKey::generate(profile, &mut random)?;
    let public = key.public().clone();
    let (encapsulated, shared) = public.encapsulate(&mut random)?;
    let opened = key.decapsulate(&encapsulated).context("does not open")?;
    ensure!(opened.expose() == shared.expose(), "the shared secrets differ");
    report.value(
        subject,
        "recipient_per_s",
        rate(spell, || {
            black_box(RecipientKey::generate(profile, &mut random).is_ok());
        }),
    );
    report.value(
        subject,
        "encapsulate_per_s",
        rate(spell, || {
            black_box(public.encapsulate(&mut random).is_ok());
        }),
    );
    report.value(
        subject,
        "decapsulate_per_s",
        rate(spell, || {
            black_box(key.decapsulate(&encapsulated).is_ok());
        }),
    );
    report.value(subject, "recipient_bytes", public.key().len() as f64);
    report.value(subject, "encapsulated_bytes", encapsulated.len() as f64);
    Ok(())
}

fn ed25519(spell: Duration, report: &mut Report) -> Result<()> {
    let message = [7; MESSAGE_BYTES];
    let new = || {
        let seed = Secret::<32>::generate(&mut random);
        Ed25519::key(seed.expose())
    };
    let key = new()?;
    let public = Ed25519::public(&key);
    let signature = Ed25519::sign(&key, &[], &message, &mut random)?;
    report.value(
        CLASSICAL,
        "key_per_s",
        rate(spell, || {
            black_box(new().is_ok());
        }),
    );
    report.value(
        CLASSICAL,
        "sign_per_s",
        rate(spell, || {
            black_box(Ed25519::sign(&key, &[], &message, &mut random).is_ok());
        }),
    );
    report.value(
        CLASSICAL,
        "verify_per_s",
        rate(spell, || {
            black_box(Ed25519::verify(&public, &[], &message, &signature).is_ok());
        }),
    );
    report.value(CLASSICAL, "public_bytes", public.len() as f64);
    report.value(CLASSICAL, "signature_bytes", signature.len() as f64);
    Ok(())
}

/// X25519 as a KEM: encapsulating makes a key and agrees, decapsulating agrees.
fn agreement(spell: Duration, report: &mut Report) -> Result<()> {
    let own = Secret::generate(&mut random);
    let public = x25519::public(&own)?;
    let encapsulate = || {
        let fresh = Secret::generate(&mut random);
        let share = x25519::public(&fresh);
        share.is_ok() && x25519::agree(&fresh, &public).is_ok()
    };
    report.value(
        CLASSICAL,
        "recipient_per_s",
        rate(spell, || {
            black_box(x25519::public(&Secret::generate(&mut random)).is_ok());
        }),
    );
    report.value(
        CLASSICAL,
        "encapsulate_per_s",
        rate(spell, || {
            black_box(encapsulate());
        }),
    );
    report.value(
        CLASSICAL,
        "decapsulate_per_s",
        rate(spell, || {
            black_box(x25519::agree(&own, &public).is_ok());
        }),
    );
    report.value(CLASSICAL, "recipient_bytes", x25519::BYTES as f64);
    report.value(CLASSICAL, "encapsulated_bytes", x25519::BYTES as f64);
    Ok(())
}

/// How often a second, in CPU time: the best of five spells, for others use the machine too.
pub fn rate(spell: Duration, mut operation: impl FnMut()) -> f64 {
    let mut best: f64 = 0.0;
    for _ in 0..5 {
        let start = ThreadTime::now();
        let mut count = 0_u32;
        while start.elapsed() < spell {
            (0..8).for_each(|_| operation());
            count += 8;
        }
        best = best.max(f64::from(count) / start.elapsed().as_secs_f64());
    }
    best.round()
}

/// The system's randomness.
pub fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has randomness");
}
