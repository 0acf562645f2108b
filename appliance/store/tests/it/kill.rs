//! kill -9 while several threads write: nothing acknowledged is lost, nothing is half there.
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Duration;

use store::{Direction, Error, ReadAll as _, ReadTables as _, compact};

use crate::again;
use crate::notes::{Seal, add, entry, erase, open};

const KILLS: u64 = 10;
const NAME: &str = "kill::no_acknowledged_change_is_lost";

#[test]
fn no_acknowledged_change_is_lost() {
    if let Some(folder) = again::folder() {
        write_for_ever(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 0..KILLS {
        let mut command = again::command(NAME, folder.path(), "env", "exec \"$@\"");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Somewhere after the first few acknowledgements, at a different point each time.
        for _ in 0..(5 + round * 7) {
            note(&mut acknowledged, &lines.next().unwrap().unwrap());
        }
        std::thread::sleep(Duration::from_micros(round * 377));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had printed but we had not read was acknowledged too.
        for line in lines {
            note(&mut acknowledged, &line.unwrap());
        }
        let store = open(folder.path());
        for (id, seq) in &acknowledged {
            let (content, row, mark) = store
                .read(|r| {
                    let key = id.as_bytes();
                    Ok::<_, Error>((r.content(*seq)?, r.get("note", key)?, r.vault_get(key)?))
                })
                .unwrap();
            assert_eq!(content.as_deref(), Some(format!("text of {id}").as_bytes()), "{seq} lost");
            assert!(row.is_some() && mark.is_some(), "{seq} is half there");
        }
        let all = store.read(|r| r.entries(0, usize::MAX, Direction::Forward)).unwrap();
        assert!(all.len() >= acknowledged.len());
        let verified = store.verify(&Seal(1)).unwrap();
        assert_eq!(verified.entries, all.len() as u64);
        assert_eq!(verified.rows, Some(all.len() as u64 * 4 + 1), "one note, three words each");
    }
    assert!(acknowledged.len() as u64 >= KILLS * 20);
    erase(&open(folder.path()), &[1]).unwrap();
}

#[test]
fn a_kill_during_the_compacting_copy_costs_nothing() {
    const NAME: &str = "kill::a_kill_during_the_compacting_copy_costs_nothing";
    if let Some(folder) = again::folder() {
        for n in 0_u32.. {
            println!("copy {n}");
            compact(&folder).unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..60 {
        add(&store, &format!("n{n}"), &"x".repeat(20_000));
    }
    let head = store.head();
    drop(store);
    for round in 0..KILLS {
        let mut command = again::command(NAME, folder.path(), "env", "exec \"$@\"");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next().unwrap().unwrap().ends_with("copy 1") {}
        std::thread::sleep(Duration::from_micros(round * 1777));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = open(folder.path());
        assert_eq!(store.head(), head);
        store.verify(&Seal(1)).unwrap();
        assert!(!folder.path().join("store.new").exists());
    }
}

/// Lines are `seq id`; the test harness prints others.
fn note(acknowledged: &mut BTreeMap<String, u64>, line: &str) {
    let Some((seq, id)) = line.split_once(' ') else {
        return;
    };
    if let (Ok(seq), true) = (seq.parse(), id.starts_with("id-")) {
        assert_eq!(acknowledged.insert(id.to_owned(), seq), None, "{id} twice");
    }
}

fn write_for_ever(folder: &std::path::Path) -> ! {
    let store = open(folder);
    let start = store.head().seq;
    for thread in 0..3_u32 {
        let store = store.clone();
        std::thread::spawn(move || {
            for n in 0_u32.. {
                let id = format!("id-{start}-{thread}-{n}");
                let new = entry("note.add", &id, Some(&format!("text of {id}")));
                let key = id.clone();
                let seq = store.write_blocking(move |w| {
                    w.vault_put(key.as_bytes(), b"mark")?;
                    w.append(new)
                });
                let seq: u64 = seq.unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "{seq} {id}").unwrap();
                out.flush().unwrap();
            }
        });
    }
    loop {
        std::thread::park();
    }
}
