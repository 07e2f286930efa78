//! The vectors of `docs/formats/link.md`: statements about TLS keys, made from a known random
//! source. `CLISONIX_WRITE_VECTORS` writes them again. The proofs' vectors are held by the crate's
//! own tests, since nobody outside of a link makes one.

use std::fs;
use std::path::Path;

use clisonix_pq::link::{LinkKey, LinkKeys, Peer};
use clisonix_pq::{Identity, Profile};

use crate::chance::Seeded;

#[test]
fn statements_about_tls_keys_are_what_the_format_page_says() {
    for profile in Profile::ALL {
        let mut random = Seeded::new(40 + u64::from(profile.suite()));
        let identity = Identity::generate(profile, &mut random).expect("an identity");
        let public = identity.public().clone();
        let keys = LinkKeys::new(identity, 1_700_000_000_000, &mut random).expect("keys");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/link");
        let (statement, key) =
            (folder.join(format!("{profile}.link")), format!("{profile}.identity"));
        if std::env::var_os("CLISONIX_WRITE_VECTORS").is_some() {
            fs::write(&statement, keys.public().to_text()).expect("written");
            fs::write(folder.join(&key), public.to_bytes()).expect("written");
        }
        let kept = fs::read_to_string(&statement).expect("a vector");
        assert_eq!(kept, keys.public().to_text());
        assert_eq!(fs::read(folder.join(&key)).expect("a vector"), public.to_bytes());
        let read = LinkKey::from_text(kept.as_bytes(), &public).expect("a statement");
        assert_eq!(read.profile(), profile);
        assert!(Peer::new(public, kept.as_bytes()).is_ok());
    }
}
