//! Somebody in between, somebody who guesses, somebody who repeats, and somebody who only disturbs.

use std::io::{Read, Write};

use super::super::code::Code;
use super::*;

/// Another code of the same inviter: its name is right and its secret is not that of `offer`.
fn other_code(of: &Node) -> Code {
    Code::generate(of.invitation.fingerprint(), &mut seeded(99))
}

fn right(offer: &Offer) -> Code {
    Code::from_text(&offer.code().to_text()).unwrap()
}

/// A session with TLS set up, from somebody's own program: what the inviter said first is read.
fn knocked(stream: &mut UnixStream) -> (Vec<u8>, Exchange, PublicIdentity, Sending<'_>) {
    // The tests that use it last as long as one exchange.
    let clock = Box::leak(Box::new(clock()));
    let profile = Profile::Hybrid;
    let mut channel = Channel::new(tls::client(profile).unwrap(), stream, clock);
    channel.set_up(profile).unwrap();
    let first = channel.receive(10_000).unwrap();
    let key = &first[..PublicIdentity::size_bytes(profile)];
    let inviter = PublicIdentity::from_bytes(key).unwrap();
    let exported = channel.exported().unwrap();
    let exchange = Exchange { profile, inviter: inviter.fingerprint(), exported };
    (first, exchange, inviter, channel)
}

type Sending<'a> = Channel<'a, UnixStream>;

/// What an honest joiner says in an exchange.
fn said(exchange: &Exchange, code: &Code, by: &Node, of: &Node) -> Vec<u8> {
    let (joiner, given) = (of.invitation.fingerprint(), of.invitation.to_text().as_bytes());
    let text = exchange.text(Part::Joiner, joiner, given);
    let signature = by.keys.signer().sign(proof::JOINER, &text, &mut seeded(8));
    [&joiner.to_bytes(), &code.mac(&text)[..], signature.to_bytes(), given].concat()
}

/// Hears what the inviter says and answers something of one's own.
fn answering(
    stream: &mut UnixStream,
    message: impl FnOnce(&Exchange) -> Vec<u8>,
) -> Result<Invitation, PairingError> {
    let (_, exchange, _, mut channel) = knocked(stream);
    channel.send(&message(&exchange))?;
    channel.receive(1)?;
    Err(PairingError::Malformed)
}

#[test]
fn who_guesses_the_secret_has_few_tries_and_learns_nothing() {
    let [one, two, three] = nodes();
    let mut offer = offer(one);
    let (right, wrong) = (right(&offer), other_code(one));
    for round in 1..=MAX_WRONG {
        assert_eq!(offer.standing(1), Standing::Open);
        let [answered, joined] = meet_with(one, &mut offer, 1, |line| ask(three, &wrong, line));
        assert_eq!(answered, Err(PairingError::WrongSecret));
        assert_eq!(joined, Err(PairingError::Refused));
        assert_eq!(offer.wrong(), round);
    }
    assert_eq!(offer.standing(1), Standing::Guessed);
    let [answered, joined] = meet_with(one, &mut offer, 1, |line| ask(two, &right, line));
    assert_eq!(answered, Err(PairingError::NoCode));
    assert_eq!(joined, Err(PairingError::Refused));
}

#[test]
fn another_node_that_answers_is_not_taken_for_the_inviter() {
    let [one, two, three] = nodes();
    let (offered, mut others) = (offer(one), offer(three));
    let code = right(&offered);
    // It learns nothing that was made with the secret: the joiner is gone before.
    let [answered, joined] = meet_with(three, &mut others, 1, |line| ask(two, &code, line));
    assert_eq!(answered, Err(PairingError::Closed));
    assert_eq!(joined, Err(PairingError::OtherInviter));
}

/// What becomes of a joiner with this code who is answered by one with keys of its own, and with
/// this said first.
fn meet_impostor(own: &Node, code: &Code, first: &[u8]) -> PairingError {
    let [_, two, _] = nodes();
    let (mut to_joiner, joiners) = line();
    thread::scope(|scope| {
        let joined = scope.spawn(|| ask(two, code, joiners));
        let mut clock = clock();
        let server = tls::server(&own.keys).unwrap();
        let mut channel = Channel::new(server, &mut to_joiner, &mut clock);
        channel.set_up(Profile::Hybrid).unwrap();
        // A joiner that has heard too much may be gone while it is said.
        assert!(channel.send(first).and_then(|()| channel.receive(MAX_EXCHANGE_BYTES)).is_err());
        joined.join().unwrap().unwrap_err()
    })
}

