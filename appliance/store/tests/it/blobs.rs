//! Large contents: what arrived stays, whatever is killed and wherever a sending is interrupted; what
//! nothing names goes, and nothing else does.
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use proptest::prelude::*;
use store::{
    Actor, Blob, CHUNK, Content, Difference, Direction, Entry, Error, Fold, FoldError, INLINE,
    NewEntry, Options, ReadAll as _, ReadTables as _, Reader, Space, Store, Tables, UPLOAD_KEPT_MS,
    VerifyError, verify_folder,
};

use crate::again;
use crate::notes::{Seal, options};

const KILLS: u64 = 8;

/// Keeps each blob that an entry names, until the entry is erased.
struct Album;

impl Fold for Album {
    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, entry: &Entry, _: Option<&[u8]>, t: &mut Tables<'_>) -> Result<(), FoldError> {
        if entry.kind == "photo" {
            t.put("photo", &entry.seq.to_be_bytes(), &entry.shape)?;
        }
        Ok(())
    }

    fn blobs(
        &self,
        r: &Reader<'_>,
        show: &mut dyn FnMut(Blob) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (key, shape) in r.prefix("photo", b"", usize::MAX, Direction::Forward)? {
            let seq = u64::from_be_bytes(key.try_into().unwrap());
            if r.content(seq)?.is_some() {
                show(serde_json::from_slice(&shape).unwrap())?;
            }
        }
        Ok(())
    }
}

