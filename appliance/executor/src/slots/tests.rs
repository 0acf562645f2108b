//! A disk like an image's, whose power is cut at every write: it always starts a system that is whole,
//! and an update that was interrupted can be done again.
//!
//! What would start is found out by other programs' readers (the crates `gpt` and `fatfs`), by the
//! boot loader's rule and by the first program's.

mod disk;
mod fat;

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

use self::disk::{Disk, bundle, contents, kernel, system};
use super::{Error, Slots, Step, Tries};
use update::Version;

const A: Version = Version(1, 0, 0);
const B: Version = Version(1, 1, 0);
const C: Version = Version(1, 2, 0);
const FIRST: [u32; 2] = [2, 4];
const SECOND: [u32; 2] = [3, 5];

fn install(disk: &Disk, running: [u32; 2], version: Version) -> Result<(), Error> {
    let mut bundle = Cursor::new(bundle(version));
    let contents = contents(&mut bundle);
    Slots::new(disk, running).install(&contents, &mut bundle, |_, _| ())
}

/// What the machine does when it's switched on: the version, and where it runs from.
fn start(disk: &Disk) -> (Version, [u32; 2]) {
    let started = disk.start();
    started.unwrap_or_else(|reason| panic!("the disk doesn't start: {reason}"))
}

#[test]
fn updates_go_to_and_fro() {
    let disk = Disk::new(A);
    assert_eq!(start(&disk), (A, FIRST));
    install(&disk, FIRST, B).unwrap();
    assert_eq!(start(&disk), (B, SECOND));
    let mut slots = Slots::new(&disk, SECOND);
    let about = slots.about().unwrap();
    assert!(about.on_trial);
    assert_eq!((about.running, about.other), (B, Some((A, Tries::Good))));
    assert!(matches!(install(&disk, SECOND, C), Err(Error::OnTrial)));
    slots.bless().unwrap();
    slots.bless().unwrap();
    assert!(!slots.about().unwrap().on_trial);
    install(&disk, SECOND, C).unwrap();
    assert_eq!(start(&disk), (C, FIRST));
    // It fails: the boot loader goes back, and it can be seen.
    disk.fail(C);
    assert_eq!(start(&disk), (B, SECOND));
    assert_eq!(slots.about().unwrap().other, Some((C, Tries::Failed)));
    // The same version again, and away from it by wish.
    install(&disk, SECOND, C).unwrap();
    let mut slots = Slots::new(&disk, FIRST);
    slots.bless().unwrap();
    assert_eq!(slots.roll_back().unwrap(), B);
    assert_eq!(start(&disk), (B, SECOND));
    let mut slots = Slots::new(&disk, SECOND);
    assert_eq!(slots.about().unwrap().other, Some((C, Tries::Aside)));
    assert_eq!(slots.roll_back().unwrap(), C, "and there again");
    assert_eq!(start(&disk), (C, FIRST));
    // It is counted, and the good one is still there.
    assert!(Slots::new(&disk, FIRST).about().unwrap().on_trial);
    disk.fail(C);
    assert_eq!(start(&disk), (B, SECOND));
}

#[test]
fn one_that_failed_is_not_gone_back_to() {
    let disk = Disk::new(A);
    install(&disk, FIRST, B).unwrap();
    disk.fail(B);
    let mut slots = Slots::new(&disk, FIRST);
    assert_eq!(slots.roll_back().unwrap_err().name(), "did_not_prove");
    assert_eq!(start(&disk), (A, FIRST));
    let about = slots.about().unwrap();
    assert_eq!((about.on_trial, about.next), (false, A));
    // Its update, given once more, is a trial of its own.
    install(&disk, FIRST, B).unwrap();
    assert_eq!(start(&disk), (B, SECOND));
}

#[test]
fn one_that_was_never_started_is_taken_away_again() {
    let disk = Disk::new(A);
    install(&disk, FIRST, B).unwrap();
    let mut slots = Slots::new(&disk, FIRST);
    assert_eq!(slots.about().unwrap().next, B);
    assert_eq!(slots.roll_back().unwrap(), A, "it stays");
    let about = slots.about().unwrap();
    assert_eq!((about.on_trial, about.other, about.next), (false, None, A));
    assert_eq!(start(&disk), (A, FIRST));
}

