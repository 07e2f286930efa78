//! Shares: round trips, and every way to change one.

use std::io::{Cursor, Read, Write};

use super::tree::Hashing;
use super::*;
use crate::age::tests::seeded;
use crate::{Identity, PublicRecipient, RecipientKey};

/// Who takes part, always the same.
struct Cast {
    issuer: Identity,
    reader: RecipientKey,
    other: RecipientKey,
    trust: Trust,
}

fn identity(seed: u64) -> Identity {
    Identity::generate(Profile::Hybrid, &mut seeded(seed)).unwrap()
}

fn key(seed: u64) -> RecipientKey {
    RecipientKey::generate(Profile::Hybrid, &mut seeded(seed)).unwrap()
}

fn cast() -> Cast {
    let issuer = identity(1);
    let mut trust = Trust::nobody();
    trust.accept(issuer.public().clone());
    Cast { issuer, reader: key(2), other: key(3), trust }
}

fn at(text: &str) -> Moment {
    text.parse().unwrap()
}

fn now() -> Moment {
    at("2026-11-23T12:00:00Z")
}

fn terms() -> Terms {
    Terms {
        created: at("2026-11-23T02:10:00Z"),
        until: Some(at("2026-12-31T23:59:59Z")),
        purpose: "study of made people".to_owned(),
        basis: "consent 17, version 2".to_owned(),
        content: "FHIR R4 as NDJSON".to_owned(),
        previous: Some([7; 32]),
    }
}

fn text(size: usize) -> Vec<u8> {
    (0..size).map(|place| (place % 249) as u8).collect()
}

impl Cast {
    fn seal(&self, content: &[u8], recipients: &[&RecipientKey]) -> Vec<u8> {
        self.seal_with(content, recipients, |_| {})
    }

    fn seal_with(
        &self,
        content: &[u8],
        recipients: &[&RecipientKey],
        change: impl FnOnce(&mut Sealing),
    ) -> Vec<u8> {
        let recipients: Vec<_> = recipients.iter().map(|key| key.public().clone()).collect();
        let mut sealing = Sealing {
            issuer: &self.issuer,
            recipients: &recipients,
            terms: terms(),
            name: "study.ndjson",
            hide_recipients: false,
            hide_size: false,
        };
        change(&mut sealing);
        let mut out = Cursor::new(Vec::new());
        seal(&sealing, content, content.len() as u64, &mut out, &mut seeded(9)).unwrap();
        out.into_inner()
    }

    fn open(&self, share: &[u8]) -> Result<Vec<u8>, ShareError> {
        let (text, ended) = self.open_as(share, &self.reader);
        ended.map(|_| text)
    }

    /// What came out, and how it ended.
    fn open_as(&self, share: &[u8], key: &RecipientKey) -> (Vec<u8>, Result<Manifest, ShareError>) {
        let mut out = Vec::new();
        let opened = Opening::start(share, &self.trust, key, now());
        let ended = opened.and_then(|opening| opening.copy_to(&mut out));
        (out, ended)
    }

    fn verify(&self, share: &[u8]) -> Result<Manifest, ShareError> {
        verify(share, &self.trust, now())
    }
}

/// Where each member's header begins, and how many bytes the member has.
fn members(share: &[u8]) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    let mut place = 0;
    while share[place] != 0 {
        let name = share[place..].split(|byte| *byte == 0).next().unwrap();
        let size = std::str::from_utf8(&share[place + 124..place + 135]).unwrap();
        let size = usize::from_str_radix(size, 8).unwrap();
        found.push((String::from_utf8(name.to_vec()).unwrap(), place, size));
        place += 512 + size.next_multiple_of(512);
    }
    found
}

fn member<'a>(share: &'a [u8], name: &str) -> &'a [u8] {
    let (_, place, size) = members(share).into_iter().find(|(own, ..)| own == name).unwrap();
    &share[place + 512..place + 512 + size]
}

/// A share of these members.
fn assembled(parts: [(&str, &[u8]); 4]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in parts {
        archive::begin(&mut out, name, bytes.len() as u64).unwrap();
        out.extend_from_slice(bytes);
        archive::fill(&mut out, bytes.len() as u64).unwrap();
    }
    archive::end(&mut out).unwrap();
    out
}

