//! Promise: a file from a stranger is opened by a worker that sees nothing else, has little of
//! everything, and is gone after it; whatever the file does, nobody else notices.
//!
//! Every worker here is a real one, started by the real executor; only its limits are small.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hw_tests::{Node, Options, Person, Result, Spoken, until};
use rustix::fs::{FileType, Mode};
use serde_json::json;

struct Foreign {
    node: Node,
    ann: Person,
    folder: tempfile::TempDir,
}

impl Foreign {
    fn new(settings: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700))?;
        fs::write(data.join("node.toml"), settings)?;
        let node = Node::start(&Options::people(&["ann"]).data(&data))?;
        let ann = node.pair("ann")?;
        Ok(Self { node, ann, folder })
    }

    fn file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes)?;
        Ok(path)
    }

    /// A file that never ends, as long as the second is held.
    fn never(&self) -> Result<(PathBuf, fs::File)> {
        let path = self.folder.path().join("never");
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, mode, 0)?;
        let kept = fs::OpenOptions::new().read(true).write(true).open(&path)?;
        Ok((path, kept))
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("made")
    }

    fn preview(&self, file: &Path) -> Result<Spoken> {
        let _ = fs::remove_file(self.out());
        let (file, out) = (file.to_string_lossy(), self.out());
        let words = ["preview", &file, "--out", &out.to_string_lossy(), "--size", "64"];
        let said = self.node.verb(&words)?;
        assert_eq!(out.exists(), said.code == 0, "a file only where something was made: {said:?}");
        Ok(said)
    }

    fn text(&self, file: &Path) -> Result<Spoken> {
        self.node.verb(&["text", &file.to_string_lossy()])
    }

    /// The same twin in the same process still answers.
    fn unharmed(&self) -> Result<()> {
        self.ann.call("identity", "me", json!({})).map_err(|fault| format!("{fault:?}"))?;
        assert!(self.node.executor().alive());
        Ok(())
    }
}

/// A picture of one colour, as the simplest writer of PNG makes it: stored, not compressed.
fn png(width: u32, height: u32) -> Result<Vec<u8>> {
    let mut rows = Vec::new();
    for _ in 0..height {
        rows.push(0);
        rows.extend([200, 30, 30].repeat(width as usize));
    }
    let mut data = vec![0x78, 0x01];
    let mut parts = rows.chunks(65_535).peekable();
    while let Some(part) = parts.next() {
        let len = u16::try_from(part.len())?;
        data.push(u8::from(parts.peek().is_none()));
        data.extend(len.to_le_bytes());
        data.extend((!len).to_le_bytes());
        data.extend(part);
    }
    let (a, b) = rows.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    data.extend((b << 16 | a).to_be_bytes());
    let mut head = Vec::new();
    head.extend(width.to_be_bytes());
    head.extend(height.to_be_bytes());
    head.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, bytes) in [(b"IHDR", &head), (b"IDAT", &data), (b"IEND", &Vec::new())] {
        png.extend(u32::try_from(bytes.len())?.to_be_bytes());
        let named = [&name[..], bytes].concat();
        png.extend(&named);
        png.extend(crc(&named).to_be_bytes());
    }
    Ok(png)
}

/// A file of the worker's own corpus.
fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../appliance/worker/corpus").join(name)
}

fn crc(bytes: &[u8]) -> u32 {
    let shift = |crc: u32| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    let step = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc));
    !bytes.iter().fold(u32::MAX, step)
}

#[test]
fn a_preview_and_the_words_of_a_file_are_made_by_a_worker() {
    let foreign = Foreign::new("").unwrap();
    let picture = foreign.file("picture.jpg", &png(300, 100).unwrap()).unwrap();
    let said = foreign.preview(&picture).unwrap();
    let made = &said.json()["made"];
    assert_eq!((said.code, &made["of"], &made["kind"]), (0, &json!("png"), &json!("jpeg")));
    assert_eq!(made["size"], json!([64, 21]));
    let bytes = fs::read(foreign.out()).unwrap();
    assert!(bytes.starts_with(b"\xff\xd8\xff") && made["bytes"] == bytes.len());
    let drawn = foreign.preview(&corpus("preview/page.pdf")).unwrap().json();
    assert_eq!((&drawn["made"]["of"], &drawn["made"]["size"]), (&json!("pdf"), &json!([64, 64])));
    let poster = foreign.preview(&corpus("preview/film.webm")).unwrap().json();
    assert_eq!((&poster["made"]["of"], &poster["made"]["kind"]), (&json!("webm"), &json!("jpeg")));
    for (name, words) in [("page.pdf", "words\na b\n"), ("letter.docx", "Tea & cake\n")] {
        let said = foreign.text(&corpus(&format!("text/{name}"))).unwrap();
        assert_eq!(said.json()["text"], words, "{name}: {said:?}");
    }
    let page = b"<!doctype html><p>Tea &amp; cake<script>alert(1)</script>";
    let page = foreign.file("page", page).unwrap();
    assert_eq!(foreign.text(&page).unwrap().json()["text"], "Tea & cake\n");
    // What is typed wrong, is not there or has no node is said as such.
    assert_eq!(foreign.text(Path::new("/nowhere/at/all")).unwrap().code, 1);
    assert_eq!(foreign.node.verb(&["preview", "some.png"]).unwrap().code, 2);
    assert_eq!(foreign.text(&picture).unwrap().json()["why"], "not_known");
    let mut node = foreign.node;
    node.stop().unwrap();
    assert_eq!(node.verb(&["text", &page.to_string_lossy()]).unwrap().code, 5);
}

