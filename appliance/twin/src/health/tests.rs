//! Each problem is found when it is there and only then, and has words for everything it says.

use handover::Trouble;
use store::{Part, Stopped, Usage};

use super::*;
use crate::limits::{Limits, Who};
use crate::messages::Messages;

const NOW: i64 = 1_800_000_000_000;
const GIB: u64 = 1 << 30;

fn well() -> Looked {
    let usage = Usage {
        length: 4 << 20,
        free: 1 << 20,
        erase_due_ms: Some(NOW + 1),
        blobs: 0,
        quota: Some(1 << 30),
    };
    Looked {
        now_ms: NOW,
        certificate_until_ms: Some(NOW + 90 * DAY_MS),
        condition: Condition { stopped: None, usage, newest_ms: Some(NOW - 1), kept_bytes: 0 },
        room: Some((50 * GIB, 100 * GIB)),
        memory_short: false,
        refused: None,
        host: "ann.localhost".to_owned(),
    }
}

fn names(looked: &Looked) -> Vec<(&'static str, Weight)> {
    find(looked).iter().map(|one| (one.name, one.weight)).collect()
}

/// What is found besides that there is one copy only.
fn found(change: impl FnOnce(&mut Looked)) -> Vec<(&'static str, Weight)> {
    let mut looked = well();
    change(&mut looked);
    names(&looked).into_iter().filter(|(name, _)| *name != one_copy_only::NAME).collect()
}

fn stopped(part: Part) -> Option<Stopped> {
    Some(Stopped { since_ms: NOW, part, found: "the chain breaks at journal entry 7".to_owned() })
}

/// So many requests of an experience, refused.
fn refused(count: usize) -> Option<Refused> {
    let limits = Limits::new(handover::Rate { at_once: 1, per_minute: 1 });
    let who = Who::Experience { name: "chat".to_owned(), session: "s".to_owned() };
    (0..count).for_each(|_| limits.note(&who, Instant::now()));
    limits.refused(Instant::now())
}

#[test]
fn a_twin_that_is_well_only_says_that_it_is_alone() {
    assert_eq!(names(&well()), [(one_copy_only::NAME, Weight::Note)]);
}

#[test]
fn each_problem_is_found_by_its_own_sign() {
    let day = |days: i64| NOW + days * DAY_MS;
    let no_tls = found(|l| l.certificate_until_ms = None);
    assert_eq!(no_tls, []);
    assert_eq!(found(|l| l.certificate_until_ms = Some(day(31))), []);
    let old = [(certificate_old::NAME, Weight::Soon)];
    assert_eq!(found(|l| l.certificate_until_ms = Some(day(30))), old);
    assert_eq!(found(|l| l.certificate_until_ms = Some(day(-1))), old);

    assert_eq!(found(|l| l.condition.newest_ms = Some(NOW + 299_999)), []);
    let wrong = [(clock_wrong::NAME, Weight::Soon)];
    assert_eq!(found(|l| l.condition.newest_ms = Some(NOW + 300_000)), wrong);

    let due = |weight| [(compaction_due::NAME, weight)];
    assert_eq!(found(|l| l.condition.usage.free = 3 << 20), due(Weight::Note));
    assert_eq!(found(|l| l.condition.usage.erase_due_ms = Some(NOW)), due(Weight::Soon));

    assert_eq!(found(|l| l.condition.kept_bytes = 1), [(kept_copy::NAME, Weight::Note)]);

    assert_eq!(found(|l| l.room = Some((GIB - 1, 5 * GIB))), []);
    assert_eq!(found(|l| l.room = Some((GIB - 1, 100 * GIB))), [(quota_near::NAME, Weight::Soon)]);
    assert_eq!(found(|l| l.room = Some((1, 2))), [(quota_near::NAME, Weight::Now)]);
    assert_eq!(found(|l| l.room = None), []);
    let of_share = |quota| found(|l| l.condition.usage.quota = quota);
    assert_eq!(of_share(Some(4 << 20)), [], "a quarter is left");
    assert_eq!(of_share(Some(3_300_000)), [(quota_near::NAME, Weight::Soon)]);
    assert_eq!(of_share(Some(3 << 20)), [(quota_near::NAME, Weight::Now)]);
    assert_eq!(of_share(None), []);

    assert_eq!(found(|l| l.memory_short = true), [(memory_short::NAME, Weight::Soon)]);

    let asked = [(asked_too_much::NAME, Weight::Soon)];
    assert_eq!(found(|l| l.refused = refused(99)), []);
    assert_eq!(found(|l| l.refused = refused(100)), asked);

    let failed = [(verify_failed::NAME, Weight::Now)];
    assert_eq!(found(|l| l.condition.stopped = stopped(Part::Journal)), failed);
}