#[test]
fn what_was_sealed_comes_out_at_every_size_and_for_every_recipient() {
    let cast = cast();
    for size in [0, 1, 511, 512, 513, 65_536, (1 << 20) - 1, 1 << 20, 2_500_000] {
        let content = text(size);
        for hide in [false, true] {
            let share = cast.seal_with(&content, &[&cast.reader, &cast.other], |sealing| {
                sealing.hide_recipients = hide;
                sealing.hide_size = hide;
            });
            let manifest = cast.verify(&share).unwrap();
            assert_eq!(manifest.terms, terms());
            assert_eq!(manifest.recipients.len(), if hide { 4 } else { 2 });
            assert_eq!(manifest.root, *blake3::hash(member(&share, "payload.age")).as_bytes());
            for key in [&cast.reader, &cast.other] {
                let (out, stated) = cast.open_as(&share, key);
                assert_eq!(out, content);
                assert_eq!(stated.unwrap(), manifest);
            }
        }
    }
}

#[test]
fn sixty_four_recipients_fit_below_four_kb() {
    let cast = cast();
    let keys: Vec<_> = (0..33).map(|seed| key(100 + seed)).collect();
    let share = cast.seal_with(b"text", &keys.iter().collect::<Vec<_>>(), |sealing| {
        sealing.hide_recipients = true;
    });
    assert_eq!(cast.verify(&share).unwrap().recipients.len(), 64);
    assert!(member(&share, "manifest").len() < MAX_MANIFEST_BYTES);
    assert_eq!(cast.open_as(&share, &keys[32]).0, b"text");
}

#[test]
fn shares_of_like_sizes_have_one_size() {
    let cast = cast();
    let size = |bytes: usize| {
        let hide = |sealing: &mut Sealing| sealing.hide_size = true;
        cast.seal_with(&text(bytes), &[&cast.reader], hide).len()
    };
    let sizes: std::collections::BTreeSet<_> =
        (0..20).map(|step| size(100_000 + 500 * step)).collect();
    assert!(sizes.len() <= 6, "{sizes:?}");
    assert!(sizes.last() < Some(&125_000));
}

#[test]
fn every_truncation_is_told_and_lets_nothing_unverified_out() {
    let cast = cast();
    let share = cast.seal(&text(700), &[&cast.reader]);
    for size in 0..share.len() {
        let cut = &share[..size];
        let (out, ended) = cast.open_as(cut, &cast.reader);
        let Err(ShareError::Truncated { .. }) = ended else { panic!("{size}: {ended:?}") };
        // The payload has one leaf: it is whole or nothing comes out.
        let whole = size >= members(&share)[3].1 + 512 + members(&share)[3].2;
        assert_eq!(out, if whole { text(700) } else { Vec::new() });
        if size % 16 == 0 {
            assert!(matches!(cast.verify(cut), Err(ShareError::Truncated { .. })), "{size}");
        }
    }
}

#[test]
fn every_changed_bit_before_the_payload_is_refused_with_nothing_out() {
    let cast = cast();
    let share = cast.seal(&text(700), &[&cast.reader]);
    let members = members(&share);
    let (signature, payload) = (members[1].1 + 512, members[3].1 + 512);
    let signature = signature..signature + members[1].2;
    for place in 0..payload {
        // Of the signature, whose check is the slow part, one bit of each byte.
        let bits = if signature.contains(&place) { place % 8..place % 8 + 1 } else { 0..8 };
        for bit in bits {
            let mut changed = share.clone();
            changed[place] ^= 1 << bit;
            let (out, ended) = cast.open_as(&changed, &cast.reader);
            assert_eq!(out, b"");
            let told = matches!(
                ended,
                Err(ShareError::Container { .. }
                    | ShareError::NotAShare
                    | ShareError::Manifest(_)
                    | ShareError::Signature
                    | ShareError::UntrustedIssuer { .. }
                    | ShareError::Leaves)
            );
            assert!(told, "bit {bit} of byte {place}: {ended:?}");
        }
    }
}

#[test]
fn every_changed_byte_of_the_payload_and_behind_it_is_refused() {
    let cast = cast();
    let share = cast.seal(&text(70), &[&cast.reader]);
    let (_, place, size) = members(&share)[3];
    let payload = place + 512..place + 512 + size;
    for place in payload.start..share.len() {
        let mut changed = share.clone();
        changed[place] ^= 1 << (place % 8);
        let (out, ended) = cast.open_as(&changed, &cast.reader);
        if payload.contains(&place) {
            assert_eq!(out, b"");
            assert!(matches!(ended, Err(ShareError::Altered { leaf: 0 })), "{place}: {ended:?}");
        } else {
            assert!(matches!(ended, Err(ShareError::Container { .. })), "{place}: {ended:?}");
        }
        assert!(place % 16 > 0 || cast.verify(&changed).is_err());
    }
    let mut longer = share.clone();
    longer.push(0);
    assert!(matches!(cast.open(&longer), Err(ShareError::Trailing)));
    assert!(matches!(cast.verify(&longer), Err(ShareError::Trailing)));
}