#[test]
fn who_passes_the_inviters_proof_on_is_found_out() {
    let [one, _, three] = nodes();
    let offered = offer(one);
    let code = right(&offered);
    // The one in between gets the true inviter's proof, in a session of its own with it.
    let (mut to_inviter, inviters) = line();
    let first = thread::scope(|scope| {
        scope.spawn(move || answer(one, &mut offer(one), inviters, 1));
        let (first, ..) = knocked(&mut to_inviter);
        drop(to_inviter);
        first
    });
    assert_eq!(meet_impostor(three, &code, &first), PairingError::Proof);
}

#[test]
fn who_names_the_inviter_and_does_not_hold_its_keys_is_found_out() {
    let [one, _, three] = nodes();
    let code = right(&offer(one));
    let key = one.keys.identity().to_bytes();
    // The right name, with a signature of somebody else over something else.
    let signature = three.keys.signer().sign(proof::INVITER, b"?", &mut seeded(8));
    let first = [&key, signature.to_bytes()].concat();
    assert_eq!(meet_impostor(three, &code, &first), PairingError::Proof);
}

#[test]
fn an_answer_without_the_secret_is_refused() {
    // The true inviter, who answers with another code than the joiner has.
    let [one, two, _] = nodes();
    let (code, other) = (right(&offer(one)), other_code(one));
    let (mut here, there) = line();
    thread::scope(|scope| {
        let joined = scope.spawn(|| ask(two, &code, there));
        let mut clock = clock();
        let answering = Answering::begin(&one.keys, &mut here, &mut clock, &mut seeded(6)).unwrap();
        let given = one.invitation.to_text().as_bytes();
        let name = two.invitation.fingerprint();
        let text = answering.exchange.text(Part::Inviter, name, given);
        let answer = [&other.mac(&text)[..], given].concat();
        let taken = Taken::of(two.invitation.clone(), answer);
        assert_eq!(answering.finish(&taken), Err(PairingError::Closed));
        assert_eq!(joined.join().unwrap(), Err(PairingError::WrongSecret));
    });
}

#[test]
fn an_identity_that_is_not_held_cannot_be_joined_with() {
    // Somebody who knows the code gives the invitation of another node, which anybody may have.
    let [one, two, three] = nodes();
    let mut offer = offer(one);
    let code = right(&offer);
    let [answered, _] = meet_with(one, &mut offer, 1, |mut line| {
        answering(&mut line, |exchange| said(exchange, &code, three, two))
    });
    assert_eq!(answered, Err(PairingError::Proof));
    // An invitation of another one than is named.
    let [answered, _] = meet_with(one, &mut offer, 1, |mut line| {
        answering(&mut line, |exchange| {
            let joiner = three.invitation.fingerprint();
            let given = two.invitation.to_text().as_bytes();
            let text = exchange.text(Part::Joiner, joiner, given);
            let signature = three.keys.signer().sign(proof::JOINER, &text, &mut seeded(8));
            [&joiner.to_bytes(), &code.mac(&text)[..], signature.to_bytes(), given].concat()
        })
    });
    assert_eq!(answered, Err(PairingError::OtherKey));
    assert_eq!(offer.wrong(), 2);
}

#[test]
fn what_was_said_in_one_session_is_nothing_in_another() {
    let [one, two, _] = nodes();
    let mut offer = offer(one);
    let code = right(&offer);
    let mut first = Vec::new();
    // Recorded by somebody who could look into the first session; the line breaks.
    let [answered, _] = meet_with(one, &mut super::offer(one), 1, |mut line| {
        let (_, exchange, ..) = knocked(&mut line);
        first = said(&exchange, &code, two, two);
        Err(PairingError::Closed)
    });
    assert_eq!(answered, Err(PairingError::Closed));
    let replayed = first;
    let [answered, _] =
        meet_with(one, &mut offer, 1, |mut line| answering(&mut line, |_| replayed));
    assert_eq!(answered, Err(PairingError::WrongSecret));
}