#[test]
fn hostile_files_end_in_a_clear_answer() {
    let foreign = Foreign::new("[worker]\nmemory_mib = 48\ncpu_s = 2\n").unwrap();
    let whole = png(40, 40).unwrap();
    let mut huge = whole.clone();
    huge[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    huge[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    let fixed = crc(&huge[12..29]).to_be_bytes();
    huge[29..33].copy_from_slice(&fixed);
    for (name, bytes, why) in [
        ("empty", &b""[..], "not_known"),
        ("noise", &[7; 3000], "not_known"),
        ("cut.png", &whole[..whole.len() / 2], "damaged"),
        ("huge.png", &huge, "too_large"),
        ("large", &vec![b'a'; 13 << 20], "too_large"),
        ("lies.png", b"GIF89a\x01\0\x01\0\0\0\0but not really one", "damaged"),
    ] {
        let said = foreign.preview(&foreign.file(name, bytes).unwrap()).unwrap();
        assert_eq!((said.code, said.json()["why"].as_str()), (8, Some(why)), "{name}: {said:?}");
    }
    for (name, code, why) in [
        ("preview/film.mp4", 8, "no_poster"),
        ("preview/cut.webp", 8, "damaged"),
        // A picture on its page says that it has a hundred million million pixels.
        ("preview/absurd.pdf", 9, "stopped"),
    ] {
        let said = foreign.preview(&corpus(name)).unwrap();
        assert_eq!((said.code, said.json()["why"].as_str()), (code, Some(why)), "{name}: {said:?}");
    }
    // What draws itself for ever, and what laughs a million times, is what little it is.
    assert_eq!(foreign.preview(&corpus("preview/itself.pdf")).unwrap().code, 0);
    assert_eq!(foreign.text(&corpus("text/entities.docx")).unwrap().code, 0);
    assert_eq!(foreign.text(&corpus("text/bomb.docx")).unwrap().code, 0, "3 MiB are no bomb yet");
    let (never, kept) = foreign.never().unwrap();
    let said = foreign.text(&never).unwrap();
    assert_eq!((said.code, said.json()["why"].as_str()), (9, Some("too_slow")), "{said:?}");
    drop(kept);
    foreign.unharmed().unwrap();
}

#[test]
fn workers_are_few_and_one_too_many_is_told_at_once() {
    let foreign = Foreign::new("[worker]\ncpu_s = 100\nat_once = 2\n").unwrap();
    let (never, kept) = foreign.never().unwrap();
    let ask = || {
        let mut command = Command::new(hw_tests::program().unwrap());
        command.arg("text").arg(&never).args(["--json", "--data"]).arg(foreign.node.data());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    // Two are at work, 32 wait, and whoever is left over is told.
    let mut asking: Vec<_> = (0..36).map(|_| ask()).collect();
    until("a full house", Duration::from_secs(120), || {
        let mut refused = 0;
        for child in &mut asking {
            refused += u32::from(child.try_wait()?.is_some_and(|status| status.code() == Some(3)));
        }
        Ok((refused == 2).then_some(()))
    })
    .unwrap();
    let note = foreign.file("note.txt", b"words").unwrap();
    let said = foreign.text(&note).unwrap();
    assert_eq!((said.code, said.json()["why"].as_str()), (3, Some("busy")), "{said:?}");
    let status = foreign.node.verb(&["status"]).unwrap().json();
    assert_eq!(status["workers"].as_array().map(Vec::len), Some(2), "{status}");
    foreign.unharmed().unwrap();
    // Who asked and went away is not waited for: their jobs are dropped, and the next is done.
    for child in &mut asking {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    drop(kept);
    let said = until("a place", Duration::from_secs(60), || {
        Ok(foreign.text(&note).ok().filter(|said| said.code == 0))
    });
    assert_eq!(said.unwrap().json()["text"], "words\n");
}
