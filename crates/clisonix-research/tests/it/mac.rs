//! A keyed function for tests: mixed well enough, and secret from nobody.

/// The answer of the project with this key.
pub(crate) fn keyed(key: u64) -> impl Fn(&[u8]) -> [u8; 32] {
    move |message| {
        let mut answer = [0; 32];
        for (lane, bytes) in (0_u64..).zip(answer.chunks_mut(8)) {
            let mut state = key ^ (lane + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            for &byte in message {
                state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
                state ^= state >> 29;
            }
            state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bytes.copy_from_slice(&(state ^ (state >> 31)).to_be_bytes());
        }
        answer
    }
}