#[test]
fn what_is_stopped_is_neither_compacted_nor_tidied() {
    let all = found(|l| {
        l.condition.stopped = stopped(Part::Tables);
        l.condition.usage.free = 3 << 20;
        l.condition.kept_bytes = 1;
    });
    assert_eq!(all, [(verify_failed::NAME, Weight::Now)]);
}

#[test]
fn only_sound_journals_make_tables_again() {
    for (part, repairs) in [
        (Part::Tables, vec!["rebuild", "check_again"]),
        (Part::Content, vec!["check_again"]),
        (Part::Journal, vec!["check_again"]),
        (Part::Checkpoint, vec!["check_again"]),
    ] {
        let mut looked = well();
        looked.condition.stopped = stopped(part);
        assert_eq!(verify_failed::find(&looked).unwrap().repairs, repairs);
    }
}

#[test]
fn every_problem_and_repair_has_words_without_holes() {
    let mut all = Vec::new();
    let mut looked = well();
    looked.certificate_until_ms = Some(NOW);
    looked.condition.newest_ms = Some(i64::MAX);
    looked.condition.usage.free = 3 << 20;
    looked.room = Some((GIB - 1, 100 * GIB));
    looked.condition.kept_bytes = 5_000_000;
    looked.refused = refused(100);
    looked.memory_short = true;
    all.extend(find(&looked));
    looked.condition.stopped = stopped(Part::Tables);
    all.extend(find(&looked).into_iter().filter(|one| one.name == verify_failed::NAME));
    for locale in ["en", "de"] {
        let language = Messages::shipped().of_locale(locale);
        let mut seen = Vec::new();
        for one in &all {
            let item = say::item(one, None, language);
            seen.push(one.name);
            let offers = item.repairs.iter().flat_map(|offer| [&offer.label, &offer.what_happens]);
            for text in [&item.title, &item.detail, &item.what_to_do].into_iter().chain(offers) {
                let whole = !text.is_empty() && !text.contains('{') && !text.starts_with("health.");
                assert!(whole, "{locale} {}: {text}", one.name);
            }
        }
        assert!(PROBLEMS.iter().all(|name| seen.contains(name)), "{seen:?}");
        for repair in REPAIRS {
            for settled in [true, false] {
                assert!(
                    !repaired(repair, settled, language).text.starts_with("health."),
                    "{repair}"
                );
            }
        }
    }
}

#[test]
fn figures_are_said_as_people_read_them() {
    let say = |bytes, seconds, locale| {
        let trouble = Trouble::new("disk_short", handover::Weight::Now)
            .with("free", Figure::Bytes(bytes))
            .with("size", Figure::Bytes(2_000_000_000_000));
        let disk = spoken(&trouble, Messages::shipped().of_locale(locale)).detail;
        let clock = Trouble::new("node_clock_wrong", handover::Weight::Now);
        let clock = clock.with("behind", Figure::Seconds(seconds));
        (disk, spoken(&clock, Messages::shipped().of_locale(locale)).detail)
    };
    let (disk, clock) = say(1_234_567_890, 7_300, "en");
    assert!(disk.contains("1.2 GB of 2.0 TB") && clock.contains(" 2 h "), "{disk} {clock}");
    let (disk, clock) = say(999_999, 90, "de");
    assert!(disk.contains("2,0 TB") && disk.contains("999,9 kB"), "{disk}");
    assert!(clock.contains("90 s"), "{clock}");
}
