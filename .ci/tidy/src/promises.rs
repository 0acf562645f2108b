//! Every promise of the README names the test that keeps it, and every such test is a promise.
//!
//! Says nothing about whether the test is a good one.

use std::collections::BTreeSet;

/// One sentence per promise without a test, and per test file without a promise.
pub(crate) fn broken(readme: &str, paths: &BTreeSet<String>) -> Vec<String> {
    let rows: Vec<&str> = rows(readme);
    if rows.is_empty() {
        return vec!["README.md has no table of promises".to_owned()];
    }
    let mut broken = Vec::new();
    let mut named = BTreeSet::new();
    for row in rows {
        match tests_in(row).as_slice() {
            [] => broken.push(format!("this promise names no test: {row}")),
            tests => named.extend(tests.iter().map(|name| format!("{FOLDER}{name}.rs"))),
        }
    }
    for path in named.iter().filter(|path| !paths.contains(*path)) {
        broken.push(format!("README.md names {path}, which doesn't exist"));
    }
    let is_test = |path: &&String| {
        path.strip_prefix(FOLDER).is_some_and(|name| name.ends_with(".rs") && !name.contains('/'))
    };
    for path in paths.iter().filter(is_test).filter(|path| !named.contains(*path)) {
        broken.push(format!("{path} keeps no promise of README.md"));
    }
    broken
}

const FOLDER: &str = "hw-tests/tests/";

fn rows(readme: &str) -> Vec<&str> {
    let is_heading = |line: &&str| line.starts_with('#') && line.to_lowercase().contains("promise");
    readme
        .lines()
        .skip_while(|line| !is_heading(line))
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with('|'))
        .skip(2) // The table's head and the line below it.
        .collect()
}

/// Names in back ticks, with or without folder and ending.
fn tests_in(row: &str) -> Vec<&str> {
    let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(|name| name.trim_start_matches(FOLDER).trim_end_matches(".rs")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_without_test_and_a_test_without_promise_are_caught() {
        let table = "## Promises\n| promise | test |\n|---|---|\n| It starts | `starts` |\n";
        let paths = |names: &[&str]| names.iter().map(|n| format!("{FOLDER}{n}.rs")).collect();
        assert_eq!(broken(table, &paths(&["starts"])), Vec::<String>::new());
        assert_eq!(broken(table, &paths(&[])).len(), 1);
        assert_eq!(broken(table, &paths(&["starts", "stops"])).len(), 1);
        let unkept = format!("{table}| It flies | some day |\n");
        assert_eq!(broken(&unkept, &paths(&["starts"])).len(), 1);
        assert_eq!(broken("# Nothing\n", &paths(&[])).len(), 1);
    }
}