#[test]
fn whoever_goes_back_does_it_before_the_next_update() {
    let disk = Disk::new(A);
    install(&disk, FIRST, B).unwrap();
    disk.tried(B);
    let mut slots = Slots::new(&disk, SECOND);
    assert_eq!(slots.roll_back().unwrap(), A);
    let about = slots.about().unwrap();
    assert_eq!((about.on_trial, about.next), (false, A));
    assert_eq!(install(&disk, SECOND, C).unwrap_err().name(), "leaving");
    // A gate that comes late doesn't take the wish back.
    slots.bless().unwrap();
    assert_eq!(start(&disk), (A, FIRST));
    // The one that was left has not failed; nobody knows yet that it is good.
    let mut slots = Slots::new(&disk, FIRST);
    assert_eq!(slots.roll_back().unwrap(), B);
    assert_eq!(start(&disk), (B, SECOND));
    assert!(Slots::new(&disk, SECOND).about().unwrap().on_trial);
}

#[test]
fn what_is_done_is_told_in_its_order() {
    let disk = Disk::new(A);
    let mut bundle = Cursor::new(bundle(B));
    let contents = contents(&mut bundle);
    let mut steps = Vec::new();
    Slots::new(&disk, FIRST).install(&contents, &mut bundle, |step, _| steps.push(step)).unwrap();
    steps.dedup();
    assert_eq!(steps, [Step::Check, Step::Write, Step::ReadBack]);
}

#[test]
fn what_is_refused_touches_nothing() {
    let disk = Disk::new(A);
    let good = bundle(B);
    let contents = contents(&mut Cursor::new(good.clone()));
    let slots = || Slots::new(&disk, FIRST);
    let refused = |bytes: Vec<u8>, expected: &str| {
        let result = slots().install(&contents, &mut Cursor::new(bytes), |_, _| ());
        assert_eq!(result.unwrap_err().name(), expected);
    };
    refused(good[..good.len() - 1].to_vec(), "wrong_length");
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    refused(damaged, "damaged");
    for (part, large) in [("system", 3 << 20), ("hash tree", 2 << 20), ("kernel", 40 << 20)] {
        let mut large = Cursor::new(disk::large(B, part, large));
        let contents = disk::contents(&mut large);
        let result = slots().install(&contents, &mut large, |_, _| ());
        assert_eq!(result.unwrap_err().name(), "room", "{part}");
    }
    assert!(disk.log().is_empty(), "something was written");
    assert!(matches!(slots().roll_back(), Err(Error::NoOther)));
    let elsewhere = Slots::new(&disk, [7, 8]).about();
    assert_eq!(elsewhere.unwrap_err().name(), "no_slots");
}

#[test]
fn a_disk_that_forgets_is_noticed() {
    let disk = Disk::new(A);
    let (start, _) = disk.place(3);
    disk.forget_writes_at(start / 512 + 3);
    assert_eq!(install(&disk, FIRST, B).unwrap_err().name(), "disk");
    assert_eq!(self::start(&disk), (A, FIRST));
}

#[test]
fn a_disk_that_takes_nothing_is_no_bad_bundle() {
    let disk = Disk::new(A);
    disk.refuse_writes_at(disk.place(3).0 / 512 + 3);
    let error = install(&disk, FIRST, B).unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error:?}");
    assert_eq!(start(&disk), (A, FIRST));
}

/// A stick that is pulled out after so many bytes.
struct Pulled(Cursor<Vec<u8>>, usize);

impl Read for Pulled {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(into)?;
        self.1 = self.1.checked_sub(read).ok_or(io::ErrorKind::NotConnected)?;
        Ok(read)
    }
}

