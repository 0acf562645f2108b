//! Challenges that prove themselves: nothing is kept of one until it was answered, so whoever asks for
//! thousands takes no room and drives out nobody's.
//!
//! Random bytes, the time, and a keyed hash over both and what the challenge is for. The key lies in the
//! door, so a twin may sleep while its person looks for their finger.

use crate::session::random;

/// A challenge's bytes: 16 random, 8 of the time in milliseconds since 1970, 16 of the hash.
const LENGTH: usize = 40;
/// How long a person may take.
pub(crate) const LIVES_MS: i64 = 5 * 60 * 1000;

/// Why an answer to a challenge is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stale {
    /// It was not made here, or for something else.
    Foreign,
    /// It took too long.
    Late,
}

/// Makes a challenge for something.
pub(crate) fn make(key: &[u8; 32], purpose: &str, now_ms: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend(random::<16>());
    bytes.extend(now_ms.to_be_bytes());
    bytes.extend(proof(key, purpose, &bytes));
    bytes
}

/// When it was made, if it was made here for this and is not too old.
pub(crate) fn check(
    key: &[u8; 32],
    purpose: &str,
    bytes: &[u8],
    now_ms: i64,
) -> Result<i64, Stale> {
    let (said, shown) = bytes.split_at_checked(24).ok_or(Stale::Foreign)?;
    let shown = <[u8; 16]>::try_from(shown).map_err(|_| Stale::Foreign)?;
    // Hashed once more, so the time that the comparison takes tells nothing.
    let same =
        blake3::keyed_hash(key, &shown) == blake3::keyed_hash(key, &proof(key, purpose, said));
    let time = said.split_last_chunk::<8>().map(|(_, time)| i64::from_be_bytes(*time));
    let time = time.filter(|_| same).ok_or(Stale::Foreign)?;
    // A clock that was set back makes a challenge of the future; a new one is soon asked for.
    if (0..=LIVES_MS).contains(&now_ms.saturating_sub(time)) { Ok(time) } else { Err(Stale::Late) }
}

fn proof(key: &[u8; 32], purpose: &str, said: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(said).update(purpose.as_bytes());
    let mut proof = [0; 16];
    hasher.finalize_xof().fill(&mut proof);
    proof
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const NOW: i64 = 1_790_000_000_000;

    #[test]
    fn a_challenge_is_good_for_one_thing_and_five_minutes() {
        let made = make(&KEY, "sign in", NOW);
        assert_eq!(check(&KEY, "sign in", &made, NOW), Ok(NOW));
        assert_eq!(check(&KEY, "sign in", &made, NOW + LIVES_MS), Ok(NOW));
        assert_eq!(check(&KEY, "sign in", &made, NOW + LIVES_MS + 1), Err(Stale::Late));
        assert_eq!(check(&KEY, "sign in", &made, NOW - 1), Err(Stale::Late));
        assert_eq!(check(&KEY, "add", &made, NOW), Err(Stale::Foreign));
        assert_eq!(check(&[8; 32], "sign in", &made, NOW), Err(Stale::Foreign));
        assert_ne!(make(&KEY, "sign in", NOW), made);
    }

    proptest::proptest! {
        #[test]
        fn nobody_else_makes_one(bytes in proptest::collection::vec(0_u8.., 0..60)) {
            proptest::prop_assert_eq!(check(&KEY, "", &bytes, NOW), Err(Stale::Foreign));
        }

        #[test]
        fn a_changed_one_is_none(at in 0_usize..LENGTH, by in 1_u8..) {
            let mut made = make(&KEY, "sign in", NOW);
            made[at] ^= by;
            proptest::prop_assert_eq!(check(&KEY, "sign in", &made, NOW), Err(Stale::Foreign));
        }
    }
}