#[test]
fn only_leaves_before_the_altered_one_come_out() {
    let cast = cast();
    let content = text(3 << 20);
    let mut share = cast.seal(&content, &[&cast.reader]);
    let (_, place, _) = members(&share)[3];
    share[place + 512 + (2 << 20) + 77] ^= 4;
    let (out, ended) = cast.open_as(&share, &cast.reader);
    assert!(matches!(ended, Err(ShareError::Altered { leaf: 2 })));
    assert!(out.len() < 2 << 20 && content.starts_with(&out));
    assert!(matches!(cast.verify(&share), Err(ShareError::Altered { leaf: 2 })));
}

#[test]
fn swapped_members_of_two_shares_are_refused() {
    let cast = cast();
    let one = cast.seal(&text(700), &[&cast.reader]);
    let two = cast.seal_with(&text(700), &[&cast.reader], |sealing| {
        sealing.terms.purpose = "something else".to_owned();
    });
    let names = ["manifest", "signature", "leaves", "payload.age"];
    for swapped in names {
        let part = |name| (name, member(if name == swapped { &two } else { &one }, name));
        let share = assembled(names.map(part));
        let (out, ended) = cast.open_as(&share, &cast.reader);
        assert_eq!(out, b"");
        let told = match swapped {
            "leaves" => matches!(ended, Err(ShareError::Leaves)),
            "payload.age" => {
                matches!(ended, Err(ShareError::Altered { .. } | ShareError::Container { .. }))
            }
            _ => matches!(ended, Err(ShareError::Signature)),
        };
        assert!(told, "{swapped}: {ended:?}");
    }
    let part = |name| (name, member(&one, name));
    let [manifest, signature, leaves, payload] = names.map(part);
    let other_order = assembled([signature, manifest, leaves, payload]);
    assert!(matches!(cast.open(&other_order), Err(ShareError::NotAShare)));
    let other_order = assembled([manifest, leaves, signature, payload]);
    assert!(matches!(cast.open(&other_order), Err(ShareError::Container { .. })));
}

#[test]
fn swapped_leaves_of_a_payload_are_refused() {
    let cast = cast();
    let mut share = cast.seal(&text(3 << 20), &[&cast.reader]);
    let (_, place, _) = members(&share)[3];
    let (first, second) = share[place + 512..].split_at_mut(1 << 20);
    first.swap_with_slice(&mut second[..1 << 20]);
    assert!(matches!(cast.open(&share), Err(ShareError::Altered { leaf: 0 })));
}

/// Signs the payload of a share as another issuer, who has a manifest of their own.
fn signed_again(share: &[u8], thief: &Identity, change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    let mut manifest = Manifest::from_bytes(member(share, "manifest")).unwrap();
    manifest.issuer = thief.public().fingerprint();
    change(&mut manifest);
    let signature = manifest.sign(thief, &mut seeded(5));
    assembled([
        ("manifest", &manifest.to_bytes()),
        ("signature", signature.to_bytes()),
        ("leaves", member(share, "leaves")),
        ("payload.age", member(share, "payload.age")),
    ])
}

#[test]
fn a_share_that_another_sender_signed_again_is_refused() {
    let mut cast = cast();
    let share = cast.seal(&text(700), &[&cast.reader]);
    let thief = identity(66);
    let stolen = signed_again(&share, &thief, |_| {});
    assert!(matches!(cast.open(&stolen), Err(ShareError::UntrustedIssuer { .. })));
    cast.trust.accept(thief.public().clone());
    assert!(cast.verify(&stolen).is_ok(), "outside there is nothing to be seen");
    assert!(matches!(cast.open(&stolen), Err(ShareError::Resigned)));
    // Nor can the issuer state something else about the same payload.
    let restated = signed_again(&share, &cast.issuer, |manifest| {
        manifest.terms.purpose = "something else".to_owned();
    });
    assert!(matches!(cast.open(&restated), Err(ShareError::Resigned)));
}