fn open(folder: &Path, quota: Option<u64>) -> Store {
    let options = Options { quota, ..options() };
    Store::open(folder, options, Box::new(Album)).unwrap()
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_be_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn id(number: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id
}

/// Adds some bytes; how far the upload is then.
fn add(store: &Store, number: u64, mut bytes: &[u8]) -> Result<u64, Error> {
    let mut append = store.append(id(number), "ann").unwrap().unwrap();
    while !bytes.is_empty() {
        let taken = append.take(bytes);
        bytes = &bytes[taken..];
        if append.is_full() {
            append.flush()?;
        }
        if taken == 0 {
            break;
        }
    }
    append.commit().map(|upload| upload.offset)
}

fn begin(store: &Store, number: u64, size: usize) {
    block(store.begin_upload(id(number), "ann", size as u64, 0)).unwrap();
}

/// Names what was sent, as the twin does.
fn keep(store: &Store, number: u64) -> Result<(u64, Content), Error> {
    store.write_blocking(move |w| {
        let content = w.take_upload(id(number), "ann")?.ok_or(Error::NoUpload)?;
        let Content::Blob(blob) = &content else { return Ok((0, content)) };
        let shape = serde_json::to_vec(blob).unwrap();
        let seq = w.append(NewEntry {
            time_ms: 0,
            actor: Actor::System,
            kind: "photo".to_owned(),
            version: 1,
            shape,
            content: Some(b"mine".to_vec()),
        })?;
        Ok((seq, content))
    })
}

fn send(store: &Store, number: u64, bytes: &[u8]) -> (u64, Blob) {
    begin(store, number, bytes.len());
    assert_eq!(add(store, number, bytes).unwrap(), bytes.len() as u64);
    match keep(store, number).unwrap() {
        (seq, Content::Blob(blob)) => (seq, blob),
        (_, Content::Inline(_)) => panic!("too small"),
    }
}

fn read(store: &Store, blob: Blob) -> Vec<u8> {
    let contents = store.contents(blob).unwrap();
    (0..blob.chunks()).flat_map(|index| contents.chunk(index).unwrap()).collect()
}

fn chunks(folder: &Path) -> Vec<std::path::PathBuf> {
    // Before the first chunk there is no folder either.
    let all = fs::read_dir(folder.join("blobs")).into_iter().flatten();
    all.map(|one| one.unwrap().path()).filter(|path| path.is_file()).collect()
}

fn sweep(store: &Store) -> store::Swept {
    store.sweep(1).unwrap().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Cut anywhere, continued anywhere, reopened in between: in the end the bytes are those sent.
    #[test]
    fn an_upload_is_what_was_sent_wherever_it_was_interrupted(
        size in prop_oneof![
            Just(0), Just(1), Just(INLINE as usize), Just(INLINE as usize + 1), Just(CHUNK),
            Just(2 * CHUNK), 0..3 * CHUNK,
        ],
        steps in prop::collection::vec((0..2 * CHUNK, any::<bool>(), any::<bool>()), 0..8),
        seed: u64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let bytes = noise(size, seed);
        let mut store = open(folder.path(), None);
        begin(&store, 1, size);
        let mut offset = 0;
        for (length, given_up, reopened) in steps {
            let part = &bytes[offset..bytes.len().min(offset + length)];
            if given_up {
                // Its bytes came, and then it could not be trusted: none of them counts.
                let mut append = store.append(id(1), "ann").unwrap().unwrap();
                let taken = append.take(part);
                if append.is_full() {
                    append.flush().unwrap();
                }
                prop_assert_eq!(append.offset(), (offset + taken) as u64);
            } else {
                offset += part.len();
                prop_assert_eq!(add(&store, 1, part).unwrap(), offset as u64);
            }
            if reopened {
                drop(store);
                store = open(folder.path(), None);
                sweep(&store);
            }
            let upload = store.upload(id(1), "ann").unwrap().unwrap();
            prop_assert_eq!((upload.offset, upload.is_complete()), (offset as u64, offset == size));
            if offset < size {
                prop_assert!(matches!(keep(&store, 1), Err(Error::NoUpload)));
            }
        }
        add(&store, 1, &bytes[offset..]).unwrap();
        match keep(&store, 1).unwrap().1 {
            Content::Inline(kept) => prop_assert!(kept == bytes && size as u64 <= INLINE),
            Content::Blob(blob) => prop_assert!(read(&store, blob) == bytes),
        }
        prop_assert!(matches!(keep(&store, 1), Err(Error::NoUpload)), "taken twice");
        sweep(&store);
        let wanted = if size as u64 <= INLINE { 0 } else { size.div_ceil(CHUNK) };
        let listed = usize::from(wanted > 1);
        prop_assert_eq!(chunks(folder.path()).len(), wanted + listed);
        store.verify(&Seal(1)).unwrap();
    }
}

#[test]
fn a_sweep_takes_what_nothing_names_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), None);
    let bytes = noise(2 * CHUNK + 9, 1);
    let (first, blob) = send(&store, 1, &bytes);
    // The same chunk twice, once in a content of its own.
    let (second, half) = send(&store, 2, &bytes[..CHUNK]);
    begin(&store, 3, 3 * CHUNK);
    add(&store, 3, &noise(CHUNK, 2)).unwrap();
    let held = {
        let mut append = store.append(id(3), "ann").unwrap().unwrap();
        append.take(&noise(CHUNK, 3));
        append.flush().unwrap();
        append
    };
    assert_eq!(sweep(&store).removed, 0, "what is being written is needed");
    drop(held);
    assert_eq!(sweep(&store).removed, CHUNK as u64);
    store.write_blocking(move |w| w.erase(&[first], 0, Actor::System)).unwrap();
    sweep(&store);
    assert_eq!(read(&store, half), bytes[..CHUNK]);
    assert!(matches!(store.contents(blob), Err(Error::Blob { .. })));
    let swept = store.sweep(UPLOAD_KEPT_MS).unwrap().unwrap();
    assert_eq!((swept.uploads, swept.kept), (1, CHUNK as u64));
    assert_eq!(store.sweep_due().unwrap(), None);
    store.write_blocking(move |w| w.erase(&[second], 0, Actor::System)).unwrap();
    sweep(&store);
    assert!(chunks(folder.path()).is_empty());
    assert_eq!(store.usage().unwrap().blobs, 0);
}