#[test]
fn each_part_of_what_a_joiner_says_counts() {
    let [one, two, _] = nodes();
    let length = said_length();
    let places = [0, 31, 32, 79, 80, 200, 80 + Signature::size_bytes(Profile::Hybrid), length - 2];
    for place in places {
        let mut offer = offer(one);
        let code = right(&offer);
        let [answered, _] = meet_with(one, &mut offer, 1, |mut line| {
            answering(&mut line, |exchange| {
                let mut message = said(exchange, &code, two, two);
                message[place] ^= 1;
                message
            })
        });
        let in_signature = (80..80 + Signature::size_bytes(Profile::Hybrid)).contains(&place);
        let expected = if in_signature { PairingError::Proof } else { PairingError::WrongSecret };
        assert_eq!(answered, Err(expected), "byte {place}");
    }
}

fn said_length() -> usize {
    let [_, two, _] = nodes();
    Said::head_bytes(Profile::Hybrid) + two.invitation.to_text().len()
}

#[test]
fn messages_that_are_cut_long_or_none_are_refused() {
    let [one, ..] = nodes();
    let head = Said::head_bytes(Profile::Hybrid);
    let expected = [
        (0, PairingError::Malformed),
        (31, PairingError::Malformed),
        (head - 1, PairingError::Malformed),
        (head, PairingError::WrongSecret),
        (head + MAX_INVITATION_BYTES, PairingError::WrongSecret),
        (head + MAX_INVITATION_BYTES + 1, PairingError::TooLong),
        (10 << 20, PairingError::TooLong),
    ];
    for (length, error) in expected {
        let [answered, _] = meet_with(one, &mut offer(one), 1, |mut line| {
            answering(&mut line, |_| vec![b'x'; length])
        });
        assert_eq!(answered, Err(error), "{length} bytes");
    }
}

#[test]
fn an_inviter_that_talks_on_is_refused() {
    let [one, _, three] = nodes();
    let code = right(&offer(one));
    for (length, error) in [
        (0, PairingError::Malformed),
        (100, PairingError::Malformed),
        (5300, PairingError::OtherInviter),
        (1 << 20, PairingError::TooLong),
    ] {
        let mut first = three.keys.identity().to_bytes();
        first.resize(length, 0);
        assert_eq!(meet_impostor(three, &code, &first), error, "{length} bytes");
    }
}

#[test]
fn garbage_is_refused() {
    let [one, two, _] = nodes();
    for piece in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 5000], &[0x16, 3, 1, 0xff, 0xff], b""] {
        let mut offer = offer(one);
        let code = right(&offer);
        let [answered, _] = meet_with(one, &mut offer, 1, |mut line| {
            let _ = line.write_all(piece);
            let _ = line.shutdown(std::net::Shutdown::Write);
            let _ = line.read_to_end(&mut Vec::new());
            Err(PairingError::Closed)
        });
        assert!(answered.is_err());
        // It is no try of the code.
        assert_eq!((offer.standing(1), offer.wrong()), (Standing::Open, 0));
        let (mut to_joiner, joiners) = line();
        thread::scope(|scope| {
            let joined = scope.spawn(|| ask(two, &code, joiners));
            let _ = to_joiner.write_all(piece);
            drop(to_joiner);
            assert!(joined.join().unwrap().is_err());
        });
    }
}

#[test]
fn who_drips_is_let_go() {
    let [one, two, _] = nodes();
    let (mut here, there) = line();
    (&there).write_all(&[0x16, 3, 1, 0x10, 0]).unwrap();
    // A clock that goes fast: three seconds at each look.
    let mut now = 0;
    let mut clock = || {
        now += 3_000;
        now
    };
    let answering = Answering::begin(&one.keys, &mut here, &mut clock, &mut seeded(6));
    assert_eq!(answering.err(), Some(PairingError::TooSlow));
    let (mut here, there) = line();
    let mut now = 0;
    let mut clock = || {
        now += 3_000;
        now
    };
    let code = right(&offer(one));
    let random = &mut seeded(7);
    let joined = join(&code, &two.keys, &two.invitation, &mut here, &mut clock, random);
    assert_eq!(joined, Err(PairingError::TooSlow));
    drop(there);
}
