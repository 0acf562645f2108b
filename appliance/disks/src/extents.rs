//! Which parts of an image mean something. The rest may be whatever a disk had there before.

use std::ops::Range;

/// Byte ranges in order, none touching another.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Extents {
    ranges: Vec<Range<u64>>,
}

impl Extents {
    /// Adds a range, in any order; what touches becomes one.
    pub fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let from = self.ranges.partition_point(|known| known.end < range.start);
        let to = self.ranges.partition_point(|known| known.start <= range.end);
        let touched = &self.ranges[from..to];
        let start = touched.first().map_or(range.start, |first| first.start.min(range.start));
        let end = touched.last().map_or(range.end, |last| last.end.max(range.end));
        self.ranges.splice(from..to, std::iter::once(start..end));
    }

    /// The same, in whole blocks of a size.
    #[must_use]
    pub fn in_blocks(&self, size: u64) -> Self {
        let mut blocks = Self::default();
        for range in &self.ranges {
            blocks.add(range.start / size * size..range.end.div_ceil(size) * size);
        }
        blocks
    }

    /// All of them, from the first to the last.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.iter().cloned()
    }

    /// How many bytes they are.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// Where the last one ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.end)
    }
}

impl FromIterator<Range<u64>> for Extents {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut extents = Self::default();
        ranges.into_iter().for_each(|range| extents.add(range));
        extents
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_hold_what_was_added_and_nothing_else(
            added in prop::collection::vec((0_u64..200, 0_u64..40), 0..20)
        ) {
            let ranges: Vec<_> = added.iter().map(|(start, length)| *start..start + length).collect();
            let extents: Extents = ranges.iter().cloned().collect();
            for at in 0..240 {
                let wanted = ranges.iter().any(|range| range.contains(&at));
                prop_assert_eq!(extents.iter().any(|range| range.contains(&at)), wanted);
            }
            let all: Vec<_> = extents.iter().collect();
            prop_assert!(all.windows(2).all(|two| two[0].end < two[1].start));
        }
    }

    #[test]
    fn a_block_that_is_touched_belongs_to_it() {
        let extents: Extents = [10..20, 4095..4097, 20_000..20_001].into_iter().collect();
        let blocks: Vec<_> = extents.in_blocks(4096).iter().collect();
        assert_eq!(blocks, [0..8192, 16_384..20_480]);
    }
}
