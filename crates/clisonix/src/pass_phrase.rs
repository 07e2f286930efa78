//! Pass-phrases: from a file, a descriptor or the terminal, never from the command line.

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use console::Term;
use zeroize::Zeroizing;

use crate::exit::Fault;
use crate::keyring;
use crate::outlet;

/// Least bytes of a new pass-phrase.
pub(crate) const MIN_PASS_PHRASE_BYTES: usize = 12;
/// Most bytes of a pass-phrase.
pub(crate) const MAX_PASS_PHRASE_BYTES: usize = 1024;

/// Where a pass-phrase comes from. Else it is the file that `CLISONIX_PASSPHRASE_FILE` names, or
/// the terminal.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// Read the pass-phrase from this open file descriptor [default: the file that
    /// `CLISONIX_PASSPHRASE_FILE` names, else the terminal]
    #[arg(long, value_name = "NUMBER")]
    passphrase_fd: Option<u32>,
}

impl Source {
    /// The pass-phrase of keys that are there.
    pub(crate) fn present(&self, name: &str) -> Result<Zeroizing<Vec<u8>>> {
        // What this process could open is not meant by who asked for the command.
        if let Some(given) = outlet::pass_phrase(name) {
            return given.context("who asked for the command gives no pass-phrase");
        }
        match self.elsewhere()? {
            Some(given) => Ok(given),
            None => ask(&format!("Pass-phrase of {name}: ")),
        }
    }

    /// The pass-phrase of new keys; on a terminal it is asked for twice.
    pub(crate) fn fresh(&self, name: &str) -> Result<Zeroizing<Vec<u8>>> {
        let given = if let Some(given) = self.elsewhere()? {
            given
        } else {
            let first = ask(&format!("New pass-phrase of {name}: "))?;
            if first != ask("The same again: ")? {
                return Err(Fault::usage("the two pass-phrases differ").into());
            }
            first
        };
        long_enough(given)
    }

    fn elsewhere(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        if let Some(number) = self.passphrase_fd {
            return read(&PathBuf::from(format!("/dev/fd/{number}"))).map(Some);
        }
        env::var_os("CLISONIX_PASSPHRASE_FILE").map(|path| read(Path::new(&path))).transpose()
    }
}

/// The pass-phrase of a store's key file: in the file that `CLISONIX_STORE_PASSPHRASE_FILE` names,
/// else, of one that asks for it, from the terminal.
pub(crate) fn of_stores(is_needed: bool, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    if let Some(file) = env::var_os("CLISONIX_STORE_PASSPHRASE_FILE") {
        let words = read(Path::new(&file))?;
        return long_enough(words).map(Some);
    }
    if is_needed {
        ask(&format!("Pass-phrase of {}: ", path.display())).map(Some)
    } else {
        Ok(None)
    }
}

/// Another pass-phrase for a store's key files.
pub(crate) fn new_of_stores(folder: &Path) -> Result<Zeroizing<Vec<u8>>> {
    if let Some(file) = env::var_os("CLISONIX_STORE_PASSPHRASE_FILE_NEW") {
        return long_enough(read(Path::new(&file))?);
    }
    let first = ask(&format!("New pass-phrase of {}: ", folder.display()))?;
    if first != ask("The same again: ")? {
        return Err(Fault::usage("the two pass-phrases differ").into());
    }
    long_enough(first)
}

fn long_enough(words: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>> {
    if words.len() < MIN_PASS_PHRASE_BYTES {
        let message = format!("a pass-phrase has at least {MIN_PASS_PHRASE_BYTES} bytes");
        return Err(Fault::usage(message).into());
    }
    Ok(words)
}

/// The first line of a file that others cannot read.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let named = || format!("cannot read a pass-phrase from {}", path.display());
    let file = File::open(path).with_context(named)?;
    keyring::refuse_if_shared(&file, path)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_PASS_PHRASE_BYTES + 2));
    file.take(MAX_PASS_PHRASE_BYTES as u64 + 1).read_to_end(&mut bytes).with_context(named)?;
    if bytes.len() > MAX_PASS_PHRASE_BYTES {
        let message = format!("a pass-phrase has at most {MAX_PASS_PHRASE_BYTES} bytes");
        return Err(Fault::usage(message).into());
    }
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(bytes.len());
    bytes.truncate(end);
    Ok(bytes)
}

fn ask(prompt: &str) -> Result<Zeroizing<Vec<u8>>> {
    let terminal = Term::stderr();
    if !terminal.is_term() {
        let message = "a pass-phrase is needed: set CLISONIX_PASSPHRASE_FILE or give \
                       --passphrase-fd";
        return Err(Fault::usage(message).into());
    }
    terminal.write_str(prompt)?;
    let line = terminal.read_secure_line().context("cannot read from the terminal")?;
    Ok(Zeroizing::new(line.into_bytes()))
}
