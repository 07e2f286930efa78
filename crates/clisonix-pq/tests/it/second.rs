//! The other implementation of each primitive: aws-lc where the crate uses `RustCrypto`, and
//! `RustCrypto` where it uses aws-lc.

mod aead;
mod kem;
mod signing;

pub(crate) use self::aead::{Aes, ChaCha20Poly1305, XChaCha20Poly1305};
pub(crate) use self::kem::{Lattice, XWing};
pub(crate) use self::signing::{AwsMlDsa65, AwsMlDsa87, DalekEd25519};
