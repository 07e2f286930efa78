//! What two nodes tell each other before their first link: an invitation, signed by who gives it,
//! and an admission, by which who takes it says that the fingerprint was compared.

use crate::checkpoint::{KnownAuthor, LiveKey};
use crate::digest::sha384;
use crate::fingerprint::Fingerprint;
use crate::form::{self, FormError};
use crate::identity::{Context, Identity};
use crate::keys::{Keys, PublicKeys};
use crate::random::Random;
use crate::share::words;
use crate::statement::{signed, verify};

use super::keys::LinkKey;
use super::peers::Peer;

/// Most bytes of an invitation, and of an admission with the invitation in it.
pub const MAX_INVITATION_BYTES: usize = 64 << 10;
/// Most bytes of an organization's name.
pub const MAX_ORGANIZATION_BYTES: usize = 200;
/// Most addresses, and most identifiers, of one node.
pub const MAX_PLACES: usize = 16;
/// Most words of an admission's terms.
pub const MAX_TERMS: usize = 64;
/// Most bytes of one address or identifier.
pub const MAX_PLACE_BYTES: usize = 260;

/// What a node tells of itself, beside its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The organization's name.
    pub name: String,
    /// The organization's identifiers, each `system|value` without spaces.
    pub identifiers: Vec<String>,
    /// Where it can be reached, each `host:port`; none if it only connects to others.
    pub addresses: Vec<String>,
}

/// Everything that another node needs, in one text that anybody may have: who it is, its keys,
/// and the statements about its links and its provisional changes. Whose it is is told by
/// comparing the fingerprint over another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    about: About,
    keys: PublicKeys,
    peer: Peer,
    author: KnownAuthor,
    text: String,
}

impl Invitation {
    /// Signs an invitation. `link` and `live` are the statements of the same identity.
    ///
    /// # Errors
    /// [`FormError::Value`] names what does not fit; [`FormError::OtherKey`].
    pub fn sign(
        keys: &Keys,
        link: &LinkKey,
        live: Option<&LiveKey>,
        about: &About,
        made_ms: u64,
        random: &mut dyn Random,
    ) -> Result<Self, FormError> {
        let own = keys.identity().public().fingerprint().hexadecimal();
        let lines = [
            ("made", &*made_ms.to_string()),
            ("key", &*own),
            ("name", &*about.name),
            ("identifiers", &*about.identifiers.join(" ")),
            ("addresses", &*about.addresses.join(" ")),
        ];
        let mut text = signed(INVITATION, &lines, keys.identity(), INVITE, random);
        text.push_str(keys.public(random).to_text());
        text.push_str(link.to_text());
        text.push_str(live.map_or("", LiveKey::to_text));
        // What was written is read back: nothing goes out that others would refuse.
        Self::from_text(text.as_bytes())
    }

    /// Reads an invitation and verifies that all of it is signed by the identity in it.
    ///
    /// # Errors
    /// [`FormError`] says what is wrong with which part.
    pub fn from_text(bytes: &[u8]) -> Result<Self, FormError> {
        let [head, keys, link, live] = forms(bytes)?;
        let keys = PublicKeys::from_text(keys)?;
        let names = ["made", "key", "name", "identifiers", "addresses", "signature"];
        let [made, by, name, identifiers, addresses, signature] =
            form::read(head, INVITATION, names)?;
        let by = form::fingerprint("key", by)?;
        verify(head, by, signature, keys.identity(), INVITE)?;
        form::number("made", made)?;
        let about = About {
            name: words(name, MAX_ORGANIZATION_BYTES).ok_or(FormError::Value("name"))?,
            identifiers: places("identifiers", identifiers, '|')?,
            addresses: places("addresses", addresses, ':')?,
        };
        let live = (!live.is_empty()).then_some(live);
        Ok(Self {
            about,
            peer: Peer::new(keys.identity().clone(), link)?,
            author: KnownAuthor::new(keys.identity().clone(), live)?,
            keys,
            text: String::from_utf8_lossy(bytes).into_owned(),
        })
    }

    /// What the node tells of itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Its public keys.
    pub fn keys(&self) -> &PublicKeys {
        &self.keys
    }

    /// The node for the list of peers.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The node as an author of changes.
    pub fn author(&self) -> &KnownAuthor {
        &self.author
    }

    /// What people compare.
    pub fn fingerprint(&self) -> Fingerprint {
        self.keys.fingerprint()
    }

    /// The invitation as a text.
    pub fn to_text(&self) -> &str {
        &self.text
    }
}

/// How a node stands to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// The fingerprint was compared; links are opened.
    Admitted,
    /// No link any more.
    Revoked,
}

impl Membership {
    /// Its word in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Revoked => "revoked",
        }
    }
}

/// A node's own statement about a peer, with the peer's invitation: a line of its list of peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    made_ms: u64,
    membership: Membership,
    terms: Vec<String>,
    invitation: Invitation,
    text: String,
}