#[test]
fn the_oldest_upload_of_an_owner_makes_room_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), None);
    block(store.begin_upload(id(1000), "bob", 1, 0)).unwrap();
    for number in 0..40_u64 {
        let now_ms = i64::try_from(number).unwrap();
        block(store.begin_upload(id(number), "ann", 1, now_ms)).unwrap();
    }
    let there = |number, owner| store.upload(id(number), owner).unwrap().is_some();
    assert!(!there(7, "ann") && there(8, "ann") && there(39, "ann") && there(1000, "bob"));
    assert!(!there(39, "bob"), "somebody else's");
    block(store.drop_upload(id(39), 0)).unwrap();
    assert!(!there(39, "ann"));
}

#[test]
fn a_changed_chunk_is_found_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), None);
    let (_, blob) = send(&store, 1, &noise(CHUNK + 5, 1));
    assert_eq!(store.verify(&Seal(1)).unwrap().blobs, 1);
    let mut exported = Vec::new();
    assert_eq!(store.export(&mut exported).unwrap(), 1);
    let lines: Vec<serde_json::Value> = exported
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["blob"], lines[0]["shape"]["root"]);
    let parts = lines[1..].iter().map(|line| line["bytes_base64"].as_str().unwrap());
    let parts: Vec<u8> =
        parts.flat_map(|part| data_encoding::BASE64.decode(part.as_bytes()).unwrap()).collect();
    assert!(parts == noise(CHUNK + 5, 1));

    let small = chunks(folder.path()).into_iter().find(|path| path.metadata().unwrap().len() == 5);
    fs::write(small.unwrap(), b"other").unwrap();
    let found = store.verify(&Seal(1)).unwrap_err();
    assert!(matches!(found, VerifyError::Difference(Difference::Blob { .. })), "{found:?}");
    assert_eq!(store.stopped(), None);
    let contents = store.contents(blob).unwrap();
    assert!(contents.chunk(0).is_ok() && matches!(contents.chunk(1), Err(Error::Blob { .. })));
    drop(contents);
    // It can be sent once more.
    send(&store, 2, &noise(CHUNK + 7, 2));
    drop(store);
    let found = verify_folder(folder.path(), Box::new(Album), &Seal(1)).unwrap_err();
    assert!(matches!(found, VerifyError::Difference(Difference::Blob { .. })), "{found:?}");
}

#[test]
fn a_quota_counts_what_lies_beside_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Some(4 << 20));
    let full = block(store.begin_upload(id(1), "ann", 5 << 20, 0)).unwrap_err();
    assert!(matches!(full, Error::Full { space: Space::Quota }), "before a byte was sent");
    let (seq, _) = send(&store, 1, &noise(2 * CHUNK, 1));
    begin(&store, 2, 3 << 19);
    begin(&store, 3, 3 << 19);
    add(&store, 2, &noise(3 << 19, 2)).unwrap();
    let full = add(&store, 3, &noise(3 << 19, 3)).unwrap_err();
    assert!(matches!(full, Error::Full { space: Space::Quota }), "while it is sent");
    assert_eq!(store.upload(id(3), "ann").unwrap().unwrap().offset, 0);
    let used = store.usage().unwrap();
    assert!(used.blobs > 3 << 20 && used.used() > used.blobs, "{used:?}");
    drop(store);
    let store = open(folder.path(), Some(4 << 20));
    assert_eq!(store.usage().unwrap().blobs, used.blobs, "known without looking at every file");
    store.write_blocking(move |w| w.erase(&[seq], 0, Actor::System)).unwrap();
    sweep(&store);
    add(&store, 3, &noise(3 << 19, 3)).unwrap();
}

