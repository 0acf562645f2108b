//! Ranges of bytes, as RFC 9110 has them in section 14. One range is served; of several, and of what
//! is no range of bytes, the whole is answered, as the standard allows.

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    /// Everything.
    All,
    /// Nothing that is there.
    Nothing,
    /// Something within: from this byte on, to before that one.
    Part {
        /// The first.
        from: u64,
        /// The first that is not wanted.
        to: u64,
    },
}

/// What a `Range` header asks of a content of this size.
pub(crate) fn asked(header: Option<&str>, size: u64) -> Asked {
    let Some((first, last)) = header.and_then(range) else { return Asked::All };
    match (first, last) {
        (Some(first), last) => {
            let to = last.map_or(size, |last| last.saturating_add(1).min(size));
            if first < size { Asked::Part { from: first, to } } else { Asked::Nothing }
        }
        (None, Some(suffix)) if suffix > 0 && size > 0 => {
            Asked::Part { from: size.saturating_sub(suffix), to: size }
        }
        (None, _) => Asked::Nothing,
    }
}

/// The first and last byte of a header with one range of bytes; without a first, how many from the
/// end.
pub(crate) fn range(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, set) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        text if text.bytes().all(|b| b.is_ascii_digit()) => {
            // A number beyond all is beyond the end.
            Some(Some(text.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    };
    match (number(first)?, number(last)?) {
        (None, None) => None,
        (Some(first), Some(last)) if last < first => None,
        found => Some(found),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_has_them() {
        let part = |from, to| Asked::Part { from, to };
        for (header, wanted) in [
            ("bytes=0-499", part(0, 500)),
            ("bytes=500-", part(500, 1000)),
            ("bytes=-500", part(500, 1000)),
            ("bytes=-5000", part(0, 1000)),
            ("bytes=0-0", part(0, 1)),
            ("bytes=999-99999999999999999999999", part(999, 1000)),
            ("Bytes=0-0", part(0, 1)),
            ("bytes=1000-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-4", Asked::All),
            ("bytes=0-1,3-4", Asked::All),
            ("bytes=a-b", Asked::All),
            ("bytes=-", Asked::All),
            ("bytes=+1-2", Asked::All),
            ("items=0-1", Asked::All),
            ("bytes", Asked::All),
            ("", Asked::All),
        ] {
            assert_eq!(asked(Some(header), 1000), wanted, "{header}");
        }
        assert_eq!(asked(None, 0), Asked::All);
        assert_eq!(asked(Some("bytes=0-"), 0), Asked::Nothing);
        assert_eq!(asked(Some("bytes=-1"), 0), Asked::Nothing);
    }

    proptest! {
        #[test]
        fn a_part_lies_within(header in "(bytes=)?[0-9]{0,22}-?[0-9]{0,22}|.{0,30}", size: u64) {
            if let Asked::Part { from, to } = asked(Some(&header), size) {
                prop_assert!(from < to && to <= size);
            }
        }

        #[test]
        fn a_part_is_the_one_that_was_asked_for(first in 0_u64..200, more in 0_u64..200, size in 0_u64..200) {
            let last = first + more;
            let wanted: Vec<u64> = (0..size).filter(|at| (first..=last).contains(at)).collect();
            let got: Vec<u64> = match asked(Some(&format!("bytes={first}-{last}")), size) {
                Asked::Part { from, to } => (from..to).collect(),
                Asked::Nothing => Vec::new(),
                Asked::All => return Err(TestCaseError::fail("not a range")),
            };
            prop_assert_eq!(got, wanted);
        }
    }
}