impl Admission {
    /// Signs it. `terms` are words about what the peer may hold, for the node alone to read.
    ///
    /// # Errors
    /// [`FormError::OtherKey`] if the invitation is the node's own; [`FormError::Key`] if it is of
    /// another profile; [`FormError::Value`] for terms that cannot be written.
    pub fn sign(
        own: &Identity,
        invitation: Invitation,
        membership: Membership,
        terms: &[String],
        made_ms: u64,
        random: &mut dyn Random,
    ) -> Result<Self, FormError> {
        let written = terms.join(" ");
        if read_terms(&written)? != terms {
            return Err(FormError::Value("terms"));
        }
        if invitation.fingerprint() == own.public().fingerprint() {
            return Err(FormError::OtherKey);
        }
        crate::keys::same_profile(own.profile(), invitation.keys.profile())?;
        let lines = [
            ("made", &*made_ms.to_string()),
            ("key", &*own.public().fingerprint().hexadecimal()),
            ("peer", &*invitation.fingerprint().hexadecimal()),
            ("membership", membership.name()),
            ("terms", &*written),
            ("invitation", &*digest(invitation.to_text())),
        ];
        let head = signed(ADMISSION, &lines, own, ADMIT, random);
        let text = head + invitation.to_text();
        Ok(Self { made_ms, membership, terms: terms.to_vec(), invitation, text })
    }

    /// Reads what [`Self::sign`] made and verifies that `own` signed it.
    ///
    /// # Errors
    /// [`FormError`] says what is wrong.
    pub fn from_text(
        bytes: &[u8],
        own: &crate::identity::PublicIdentity,
    ) -> Result<Self, FormError> {
        let (head, rest) = first_form(bytes)?;
        let names = ["made", "key", "peer", "membership", "terms", "invitation", "signature"];
        let [made, by, peer, membership, terms, stated, signature] =
            form::read(head, ADMISSION, names)?;
        verify(head, form::fingerprint("key", by)?, signature, own, ADMIT)?;
        let invitation = Invitation::from_text(rest)?;
        let is_named = stated == digest(invitation.to_text());
        if !is_named || form::fingerprint("peer", peer)? != invitation.fingerprint() {
            return Err(FormError::OtherKey);
        }
        let membership = [Membership::Admitted, Membership::Revoked]
            .into_iter()
            .find(|known| known.name() == membership)
            .ok_or(FormError::Value("membership"))?;
        let made_ms = form::number("made", made)?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        let terms = read_terms(terms)?;
        Ok(Self { made_ms, membership, terms, invitation, text })
    }

    /// When it was signed, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn made_ms(&self) -> u64 {
        self.made_ms
    }

    /// How the node stands to the peer.
    pub fn membership(&self) -> Membership {
        self.membership
    }

    /// What the peer may hold, in words that the node itself wrote.
    pub fn terms(&self) -> &[String] {
        &self.terms
    }

    /// What the peer has given.
    pub fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    /// The statement as a file.
    pub fn to_text(&self) -> &str {
        &self.text
    }
}

/// The parts of an invitation; the last is empty where the profile has no provisional statements.
fn forms(bytes: &[u8]) -> Result<[&[u8]; 4], FormError> {
    let (head, rest) = first_form(bytes)?;
    let (keys, rest) = first_form(rest)?;
    let (link, live) = first_form(rest)?;
    Ok([head, keys, link, live])
}

/// A text up to where the next form begins: no line of a form begins as a form does.
fn first_form(bytes: &[u8]) -> Result<(&[u8], &[u8]), FormError> {
    if bytes.len() > MAX_INVITATION_BYTES {
        return Err(FormError::TooLong);
    }
    let next = bytes.windows(NEXT.len()).position(|part| part == NEXT);
    let next = next.map_or(bytes.len(), |at| at + 1);
    bytes.split_at_checked(next).ok_or(FormError::TooLong)
}

/// Addresses or identifiers: texts without spaces that have `mark` in them, one space between.
fn places(name: &'static str, text: &str, mark: char) -> Result<Vec<String>, FormError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let read = |place: &str| {
        let fits = words(place, MAX_PLACE_BYTES).filter(|place| place.contains(mark));
        fits.ok_or(FormError::Value(name))
    };
    let places = text.split(' ').map(read).collect::<Result<Vec<_>, _>>()?;
    if places.len() > MAX_PLACES { Err(FormError::Value(name)) } else { Ok(places) }
}

/// Words of letters, digits and a few marks, one space between.
fn read_terms(text: &str) -> Result<Vec<String>, FormError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | ':');
    let fits = |word: &str| (1..=MAX_PLACE_BYTES).contains(&word.len()) && word.chars().all(letter);
    let words: Vec<&str> = text.split(' ').collect();
    if words.len() > MAX_TERMS || !words.iter().all(|word| fits(word)) {
        return Err(FormError::Value("terms"));
    }
    Ok(words.into_iter().map(str::to_owned).collect())
}

fn digest(text: &str) -> String {
    form::to_base64(&sha384(text.as_bytes()))
}

const NEXT: &[u8] = b"\nclisonix ";
const INVITATION: &str = "clisonix invitation";
const INVITE: Context = Context::new("clisonix invitation 1");
const ADMISSION: &str = "clisonix peer";
const ADMIT: Context = Context::new("clisonix peer 1");
