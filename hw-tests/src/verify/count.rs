//! Adds up what test runners print.
//!
//! A test that says `SKIP name: reason` counts as skipped, though the runner calls it passed.

/// Tests so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Count {
    passed: u64,
    pub(crate) failed: u64,
    skipped: u64,
    /// Of those that the runner calls passed.
    said_skip: u64,
}

impl Count {
    /// Takes one line of output into account.
    pub(crate) fn add(&mut self, line: &str) {
        if line.starts_with("SKIP ") {
            self.said_skip += 1;
        }
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        // "ok. 3 passed; 0 failed; 1 ignored; 0 measured; ..."
        let counts = result.split_once(". ").map_or("", |(_, counts)| counts);
        for part in counts.split("; ") {
            match part.split_once(' ').map(|(n, what)| (n.parse::<u64>(), what)) {
                Some((Ok(n), "passed")) => self.passed += n,
                Some((Ok(n), "failed")) => self.failed += n,
                Some((Ok(n), "ignored")) => self.skipped += n,
                Some(_) | None => {}
            }
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let passed = self.passed.saturating_sub(self.said_skip);
        let skipped = self.skipped + self.said_skip;
        write!(f, "{passed} passed, {} failed, {skipped} skipped", self.failed)
    }
}

/// Lines that say only that something passed.
pub(crate) fn silent(line: &str) -> bool {
    line.trim().is_empty()
        || line.starts_with("running ")
        || line.starts_with("test ") && line.ends_with(" ok")
        || line.starts_with("test result: ok. 0 passed; 0 failed; 0 ignored")
        || line.trim_start().starts_with("Compiling ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_and_skips_add_up() {
        let mut count = Count::default();
        for line in [
            "running 4 tests",
            "SKIP browser_story: no browser",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "a line with 7 passed; that is none",
        ] {
            count.add(line);
        }
        assert_eq!(count.to_string(), "3 passed, 2 failed, 2 skipped");
    }

    #[test]
    fn failures_and_skips_are_never_silent() {
        assert!(silent("test tests::a ... ok"));
        for loud in
            ["test tests::a ... FAILED", "SKIP a: b", "error: test failed", "warning: unused"]
        {
            assert!(!silent(loud), "{loud}");
        }
    }
}