#[test]
fn a_content_that_was_sealed_for_somebody_else_and_passed_on_is_refused() {
    let cast = cast();
    let recipients = [cast.reader.public().clone()];
    let outside = Sealing {
        issuer: &cast.issuer,
        recipients: &recipients,
        terms: terms(),
        name: "study.ndjson",
        hide_recipients: false,
        hide_size: false,
    };
    let mut out = Cursor::new(Vec::new());
    // Inside stand only the other's name and the right manifest.
    let other = cast.other.public().fingerprint();
    seal::seal_for(&outside, &[other], &b"text"[..], 4, &mut out, &mut seeded(9)).unwrap();
    assert!(matches!(cast.open(out.get_ref()), Err(ShareError::Readdressed)));
}

#[test]
fn each_refusal_has_its_own_error() {
    let mut cast = cast();
    let share = cast.seal(b"text", &[&cast.reader]);
    assert!(matches!(cast.open_as(&share, &cast.other).1, Err(ShareError::WrongRecipient)));
    let late = at("2027-01-01T00:00:00Z");
    let expired = Opening::start(&*share, &cast.trust, &cast.reader, late).map(|_| ());
    assert!(matches!(expired, Err(ShareError::Expired { .. })));
    assert!(matches!(verify(&*share, &cast.trust, late), Err(ShareError::Expired { .. })));
    let last = at("2026-12-31T23:59:59Z");
    assert!(verify(&*share, &cast.trust, last).is_ok());
    assert!(matches!(
        verify(&*share, &Trust::nobody(), now()),
        Err(ShareError::UntrustedIssuer { .. })
    ));
    assert!(matches!(cast.open(member(&share, "payload.age")), Err(ShareError::NotSigned)));
    let unsigned = assembled([
        ("manifest", member(&share, "manifest")),
        ("signature", b""),
        ("leaves", member(&share, "leaves")),
        ("payload.age", member(&share, "payload.age")),
    ]);
    assert!(matches!(cast.open(&unsigned), Err(ShareError::NotSigned)));
    assert!(matches!(cast.open(b"%PDF-1.7 and so on"), Err(ShareError::NotAShare)));
    let mut withdrawn = cast.trust.clone();
    let id = cast.verify(&share).unwrap().share;
    let by = |issuer: &Identity| {
        let random = &mut seeded(9);
        let text = Withdrawal::sign(issuer, id, 5, random).to_text().to_owned();
        Withdrawal::from_text(text.as_bytes(), issuer.public()).unwrap()
    };
    withdrawn.withdraw(&by(&identity(8)));
    assert!(verify(&*share, &withdrawn, now()).is_ok(), "another key took it back");
    withdrawn.withdraw(&by(&cast.issuer));
    assert!(matches!(verify(&*share, &withdrawn, now()), Err(ShareError::Withdrawn { .. })));
    cast.trust.revoke(cast.issuer.public().clone());
    assert!(matches!(cast.open(&share), Err(ShareError::RevokedIssuer)));
}

#[test]
fn what_cannot_be_sealed_is_refused() {
    let cast = cast();
    let public = |key: &RecipientKey| key.public().clone();
    let try_seal =
        |recipients: &[PublicRecipient], change: &dyn Fn(&mut Sealing<'_>), said: u64| {
            let mut sealing = Sealing {
                issuer: &cast.issuer,
                recipients,
                terms: terms(),
                name: "study.ndjson",
                hide_recipients: false,
                hide_size: false,
            };
            change(&mut sealing);
            let out = Cursor::new(Vec::new());
            seal(&sealing, &b"text"[..], said, out, &mut seeded(9)).unwrap_err()
        };
    let one = [public(&cast.reader)];
    let same = |_: &mut Sealing| {};
    assert!(matches!(try_seal(&[], &same, 4), ShareError::Recipients));
    let twice = [one[0].clone(), one[0].clone()];
    assert!(matches!(try_seal(&twice, &same, 4), ShareError::Recipients));
    let cnsa = RecipientKey::generate(Profile::Cnsa2, &mut seeded(1)).unwrap();
    let error = try_seal(&[public(&cnsa)], &same, 4);
    assert!(matches!(error, ShareError::Profile(Profile::Cnsa2)));
    for said in [3, 5, 70_000] {
        assert!(matches!(try_seal(&one, &same, said), ShareError::ContentLength), "{said}");
    }
    assert!(matches!(try_seal(&one, &same, u64::MAX), ShareError::TooLarge { .. }));
    for words in ["", " x", "two\nlines", "turned \u{202e}around", &"x".repeat(257)] {
        let change = |sealing: &mut Sealing| sealing.terms.purpose = words.to_owned();
        let error = try_seal(&one, &change, 4);
        assert!(matches!(error, ShareError::Words { what: "purpose", .. }), "{words:?}");
    }
    for name in ["", "a/b", "..", "a\\b", "a\nb"] {
        let change = |sealing: &mut Sealing| sealing.name = name;
        assert!(matches!(try_seal(&one, &change, 4), ShareError::Words { what: "name", .. }));
    }
}

