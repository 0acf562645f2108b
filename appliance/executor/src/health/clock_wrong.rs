//! The clock shows a time that is over already: times in journals would be wrong, certificates too.
//!
//! A time counts as seen when it was noted at the end of some work. Never sets the clock.

use handover::{Figure, Trouble, Weight};

pub(super) const NAME: &str = "node_clock_wrong";

/// Compares with the latest time that was seen here, and with when this program was built.
pub(super) fn find(now_ms: i64, seen_ms: i64) -> Option<Trouble> {
    let latest = seen_ms.max(BUILT_S.saturating_mul(1000));
    let behind_ms = latest.saturating_sub(now_ms);
    if behind_ms < TOLERATED_MS {
        return None;
    }
    let behind = Figure::Seconds(u64::try_from(behind_ms / 1000).unwrap_or(0));
    let trouble = Trouble::new(NAME, Weight::Now).with("behind", behind);
    // What is earlier than the program itself can't be right.
    let possible = now_ms >= BUILT_S.saturating_mul(1000);
    Some(if possible { trouble.offering("accept_clock") } else { trouble })
}

/// Clocks are set right by a little now and then.
const TOLERATED_MS: i64 = 5 * 60 * 1000;
/// Seconds since 1970: the builder's word, else when this line was written.
const BUILT_S: i64 = match option_env!("SOURCE_DATE_EPOCH") {
    Some(text) => parsed(text.as_bytes()),
    None => 1_793_000_000,
};

const fn parsed(digits: &[u8]) -> i64 {
    let (mut sum, mut at) = (0, 0);
    while at < digits.len() {
        sum = sum * 10 + (digits[at] - b'0') as i64;
        at += 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_than_seen_or_than_the_program_is_wrong() {
        let now = BUILT_S * 1000 + 1_000_000_000;
        assert_eq!(find(now, 0), None);
        assert_eq!(find(now, now + TOLERATED_MS - 1), None);
        let behind = find(now, now + 3_600_000).unwrap();
        assert_eq!(behind.values, [("behind".to_owned(), Figure::Seconds(3600))]);
        assert_eq!(behind.repairs, ["accept_clock"]);
        assert_eq!(find(0, 0).unwrap().repairs, Vec::<String>::new(), "1970 is nobody's time");
        assert_eq!(parsed(b"1793000000"), 1_793_000_000);
    }
}