impl Seek for Pulled {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn a_stick_that_is_pulled_out_says_when() {
    let bundle = bundle(B);
    let contents = contents(&mut Cursor::new(bundle.clone()));
    for (after, touched) in [(bundle.len() / 2, false), (bundle.len() * 3 / 2, true)] {
        let disk = Disk::new(A);
        let mut stick = Pulled(Cursor::new(bundle.clone()), after);
        let error = Slots::new(&disk, FIRST).install(&contents, &mut stick, |_, _| ());
        let error = error.unwrap_err();
        // Only what is refused as a bundle says that nothing was changed.
        assert_eq!(matches!(error, Error::Bundle(_)), !touched, "{error:?}");
        assert_eq!(matches!(error, Error::Stopped(_)), touched, "{error:?}");
        assert_eq!(disk.log().is_empty(), !touched);
        assert_eq!(start(&disk), (A, FIRST));
    }
}

#[test]
fn a_cut_anywhere_leaves_a_disk_that_starts() {
    let disk = Disk::new(A);
    install(&disk, FIRST, B).unwrap();
    // On the second update there is an old system to be replaced.
    Slots::new(&disk, SECOND).bless().unwrap();
    let before = disk.settled();
    let disk = before.again();
    install(&disk, SECOND, C).unwrap();
    let log = disk.log();
    cut_everywhere("an update", &before, &log, |cut, tested| {
        let (version, running) = start(cut);
        assert!(version == B || version == C, "{version}");
        if version == B && tested.is_multiple_of(7) {
            install(cut, running, C).unwrap();
            assert_eq!(start(cut), (C, FIRST), "it can be done again");
        }
    });
}

#[test]
fn a_cut_while_blessing_or_rolling_back_leaves_a_disk_that_starts() {
    let disk = Disk::new(A);
    install(&disk, FIRST, B).unwrap();
    disk.tried(B);
    let before = disk.settled();
    let disk = before.again();
    Slots::new(&disk, SECOND).bless().unwrap();
    cut_everywhere("a blessing", &before, &disk.log(), |cut, _| {
        assert_eq!(start(cut).0, B);
        Slots::new(cut, SECOND).bless().unwrap();
        assert!(!Slots::new(cut, SECOND).about().unwrap().on_trial);
        assert_eq!(start(cut).0, B);
        install(cut, SECOND, C).unwrap();
        assert_eq!(start(cut).0, C);
    });
    let before = disk.settled();
    let disk = before.again();
    Slots::new(&disk, SECOND).roll_back().unwrap();
    cut_everywhere("going back", &before, &disk.log(), |cut, _| {
        let (version, running) = start(cut);
        assert!(version == A || version == B);
        if version == B {
            assert_eq!(Slots::new(cut, running).roll_back().unwrap(), A);
        }
        assert_eq!(start(cut).0, A);
    });
}

/// After each write: everything until then, and then with what was not synced yet left away by chance.
fn cut_everywhere(
    what: &str,
    before: &Disk,
    log: &[disk::Op],
    mut check: impl FnMut(&Disk, usize),
) {
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    // As many for an update when there is time, and a tenth for what writes a few sectors.
    let long = std::env::var_os("HOMETWIN_LONG").is_some_and(|value| value == "1");
    let all = if log.len() > 20 { 10_000_usize } else { 1_000 };
    let each = if long { all.div_ceil(log.len()) } else { 2 };
    let mut tested = 0;
    for end in 0..=log.len() {
        check(&before.replay(&log[..end], |_| true), tested);
        tested += 1;
        for _ in 0..each {
            check(&before.replay(&log[..end], |_| random.next_u32().is_multiple_of(2)), tested);
            tested += 1;
        }
    }
    println!("{what}: {tested} cuts at {} places, none of which stops the disk", log.len());
}

#[test]
fn the_disk_of_these_tests_is_one() {
    let disk = Disk::new(A);
    assert_eq!(disk.file("EFI/Linux/hometwin_1.0.0.efi"), kernel(A));
    let (at, _) = disk.place(2);
    assert_eq!(disk.bytes(at, system(A).len()), system(A));
}
