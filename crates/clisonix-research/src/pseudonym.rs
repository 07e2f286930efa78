//! Keyed pseudonyms: what is handed in, what is asked of it, and what becomes of the answer.

/// A keyed function of one project: a message authentication code, or any other pseudo-random
/// function of 32 bytes, under a key that stays with whoever releases the data.
///
/// Different projects must have different keys, or two releases could be joined. The key decides the
/// pseudonyms of ids and the days that dates are shifted by, so it must be kept as long as the
/// project adds to its release, and destroyed with it.
pub trait Pseudonyms {
    /// The 32 bytes that belong to the message.
    fn keyed(&self, message: &[u8]) -> [u8; 32];
}

impl<F: Fn(&[u8]) -> [u8; 32]> Pseudonyms for F {
    fn keyed(&self, message: &[u8]) -> [u8; 32] {
        self(message)
    }
}

/// What a message is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The id of a resource: scope, type, id.
    Id,
    /// Any other number or address: where it stands, its system, itself.
    Identifier,
    /// The shift of a patient's dates: scope.
    Shift,
}

/// Says what the messages are for, so that the key answers nobody else's.
const LABEL: &str = "clisonix research 1";

/// The answer to purpose and parts; parts have their lengths before them, so that no two lists of
/// parts are one message.
pub(crate) fn keyed(pseudonyms: &dyn Pseudonyms, purpose: Purpose, parts: &[&str]) -> [u8; 32] {
    let purpose = match purpose {
        Purpose::Id => "id",
        Purpose::Identifier => "identifier",
        Purpose::Shift => "shift",
    };
    let mut message = Vec::with_capacity(128);
    for part in [LABEL, purpose].iter().chain(parts) {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part.as_bytes());
    }
    pseudonyms.keyed(&message)
}

/// 128 bits as 32 letters from `a` to `p`: a FHIR id that never looks like a number, a date or a
/// telephone.
pub(crate) fn letters(answer: &[u8; 32]) -> String {
    let half = |nibble: u8| char::from(b'a' + nibble);
    answer.iter().take(16).flat_map(|byte| [half(byte >> 4), half(byte & 15)]).collect()
}

/// A number of days from 1 to `most`, either way.
pub(crate) fn days(answer: &[u8; 32], most: u32) -> i32 {
    // 64 bits modulo a few thousand: no day is more likely than another by more than 2^-50.
    let drawn = answer.iter().take(8).fold(0_u64, |sum, &byte| (sum << 8) | u64::from(byte));
    let most = u64::from(most.max(1));
    let day = drawn % (2 * most);
    let day = if day < most { day as i32 + 1 } else { -((day - most) as i32) - 1 };
    debug_assert!(day != 0);
    day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lists_of_parts_are_one_message() {
        let seen = std::cell::RefCell::new(Vec::new());
        let note = |message: &[u8]| {
            seen.borrow_mut().push(message.to_vec());
            [0; 32]
        };
        for parts in [&["ab", "c"][..], &["a", "bc"], &["abc"], &["abc", ""]] {
            keyed(&note, Purpose::Id, parts);
            keyed(&note, Purpose::Identifier, parts);
        }
        let mut messages = seen.into_inner();
        let all = messages.len();
        messages.sort_unstable();
        messages.dedup();
        assert_eq!(messages.len(), all);
    }

    #[test]
    fn shifts_reach_both_ends_and_are_never_nothing() {
        let drawn = |number: u64| {
            let mut answer = [0; 32];
            answer[..8].copy_from_slice(&number.to_be_bytes());
            days(&answer, 3)
        };
        let all: Vec<i32> = (0..6).map(drawn).collect();
        assert_eq!(all, [1, 2, 3, -1, -2, -3]);
    }
}
