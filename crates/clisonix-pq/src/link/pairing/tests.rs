//! Exchanges between two nodes on sockets of one machine, and with those who should have none.

mod attacks;
mod knocks;

use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::super::invitation::About;
use super::*;
use crate::age::tests::seeded;
use crate::checkpoint::Author;
use crate::{Identity, Keys};

/// A node: what it opens links with, and its invitation.
struct Node {
    keys: LinkKeys,
    invitation: Invitation,
}

fn node(profile: Profile, seed: u64) -> Node {
    let keys = Keys::generate(profile, "site", 5, &mut seeded(seed)).unwrap();
    let copy = || Identity::from_seed(profile, keys.identity().seed()).unwrap();
    let link = LinkKeys::new(copy(), 5, &mut seeded(2)).unwrap();
    let author = Author::new(copy(), 5, &mut seeded(3)).unwrap();
    let about = About { name: format!("site {seed}"), ..About::default() };
    let random = &mut seeded(4);
    let live = author.live_key();
    let invitation = Invitation::sign(&keys, link.public(), live, &about, 6, random).unwrap();
    Node { keys: link, invitation }
}

/// An inviter, a joiner, and somebody else.
fn nodes() -> &'static [Node; 3] {
    static NODES: OnceLock<[Node; 3]> = OnceLock::new();
    NODES.get_or_init(|| [1, 2, 3].map(|seed| node(Profile::Hybrid, seed)))
}

fn offer(of: &Node) -> Offer {
    Offer::new(of.invitation.clone(), DEFAULT_CODE_MS, 0, &mut seeded(5))
}

/// Two ends of a connection; reads end after a while, as the exchange wants it.
fn line() -> (UnixStream, UnixStream) {
    let (one, two) = UnixStream::pair().unwrap();
    for end in [&one, &two] {
        end.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        end.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    }
    (one, two)
}

fn clock() -> impl FnMut() -> u64 {
    let begun = Instant::now();
    move || begun.elapsed().as_millis() as u64
}

/// The inviter's end, to its end.
fn answer(
    own: &Node,
    offer: &mut Offer,
    mut stream: UnixStream,
    now_ms: u64,
) -> Result<Invitation, PairingError> {
    let mut clock = clock();
    let answering = Answering::begin(&own.keys, &mut stream, &mut clock, &mut seeded(6))?;
    let taken = offer.take(&answering, now_ms)?;
    answering.finish(&taken)?;
    Ok(taken.joiner().clone())
}

fn ask(own: &Node, code: &Code, mut stream: UnixStream) -> Result<Invitation, PairingError> {
    join(code, &own.keys, &own.invitation, &mut stream, &mut clock(), &mut seeded(7))
}

/// Both ends at once: what the inviter has, and what the joiner has.
fn meet_with(
    inviter: &Node,
    offer: &mut Offer,
    now_ms: u64,
    joiner: impl FnOnce(UnixStream) -> Result<Invitation, PairingError> + Send,
) -> [Result<Invitation, PairingError>; 2] {
    let (here, there) = line();
    thread::scope(|scope| {
        let joining = scope.spawn(move || joiner(there));
        let answered = answer(inviter, offer, here, now_ms);
        [answered, joining.join().unwrap()]
    })
}

#[test]
fn two_nodes_pair_in_both_profiles() {
    for profile in Profile::ALL {
        let (one, two) = (node(profile, 21), node(profile, 22));
        let mut offer = offer(&one);
        let code = Code::from_text(&offer.code().to_text()).unwrap();
        let [answered, joined] = meet_with(&one, &mut offer, 1, |line| ask(&two, &code, line));
        assert_eq!(answered.as_ref(), Ok(&two.invitation));
        assert_eq!(joined.as_ref(), Ok(&one.invitation));
        assert_eq!((offer.standing(1), offer.wrong()), (Standing::Used, 0));
    }
}

#[test]
fn nodes_of_two_profiles_do_not_pair() {
    let ([one, ..], two) = (nodes(), node(Profile::Cnsa2, 22));
    let mut offer = offer(one);
    let code = Code::from_text(&offer.code().to_text()).unwrap();
    let [answered, joined] = meet_with(one, &mut offer, 1, |line| ask(&two, &code, line));
    let (answered, joined) = (answered.unwrap_err(), joined.unwrap_err());
    assert_eq!(answered, PairingError::Link(super::super::LinkError::KeyExchange));
    assert!(matches!(joined, PairingError::Link(_)), "{joined:?}");
    assert_eq!(offer.standing(1), Standing::Open);
}

#[test]
fn a_code_is_good_once() {
    let [one, two, three] = nodes();
    let mut offer = offer(one);
    let code = Code::from_text(&offer.code().to_text()).unwrap();
    let [answered, _] = meet_with(one, &mut offer, 1, |line| ask(two, &code, line));
    assert!(answered.is_ok());
    let [answered, joined] = meet_with(one, &mut offer, 2, |line| ask(three, &code, line));
    assert_eq!(answered, Err(PairingError::NoCode));
    assert_eq!(joined, Err(PairingError::Refused));
}

#[test]
fn a_code_has_its_time() {
    let [one, two, _] = nodes();
    let mut offer = offer(one);
    let code = Code::from_text(&offer.code().to_text()).unwrap();
    assert_eq!(offer.standing(DEFAULT_CODE_MS - 1), Standing::Open);
    assert_eq!(offer.standing(DEFAULT_CODE_MS), Standing::Over);
    let late = |line| ask(two, &code, line);
    let [answered, joined] = meet_with(one, &mut offer, DEFAULT_CODE_MS, late);
    assert_eq!(answered, Err(PairingError::NoCode));
    assert_eq!(joined, Err(PairingError::Refused));
    // However long is asked for.
    let long = Offer::new(one.invitation.clone(), u64::MAX, 9, &mut seeded(5));
    assert_eq!(long.standing(MAX_CODE_MS + 9), Standing::Over);
}

#[test]
fn a_node_does_not_pair_with_itself() {
    let [one, ..] = nodes();
    let mut offer = offer(one);
    let code = Code::from_text(&offer.code().to_text()).unwrap();
    let [answered, joined] = meet_with(one, &mut offer, 1, |line| ask(one, &code, line));
    assert_eq!(answered, Err(PairingError::Closed));
    assert_eq!(joined, Err(PairingError::OwnIdentity));
}
