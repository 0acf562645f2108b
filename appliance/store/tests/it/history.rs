//! Random histories: live tables, replayed tables and tables after an erase are the same bytes;
//! and a store that was changed behind its back is found out.
use std::io::Write;
use std::path::Path;

use proptest::prelude::*;
use store::{
    Actor, Compacted, Difference, Direction, Error, NewEntry, ReadAll as _, ReadTables as _,
    RowDifference, Store, VerifyError, compact, maintain_at, verify_folder,
};

use crate::notes::{Notes, Seal, add, entry, erase, open, open_version, text_of};
use crate::raw;

#[derive(Debug, Clone)]
enum Step {
    Entry(&'static str, u8, Option<(String, usize)>),
    Erase(Vec<prop::sample::Index>),
    Fail(u8),
    Checkpoint,
    Reopen(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec!["note.add", "note.edit", "note.remove", "note.unknown"]);
    // Long texts reach LMDB's overflow pages; a short form keeps a failure readable.
    let times = prop_oneof![Just(1_usize), Just(1200), Just(4000)];
    let text = ("[a-c ]{0,3}", times);
    prop_oneof![
        8 => (kind, 0..5_u8, prop::option::of(text)).prop_map(|(k, id, t)| Step::Entry(k, id, t)),
        3 => prop::collection::vec(any::<prop::sample::Index>(), 1..4).prop_map(Step::Erase),
        1 => (0..5_u8).prop_map(Step::Fail),
        1 => Just(Step::Checkpoint),
        1 => any::<bool>().prop_map(Step::Reopen),
    ]
}

fn play(folder: &Path, steps: &[Step]) -> Store {
    let mut version = 1;
    let mut store = open(folder);
    for step in steps {
        let count = usize::try_from(store.head().seq).unwrap();
        match step.clone() {
            Step::Entry(kind, id, text) => {
                let text = text.map(|(text, times)| text.repeat(times));
                let new = entry(kind, &format!("n{id}"), text.as_deref());
                store.write_blocking(move |w| w.append(new)).unwrap();
            }
            Step::Erase(_) if count == 0 => {}
            Step::Erase(targets) => {
                let seqs: Vec<u64> = targets.iter().map(|t| t.index(count) as u64 + 1).collect();
                match erase(&store, &seqs) {
                    Ok(_) | Err(Error::NothingToErase { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            Step::Fail(id) => {
                let failed = store.write_blocking(move |w| {
                    w.append(entry("note.add", &format!("n{id}"), Some("never")))?;
                    Err::<(), _>(Error::NoEntry { seq: 0 })
                });
                failed.unwrap_err();
            }
            Step::Checkpoint => drop(store.checkpoint(&Seal(1)).unwrap()),
            Step::Reopen(other_fold) => {
                version += u32::from(other_fold);
                drop(store);
                store = open_version(folder, version);
            }
        }
    }
    store
}

fn dump(store: &Store) -> Vec<Vec<store::Row>> {
    ["note", "word", "count"]
        .map(|table| store.read(|r| r.prefix(table, b"", 100_000, Direction::Forward)).unwrap())
        .to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn live_replayed_and_compacted_tables_are_the_same(
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = play(folder.path(), &steps);
        let verified = store.verify(&Seal(1)).unwrap();
        prop_assert_eq!(verified.head, store.head());
        let before = dump(&store);
        drop(store);
        // Every row remade by a rebuild is what it was.
        let store = open_version(folder.path(), 1000);
        prop_assert_eq!(&dump(&store), &before);
        drop(store);
        compact(folder.path()).unwrap();
        let stopped =
            verify_folder(folder.path(), Box::new(Notes { version: 1000 }), &Seal(1)).unwrap();
        prop_assert_eq!(stopped.head, verified.head);
        prop_assert_eq!(stopped.erased, verified.erased);
        prop_assert_eq!(&dump(&open_version(folder.path(), 1000)), &before);
    }
}

/// A fold that forgets by applying again without content, as `Fold::forget` does by itself.
struct Latest;

impl store::Fold for Latest {
    fn version(&self) -> u32 {
        1
    }

    fn apply(
        &self,
        entry: &store::Entry,
        content: Option<&[u8]>,
        tables: &mut store::Tables<'_>,
    ) -> Result<(), store::FoldError> {
        let newest = tables.get("latest", &entry.shape)?.and_then(|row| row.get(..8).map(seq));
        if entry.kind != store::ERASE && newest.is_none_or(|newest| newest <= entry.seq) {
            let row = [&entry.seq.to_be_bytes(), content.unwrap_or_default()].concat();
            tables.put("latest", &entry.shape, &row)?;
        }
        Ok(())
    }
}

fn seq(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

#[test]
fn forgetting_by_applying_again_verifies_where_that_is_idempotent() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::notes::options(), Box::new(Latest)).unwrap();
    for n in 0..12 {
        add(&store, &format!("n{}", n % 3), &format!("text {n}"));
    }
    for seqs in [&[1, 12][..], &[2, 3], &[11]] {
        erase(&store, seqs).unwrap();
        store.verify(&Seal(1)).unwrap();
    }
}

/// A fold that breaks the law: it counts entries that have content.
struct Lawless;

impl store::Fold for Lawless {
    fn version(&self) -> u32 {
        1
    }

    fn apply(
        &self,
        _: &store::Entry,
        content: Option<&[u8]>,
        tables: &mut store::Tables<'_>,
    ) -> Result<(), store::FoldError> {
        let old = tables.get("sum", b"all")?.map_or(0, |row| row[0]);
        tables.put("sum", b"all", &[old + u8::from(content.is_some())])?;
        Ok(())
    }
}

#[test]
fn a_fold_that_breaks_the_law_is_found_out_by_verify() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::notes::options(), Box::new(Lawless)).unwrap();
    add(&store, "a", "x");
    store.verify(&Seal(1)).unwrap();
    erase(&store, &[1]).unwrap();
    let difference = store.verify(&Seal(1)).unwrap_err();
    assert!(matches!(
        difference,
        VerifyError::Difference(Difference::Row { table, key, what: RowDifference::Other })
            if table == "sum" && key == b"all"
    ));
}

#[test]
fn erased_bytes_leave_the_data_file_with_the_compacting_copy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.mdb");
    let store = open(folder.path());
    let secret = |n: usize| format!("{} ", format!("secret{n:05}").repeat(n));
    // All page situations: within a leaf, one overflow page, several; and live neighbours of all
    // sizes that could inherit slack.
    for n in [1, 30, 200, 300, 420, 900, 2000] {
        add(&store, &format!("s{n}"), &secret(n));
        for size in [10, 2100, 3000, 5000] {
            add(&store, &format!("k{n}-{size}"), &"k".repeat(size));
        }
    }
    // Written and erased in one transaction.
    let new = entry("note.add", "same", Some(&secret(350)));
    store
        .write_blocking(move |w| {
            let seq = w.append(new)?;
            w.erase(&[seq], 0, Actor::System)?;
            w.append(entry("note.add", "after", Some(&"k".repeat(2500))))
        })
        .unwrap();
    let secrets: Vec<u64> = (0..7).map(|n| n * 5 + 1).collect();
    let contains = || {
        let bytes = std::fs::read(&file).unwrap();
        bytes.windows(6).filter(|window| window == b"secret").count()
    };
    assert!(contains() > 100);
    erase(&store, &secrets).unwrap();
    for (n, _) in secrets.iter().zip([1, 30, 200, 300, 420, 900, 2000]) {
        assert_eq!(store.read(|r| r.content(*n)).unwrap(), None);
    }
    assert_eq!(text_of(&store, "s200"), None);
    let due = store.erase_pending().unwrap().unwrap();
    assert_eq!(due, store::ERASE_WITHIN_MS, "the oldest erase sets the date");
    store.verify(&Seal(1)).unwrap();
    drop(store);
    assert_eq!(maintain_at(folder.path(), None, due - 1).unwrap(), None);
    let Compacted { before, after, erased } =
        maintain_at(folder.path(), None, due).unwrap().unwrap();
    assert!(erased && after < before, "{before} {after}");
    assert_eq!(contains(), 0);
    let store = open(folder.path());
    assert_eq!(store.erase_pending().unwrap(), None);
    assert_eq!(text_of(&store, "k30-5000").unwrap().len(), 5000);
    store.verify(&Seal(1)).unwrap();
}

#[test]
fn a_mostly_free_file_is_compacted_and_a_small_one_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(maintain_at(folder.path(), None, 0).unwrap(), None);
    let store = open(folder.path());
    let put = |size: usize| {
        store.write_blocking(move |w| w.vault_put(b"big", &vec![7; size])).unwrap();
    };
    put(300_000);
    drop(store.clone());
    put(3_000_000);
    put(10);
    drop(store);
    let done = maintain_at(folder.path(), None, 0).unwrap().unwrap();
    assert!(done.before > 3_000_000 && done.after < 200_000 && !done.erased, "{done:?}");
    assert_eq!(maintain_at(folder.path(), None, 0).unwrap(), None);
}