#[test]
fn an_older_release_removes_nothing_that_a_newer_one_needs() {
    struct Newer;
    impl Fold for Newer {
        fn version(&self) -> u32 {
            2
        }

        fn apply(&self, e: &Entry, c: Option<&[u8]>, t: &mut Tables<'_>) -> Result<(), FoldError> {
            Album.apply(e, c, t)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), None);
    let (seq, blob) = send(&store, 1, &noise(CHUNK, 1));
    drop(store);
    drop(Store::open(folder.path(), options(), Box::new(Newer)).unwrap());
    let store = open(folder.path(), None);
    store.write_blocking(move |w| w.erase(&[seq], 0, Actor::System)).unwrap();
    assert_eq!(store.sweep(1).unwrap(), None);
    assert_eq!(read(&store, blob).len(), CHUNK);
}

const NAME: &str = "blobs::a_kill_costs_nothing_that_was_acknowledged_and_leaves_nothing_behind";

#[test]
fn a_kill_costs_nothing_that_was_acknowledged_and_leaves_nothing_behind() {
    if let Some(folder) = again::folder() {
        send_for_ever(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut offsets: BTreeMap<u64, u64> = BTreeMap::new();
    let mut kept: BTreeMap<u64, Blob> = BTreeMap::new();
    for round in 0..KILLS {
        let mut command = again::command(NAME, folder.path(), "env", "exec \"$@\"");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut note = |line: String| {
            // The test runner says its own things.
            let Some(line) = line.strip_prefix("ack ") else { return };
            let (number, what) = line.split_once(' ').unwrap();
            let number = number.parse().unwrap();
            if let Ok(offset) = what.parse() {
                offsets.insert(number, offset);
            } else {
                offsets.remove(&number);
                kept.insert(number, serde_json::from_str(what).unwrap());
            }
        };
        for _ in 0..(4 + round * 2) {
            note(lines.next().unwrap().unwrap());
        }
        std::thread::sleep(Duration::from_micros(round * 611));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.for_each(|line| note(line.unwrap()));

        let store = open(folder.path(), None);
        for (number, offset) in &offsets {
            let now = store.upload(id(*number), "ann").unwrap();
            let named = store.read(|r| r.get("photo", b"")).unwrap();
            assert!(named.is_none());
            // Further than acknowledged it may be, even taken; never less far.
            assert!(now.is_none_or(|upload| upload.offset >= *offset), "{number} lost {offset}");
        }
        for (number, blob) in &kept {
            assert!(read(&store, *blob) == noise(SIZE, *number), "{number} is another");
        }
        sweep(&store);
        store.verify(&Seal(1)).unwrap();
        for (number, blob) in &kept {
            assert_eq!(read(&store, *blob).len(), SIZE, "{number} was swept away");
        }
        // Three chunks and their list for each that is kept; of one that is under way no more.
        let named = store.read(|r| r.prefix("photo", b"", usize::MAX, Direction::Forward)).unwrap();
        let under_way = 4;
        assert!(chunks(folder.path()).len() <= named.len() * 4 + under_way, "something leaks");
    }
    assert!(kept.len() > 3, "{} kept", kept.len());
}

const SIZE: usize = 2 * CHUNK + 1000;

fn send_for_ever(folder: &Path) -> ! {
    let store = open(folder, None);
    let mut number = store.head().seq;
    loop {
        number += 1;
        let bytes = noise(SIZE, number);
        let known = store.upload(id(number), "ann").unwrap();
        let mut offset = match known {
            Some(upload) => usize::try_from(upload.offset).unwrap(),
            None => {
                begin(&store, number, SIZE);
                0
            }
        };
        while offset < SIZE {
            let part = &bytes[offset..SIZE.min(offset + 700_000)];
            offset = usize::try_from(add(&store, number, part).unwrap()).unwrap();
            println!("ack {number} {offset}");
        }
        if let (_, Content::Blob(blob)) = keep(&store, number).unwrap() {
            println!("ack {number} {}", serde_json::to_string(&blob).unwrap());
        }
    }
}