#[test]
fn a_manifest_has_one_text() {
    let cast = cast();
    let share = cast.seal(b"text", &[&cast.reader]);
    let text = String::from_utf8(member(&share, "manifest").to_vec()).unwrap();
    let manifest = Manifest::from_bytes(text.as_bytes()).unwrap();
    assert_eq!(manifest.to_bytes(), text.as_bytes());
    for (from, to) in [
        ("clisonix-share 1", "clisonix-share 2"),
        ("profile hybrid", "profile cnsa2"),
        ("share ", "share A"),
        ("until 2026", "until  2026"),
        ("purpose ", "purpose \t"),
        ("payload ", "payload 0"),
        ("payload ", "payload +"),
        ("salt ", "SALT "),
        ("root ", "to "),
        ("\n", "\r\n"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let read = Manifest::from_bytes(changed.as_bytes());
        assert!(matches!(read, Err(ShareError::Manifest(_))), "{from:?} to {to:?}");
    }
    for more in ["x", "\n", "root x\n"] {
        let read = Manifest::from_bytes(format!("{text}{more}").as_bytes());
        assert!(matches!(read, Err(ShareError::Manifest(LineFault::Behind { .. }))));
    }
}

#[test]
fn a_manifest_has_limits() {
    let cast = cast();
    let share = cast.seal(b"text", &[&cast.reader]);
    let text = String::from_utf8(member(&share, "manifest").to_vec()).unwrap();
    let to = text.lines().find(|line| line.starts_with("to ")).unwrap();
    let twice = text.replace(to, &format!("{to}\n{to}"));
    let read = Manifest::from_bytes(twice.as_bytes());
    assert!(matches!(read, Err(ShareError::Manifest(LineFault::Order { name: "to" }))));
    let many = text.replace(to, &vec![to; MAX_RECIPIENTS + 1].join("\n"));
    let read = Manifest::from_bytes(many.as_bytes());
    assert!(matches!(read, Err(ShareError::Manifest(LineFault::TooMany { name: "to", .. }))));
    let large = vec![b'x'; MAX_MANIFEST_BYTES];
    assert!(matches!(Manifest::from_bytes(&large), Err(ShareError::TooLarge { .. })));
    let huge = text.replace("\npayload ", "\npayload 99999999999");
    let mut manifest = Manifest::from_bytes(huge.as_bytes()).unwrap();
    manifest.root = [0; 32];
    let signature = manifest.sign(&cast.issuer, &mut seeded(5));
    let share = assembled([
        ("manifest", &manifest.to_bytes()),
        ("signature", signature.to_bytes()),
        ("leaves", b""),
        ("payload.age", b""),
    ]);
    assert!(matches!(cast.open(&share), Err(ShareError::TooLarge { part: "payload" })));
}

#[test]
fn a_writer_that_fails_is_told_as_that() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let cast = cast();
    let share = cast.seal(b"text", &[&cast.reader]);
    let opening = Opening::start(&*share, &cast.trust, &cast.reader, now()).unwrap();
    let Err(ShareError::Io(error)) = opening.copy_to(&mut Full) else { panic!("no error") };
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    let mut hashing = Hashing::new(Full);
    hashing.write_all(b"text").unwrap();
    assert!(hashing.finish().is_err());
}

#[test]
fn an_input_that_fails_is_told_as_that() {
    struct Gone;
    impl Read for Gone {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let cast = cast();
    let share = cast.seal(&text(3000), &[&cast.reader]);
    for size in [0, 600, 5_000, share.len() - 2_000] {
        let ended = verify(share[..size].chain(Gone), &cast.trust, now());
        assert!(matches!(ended, Err(ShareError::Io(_))), "{size}: {ended:?}");
        let opened = Opening::start(share[..size].chain(Gone), &cast.trust, &cast.reader, now());
        let ended = opened.and_then(|opening| opening.copy_to(&mut Vec::new()));
        assert!(matches!(ended, Err(ShareError::Io(_))), "{size}: {ended:?}");
    }
}