/// Changes the data file of a stopped twin and tells what verify says.
fn tampered(change: impl FnOnce(&raw::Raw, &mut heed::RwTxn<'_>)) -> Difference {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..6 {
        add(&store, &format!("n{n}"), "some text");
    }
    store.checkpoint(&Seal(1)).unwrap();
    add(&store, "later", "some text");
    erase(&store, &[2]).unwrap();
    store.checkpoint(&Seal(1)).unwrap();
    let verified = store.verify(&Seal(1)).unwrap();
    assert_eq!((verified.checkpoints, verified.compared, verified.erased), (2, 1, 1));
    drop(store);
    raw::change(folder.path(), change);
    let verified = verify_folder(folder.path(), Box::new(Notes { version: 1 }), &Seal(1));
    match verified.unwrap_err() {
        VerifyError::Difference(difference) => difference,
        VerifyError::Store(error) => panic!("{error}"),
    }
}

#[test]
fn every_way_of_tampering_is_named() {
    let row = |raw: &raw::Raw, txn: &heed::RwTxn<'_>, seq: u64| {
        raw.journal.get(txn, &seq.to_be_bytes()).unwrap().unwrap().to_vec()
    };
    let difference = tampered(|raw, txn| {
        let mut bytes = row(raw, txn, 3);
        *bytes.last_mut().unwrap() ^= 1;
        raw.journal.put(txn, &3_u64.to_be_bytes(), &bytes).unwrap();
    });
    assert!(matches!(difference, Difference::Content { seq: 3 }), "{difference}");
    let difference = tampered(|raw, txn| {
        let mut bytes = row(raw, txn, 3);
        let at = bytes.windows(5).position(|window| window == b"phone").unwrap();
        bytes[at] = b'P';
        raw.journal.put(txn, &3_u64.to_be_bytes(), &bytes).unwrap();
    });
    assert!(matches!(difference, Difference::Chain { seq: 4 }), "{difference}");
    let difference = tampered(|raw, txn| {
        raw.journal.delete(txn, &4_u64.to_be_bytes()).unwrap();
    });
    assert!(matches!(difference, Difference::Missing { seq: 4 }), "{difference}");
    let difference = tampered(|raw, txn| {
        raw.journal.put(txn, &4_u64.to_be_bytes(), &[9, 9]).unwrap();
    });
    assert!(matches!(difference, Difference::Unreadable { seq: 4, .. }), "{difference}");
    // Salt and content are what is behind the entry.
    let cut = |raw: &raw::Raw, txn: &mut heed::RwTxn<'_>, seq: u64| {
        let mut bytes = row(raw, txn, seq);
        let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        let salted = bytes.split_off(5 + length);
        raw.journal.put(txn, &seq.to_be_bytes(), &bytes).unwrap();
        salted
    };
    let difference = tampered(|raw, txn| drop(cut(raw, txn, 4)));
    assert!(matches!(difference, Difference::ContentMissing { seq: 4 }), "{difference}");
    let difference = tampered(|raw, txn| {
        let moved = [row(raw, txn, 2), cut(raw, txn, 4)].concat();
        raw.journal.put(txn, &2_u64.to_be_bytes(), &moved).unwrap();
    });
    assert!(matches!(difference, Difference::Content { seq: 2 }), "{difference}");
    let difference = tampered(|raw, txn| {
        let erase = [row(raw, txn, 8), vec![7; 30]].concat();
        raw.journal.put(txn, &8_u64.to_be_bytes(), &erase).unwrap();
    });
    assert!(matches!(difference, Difference::ContentLeft { seq: 8 }), "{difference}");
    let difference = tampered(|raw, txn| {
        // The newest entry cut off: the content it erased is missing without a reason.
        raw.journal.delete(txn, &8_u64.to_be_bytes()).unwrap();
    });
    assert!(matches!(difference, Difference::ContentMissing { seq: 2 }), "{difference}");
}

