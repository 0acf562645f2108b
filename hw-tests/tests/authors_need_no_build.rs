//! Promise: an experience is a folder. It is begun, checked, packed, installed and tried out with one
//! program each, on a node that runs.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, IoSlice},
    mem::MaybeUninit,
    os::{fd::AsFd as _, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use hw_tests::{Node, Options, Person, Process, Result, Spoken, until};
use rustix::{
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
    process::Signal,
};
use serde_json::{Value, json};

fn did(node: &Node, arguments: &[&str]) -> Result<Spoken> {
    let said = node.verb(arguments)?;
    if said.code != 0 {
        return Err(format!("{arguments:?}: {said:?}").into());
    }
    Ok(said)
}

/// The experience of this name, as its person sees it.
fn installed(ann: &Person, name: &str) -> Result<Value> {
    let all = ann.call("experiences", "list", json!({}))?;
    let items = all["items"].as_array().cloned().unwrap_or_default();
    Ok(items.into_iter().find(|one| one["name"] == name).unwrap_or_default())
}

/// What the node answers to who wants a package shown in the place of an installed one.
fn tried(node: &Node, package: &str) -> Result<Value> {
    let stream = UnixStream::connect(node.data().join("control.sock"))?;
    let (verb, file) =
        (json!({"verb": "experience", "name": "ann", "act": "try"}), File::open(package)?);
    let line = format!("{verb}\n");
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut more = SendAncillaryBuffer::new(&mut space);
    assert!(more.push(SendAncillaryMessage::ScmRights(&files)));
    sendmsg(&stream, &[IoSlice::new(line.as_bytes())], &mut more, SendFlags::empty())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

#[test]
fn a_folder_becomes_an_installed_experience() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let (ann, bob) = (node.pair("ann").unwrap(), node.pair("bob").unwrap());
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("our-list");
    let (path, packed) = (folder.to_str().unwrap(), place.path().join("our-list.experience"));
    let packed = packed.to_str().unwrap();

    // What `new` writes is one that works, and `new` overwrites nothing.
    did(&node, &["experience", "new", path]).unwrap();
    assert_ne!(node.verb(&["experience", "new", path]).unwrap().code, 0);
    did(&node, &["experience", "check", path]).unwrap();
    did(&node, &["experience", "pack", path, "--twin", "ann", "--out", packed]).unwrap();
    did(&node, &["experience", "install", packed, "--twin", "ann"]).unwrap();
    let (there, manifest) = (installed(&ann, "our-list").unwrap(), folder.join("experience.json"));
    assert_eq!(there["author"]["me"], true, "{there}");
    let first = there["version"].as_str().unwrap().to_owned();

    // Its page is served, and is the one from the folder.
    let opened = ann.call("experiences", "open", json!({"name": "our-list"})).unwrap();
    let url = opened["url"].as_str().unwrap();
    let page = ann.get(url, &[]).unwrap();
    assert_eq!(page.text(), fs::read_to_string(folder.join("index.html")).unwrap());

    // Somebody else has it from the same file, and sees whose it is.
    did(&node, &["experience", "install", packed, "--twin", "bob"]).unwrap();
    let there = installed(&bob, "our-list").unwrap();
    assert_eq!((&there["author"]["me"], &there["author"]["name"]), (&json!(false), &Value::Null));

    // The same version with another content is refused, a newer one replaces it, a folder is enough.
    fs::write(folder.join("more.js"), "export const more = 1;\n").unwrap();
    let refused = node.verb(&["experience", "install", path, "--twin", "ann"]).unwrap();
    assert_eq!(refused.code, 8, "{refused:?}");
    let text = fs::read_to_string(&manifest).unwrap();
    let newer = text.replace(&format!("\"{first}\""), "\"9.0.0\"");
    assert_ne!(text, newer);
    fs::write(&manifest, newer).unwrap();
    did(&node, &["experience", "install", path, "--twin", "ann"]).unwrap();
    assert_eq!(installed(&ann, "our-list").unwrap()["version"], "9.0.0");
    assert_eq!(installed(&bob, "our-list").unwrap()["version"], *first);
    let more = url.replace("index.html", "more.js");
    assert_eq!(ann.get(&more, &[]).unwrap().status, 404, "what is open stays as it was opened");

    // What is wrong with it is said, with its line, and nothing is packed.
    fs::write(folder.join("index.html"), "<p>\n<script>alert(1)</script>\n").unwrap();
    let checked = node.verb(&["experience", "check", path]).unwrap();
    assert_ne!(checked.code, 0);
    let said = format!("{}{}", checked.out, checked.err);
    assert!(said.contains("index.html") && said.contains('2'), "{said}");
    for verb in ["pack", "install"] {
        assert_ne!(node.verb(&["experience", verb, path, "--twin", "ann"]).unwrap().code, 0);
    }
    // Shown without being installed it is only where its author works on it.
    let answer = tried(&node, packed).unwrap();
    assert_eq!(answer, json!({"answer": "not_taken", "code": "only_dev"}));
    assert_eq!(installed(&ann, "our-list").unwrap()["version"], "9.0.0");
    // A package that was changed by one byte is none.
    let mut bytes = fs::read(packed).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(packed, bytes).unwrap();
    let refused = node.verb(&["experience", "install", packed, "--twin", "bob"]).unwrap();
    assert_eq!(refused.code, 8, "{refused:?}");
}

/// A program that doesn't outlive its test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // As a person ends it, so that it takes its data along.
        if let Ok(process) = Process::of(self.0.id()) {
            process.signal(Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_being_written_is_shown_to_two_people() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("our-list");
    let program = hw_tests::program().unwrap();
    let begun = Command::new(&program).args(["experience", "new"]).arg(&folder).output().unwrap();
    assert!(begun.status.success(), "{begun:?}");
    let mut dev = Command::new(&program)
        .args(["experience", "dev"])
        .arg(&folder)
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(dev.stdout.take().unwrap()).lines();
    let _guard = Guard(dev);
    let mut links = Vec::new();
    for line in lines.by_ref().map_while(std::result::Result::ok) {
        links.extend(
            line.split_whitespace().find(|word| word.contains("/pair#")).map(str::to_owned),
        );
        if line.starts_with("Shown to ann and bob") {
            break;
        }
    }
    assert!(links.len() >= 2, "{links:?}");
    let ann = links.iter().find(|link| link.contains("//ann.")).unwrap();
    let ann = Person::pair(ann).unwrap();
    let shown = || -> Result<String> {
        let opened = ann.call("experiences", "open", json!({"name": "our-list"}))?;
        Ok(ann.get(opened["url"].as_str().unwrap_or_default(), &[])?.text())
    };
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    assert_eq!(shown().unwrap(), page);
    fs::write(folder.join("index.html"), "<!doctype html>\n<p>as it is now</p>\n").unwrap();
    let now = || Ok(shown()?.contains("as it is now").then_some(()));
    until("what was saved to be shown", Duration::from_secs(60), now).unwrap();
}
