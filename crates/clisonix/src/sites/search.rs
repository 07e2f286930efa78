//! Looking for words in everything that a site shows, keeps and says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clisonix_fhir::json::Value;
use flate2::{Decompress, FlushDecompress};

use super::PATIENTS;
use super::bundle::Message;
use super::place::Place;

/// How far back packed bytes refer.
const WINDOW_BYTES: usize = 32 << 10;
/// Most bytes that are unpacked at one place, and least that are looked at.
const MAX_UNPACKED_BYTES: usize = 8 << 10;
const LEAST_UNPACKED_BYTES: usize = 18;

/// A site's name, or none for what lies between sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Where(Option<&'static str>);

impl Where {
    pub(super) fn of(site: &'static str) -> Self {
        Self(Some(site))
    }

    pub(super) fn anywhere() -> Self {
        Self(None)
    }
}

/// Bytes, each with the site that they are of.
pub(super) struct Search {
    places: Vec<(Option<&'static str>, Vec<u8>)>,
    conflicts: usize,
}

impl Search {
    /// What each site shows: every patient with open conflicts and history.
    pub(super) fn shown(places: &[Place]) -> Result<Self> {
        let mut search = Self { places: Vec::new(), conflicts: 0 };
        for (number, place) in places.iter().enumerate() {
            let mut text = String::new();
            let mut add = |values: Vec<Value>| {
                for value in values {
                    text.push_str(&value.to_text());
                    text.push('\n');
                }
            };
            for patient in 0..PATIENTS {
                let name = Message::new(patient).name();
                // A record that is not held is no error here.
                add(place.run(&["show", &name]).unwrap_or_default());
                add(place.run(&["history", &name]).unwrap_or_default());
            }
            let conflicts = place.run(&["conflicts"])?;
            if number == 0 {
                search.conflicts = conflicts.len();
            }
            add(conflicts);
            search.places.push((Some(place.name), text.into_bytes()));
        }
        Ok(search)
    }

    /// How long each site's messages are by now.
    pub(super) fn lengths(places: &[Place]) -> Result<BTreeMap<PathBuf, u64>> {
        let length = |place: &Place| Ok((place.told(), fs::metadata(place.told())?.len()));
        places.iter().map(length).collect()
    }

    /// What a site said and was told so far, unpacked.
    pub(super) fn traffic(place: &Place) -> Result<Self> {
        let told = unpacked(&fs::read(place.told())?);
        Ok(Self { places: vec![(Some(place.name), told)], conflicts: 0 })
    }

    /// What each site shows, the bytes of all its files, what it said and was told from `since`
    /// on, before that was encrypted, and everything that went over the lines.
    pub(super) fn everything(
        places: &[Place],
        lines: &[&Path],
        since: &BTreeMap<PathBuf, u64>,
    ) -> Result<Self> {
        let mut search = Self::shown(places)?;
        for place in places {
            for file in place.files()? {
                // A file may go while others are read.
                search.places.push((Some(place.name), fs::read(file).unwrap_or_default()));
            }
            let told = fs::read(place.told())?;
            let from = since.get(&place.told()).copied().unwrap_or_default();
            let from = usize::try_from(from).unwrap_or(usize::MAX);
            let told = told.get(from..).unwrap_or_default();
            search.places.push((Some(place.name), unpacked(told)));
            search.places.push((Some(place.name), told.to_vec()));
        }
        for line in lines {
            search.places.push((None, fs::read(line)?));
        }
        Ok(search)
    }

    /// Conflicts that are open at the first site.
    pub(super) fn conflicts(&self) -> usize {
        self.conflicts
    }

    /// At how many sites a word is.
    pub(super) fn sites_with(&self, word: &str) -> usize {
        let with = self.places.iter().filter(|(_, bytes)| holds(bytes, word));
        with.filter_map(|(site, _)| *site).collect::<BTreeSet<_>>().len()
    }

    pub(super) fn is_at(&self, site: &str, word: &str) -> bool {
        self.places.iter().any(|(own, bytes)| *own == Some(site) && holds(bytes, word))
    }

    /// In how many places words are found; lines belong to every site.
    pub(super) fn count(&self, words: &[&str], of: &Where) -> usize {
        let concerned = |site: Option<&str>| of.0.is_none() || site.is_none() || site == of.0;
        let places = self.places.iter().filter(|(site, _)| concerned(*site));
        places.map(|(_, bytes)| words.iter().filter(|word| holds(bytes, word)).count()).sum()
    }
}

/// What comes out wherever packed bytes may begin: changes travel packed (raw DEFLATE, RFC 1951).
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let (mut all, mut piece) = (Vec::new(), Vec::with_capacity(MAX_UNPACKED_BYTES));
    // Instead of the texts that packing refers to: words are not among them.
    let texts = vec![b'.'; WINDOW_BYTES];
    let mut inflate = Decompress::new(false);
    for at in 0..bytes.len() {
        inflate.reset(false);
        let _ = inflate.set_dictionary(&texts);
        piece.clear();
        // Most places are none where packed bytes begin.
        let rest = bytes.get(at..).unwrap_or_default();
        let _ = inflate.decompress_vec(rest, &mut piece, FlushDecompress::Finish);
        if piece.len() >= LEAST_UNPACKED_BYTES {
            all.extend_from_slice(&piece);
        }
    }
    all
}

fn holds(bytes: &[u8], word: &str) -> bool {
    let word = word.as_bytes();
    let Some(first) = word.first() else { return false };
    let starts = bytes.iter().enumerate().filter(|(_, byte)| *byte == first);
    starts.into_iter().any(|(at, _)| bytes.get(at..at + word.len()) == Some(word))
}