type Change<'c> = &'c dyn Fn(&raw::Raw, &mut heed::RwTxn<'_>);

#[test]
fn every_wrong_row_and_checkpoint_is_named() {
    let rows: [(Change<'_>, &[u8], RowDifference); 4] = [
        (
            &|raw, txn| raw.tables.put(txn, b"note\0n3", b"other").unwrap(),
            b"n3",
            RowDifference::Other,
        ),
        (
            &|raw, txn| assert!(raw.tables.delete(txn, b"note\0n3").unwrap()),
            b"n3",
            RowDifference::Missing,
        ),
        (
            &|raw, txn| raw.tables.put(txn, b"note\0n33", b"x").unwrap(),
            b"n33",
            RowDifference::Extra,
        ),
        (&|raw, txn| raw.tables.put(txn, b"note\0z", b"x").unwrap(), b"z", RowDifference::Extra),
    ];
    for (change, wanted_key, wanted) in rows {
        let difference = tampered(|raw, txn| change(raw, txn));
        let Difference::Row { table, key, what } = difference else { panic!("{difference}") };
        assert_eq!((table.as_str(), key.as_slice(), what), ("note", wanted_key, wanted));
    }
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    add(&store, "a", "x");
    store.checkpoint(&Seal(2)).unwrap();
    let error = store.verify(&Seal(1)).unwrap_err();
    assert!(matches!(error, VerifyError::Difference(Difference::Signature { seq: 1 })));
    // A checkpoint of one twin put into another one's store.
    let other = tempfile::tempdir().unwrap();
    add(&open(other.path()), "b", "y");
    let [key, value] = checkpoint_of(folder.path(), store);
    raw::change(other.path(), |raw, txn| raw.meta.put(txn, &key, &value).unwrap());
    let error = open(other.path()).verify(&Seal(2)).unwrap_err();
    assert!(matches!(error, VerifyError::Difference(Difference::History { seq: 1 })));
}

fn checkpoint_of(folder: &Path, store: Store) -> [Vec<u8>; 2] {
    drop(store);
    let mut found = None;
    raw::change(folder, |raw, txn| {
        let mut rows = raw.meta.prefix_iter(txn, b"checkpoint\0").unwrap();
        found = rows.next().map(|row| row.unwrap()).map(|(k, v)| [k.to_vec(), v.to_vec()]);
    });
    found.unwrap()
}

#[test]
fn old_checkpoints_are_dropped_and_due_ones_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(store.checkpoint_if_due(&Seal(1)).unwrap(), None);
    for n in 0..7 {
        add(&store, &format!("n{n}"), "x");
        store.checkpoint(&Seal(1)).unwrap();
    }
    let verified = store.verify(&Seal(1)).unwrap();
    assert_eq!((verified.checkpoints, verified.compared, verified.rows), (4, 4, Some(15)));
}

#[test]
fn an_export_has_every_entry_and_nothing_erased() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    add(&store, "a", r#"{"nested":1.50}"#);
    add(&store, "b", "two\nlines \"quoted\"");
    add(&store, "c", "gone");
    let bytes = NewEntry { content: Some(vec![0xff, 0]), ..entry("note.add", "d", None) };
    let bytes = NewEntry { actor: Actor::Contact([0xab; 32]), ..bytes };
    store.write_blocking(move |w| w.append(bytes)).unwrap();
    erase(&store, &[3]).unwrap();
    let mut out = Vec::new();
    assert_eq!(store.export(&mut out).unwrap(), 5);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(r#""content":{"nested":1.50}"#), "byte for byte");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0]["shape"]["id"], "a");
    assert_eq!(lines[0]["actor"]["device"], "phone");
    assert_eq!(lines[1]["content_text"], "two\nlines \"quoted\"");
    assert_eq!(lines[1]["prev_hash"], lines[0]["hash"]);
    assert_eq!((&lines[2]["erased"], &lines[2]["content"]), (&true.into(), &().into()));
    assert!(!text.contains("gone"));
    assert_eq!(lines[3]["content_base64"], "/wA=");
    assert_eq!(lines[3]["actor"]["contact"], "ab".repeat(32));
    assert_eq!(lines[4]["kind"], store::ERASE);
    assert_eq!(lines[4]["actor"], "system");
    assert_eq!(lines[4]["shape"]["targets"][0], 3);
}

struct FullDisk;

impl Write for FullDisk {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_export_to_a_full_disk_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    add(&store, "a", "x");
    let error = store.export(&mut FullDisk).unwrap_err();
    assert!(matches!(error, Error::Full { space: store::Space::Disk }));
}
