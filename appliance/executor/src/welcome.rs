//! The one-time code that makes the first person's twin.
//!
//! It exists only while nobody has a twin here. Two minutes, five tries, one use; kept in memory,
//! never logged.

use std::time::{Duration, Instant};

/// The code that is valid now.
pub(crate) struct Welcome {
    code: String,
    made: Instant,
    tries: u32,
}

/// What a tried code is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tried {
    /// Right: go on.
    Right,
    /// Right once, too late now: whoever has it may see a new one on the console.
    TooOld,
    /// Wrong, and there are tries left.
    Wrong,
    /// Wrong for the last time: the code is void.
    Void,
}

impl Welcome {
    /// Makes a code.
    pub(crate) fn new(now: Instant) -> std::io::Result<Self> {
        Ok(Self { code: random_code()?, made: now, tries: 0 })
    }

    /// The code, for the address that is shown.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// Judges a code that somebody sent.
    pub(crate) fn try_code(&mut self, code: &str, now: Instant) -> Tried {
        self.tries += 1;
        if self.tries > TRIES {
            return Tried::Void;
        }
        if !same(code.as_bytes(), self.code.as_bytes()) {
            return if self.tries == TRIES { Tried::Void } else { Tried::Wrong };
        }
        if now.saturating_duration_since(self.made) > VALID { Tried::TooOld } else { Tried::Right }
    }
}

/// 50 random bits, in letters and digits that are not taken for each other.
fn random_code() -> std::io::Result<String> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// Compares without telling by its time where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0
}

const VALID: Duration = Duration::from_secs(120);
const TRIES: u32 = 5;
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_late_wrong_and_void() {
        let now = Instant::now();
        let mut welcome = Welcome::new(now).unwrap();
        let code = welcome.code().to_owned();
        assert_eq!(code.len(), 10);
        assert_eq!(welcome.try_code("", now), Tried::Wrong);
        assert_eq!(welcome.try_code(&code, now), Tried::Right);
        assert_eq!(welcome.try_code(&code, now + VALID * 2), Tried::TooOld);
        assert_eq!(welcome.try_code("wrong", now), Tried::Wrong);
        assert_eq!(welcome.try_code("wrong", now), Tried::Void);
        assert_eq!(welcome.try_code(&code, now), Tried::Void);
    }

    #[test]
    fn codes_differ() {
        let now = Instant::now();
        assert_ne!(Welcome::new(now).unwrap().code(), Welcome::new(now).unwrap().code());
    }
}
