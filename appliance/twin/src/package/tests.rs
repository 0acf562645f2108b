//! Packages through their public face: the same folder is the same bytes, and nothing that was
//! changed, cut, renamed or signed by somebody else is taken.

use link::Keys;
use proptest::prelude::*;

use super::*;

/// Two keys that differ, the same for the same number.
fn author(number: u8) -> Keys {
    let mut secrets = [number; 64];
    secrets[32..].fill(!number);
    Keys::from_bytes(&secrets)
}

fn folder() -> Folder {
    let manifest =
        r#"{"name":"garden","version":"1.2.3","title":{"en":"Garden"},"uses":["chat/1"]}"#;
    [
        (MANIFEST, manifest),
        ("index.html", "<!doctype html>\n<script type=\"module\" src=\"./main.js\"></script>\n"),
        ("main.js", "import './parts/a.js';\n"),
        ("parts/a.js", "1;\n"),
    ]
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .into()
}

fn signed(folder: &Folder) -> Vec<u8> {
    let keys = author(7);
    sign(&pack(folder).unwrap(), &Chain::begin(&keys), &keys.twin).unwrap()
}

#[test]
fn the_same_folder_is_the_same_bytes_and_comes_out_again() {
    let bytes = signed(&folder());
    assert_eq!(bytes, signed(&folder()));
    let package = Package::read(&bytes).unwrap();
    assert_eq!(package.manifest.name.as_str(), "garden");
    assert_eq!(package.manifest.version.to_string(), "1.2.3");
    assert_eq!(package.manifest.entry, "index.html");
    assert_eq!(package.author, Chain::begin(&author(7)).check().unwrap().id);
    assert_eq!(Some(package.hash), hash_of(&pack(&folder()).unwrap()));
    for (path, file) in folder() {
        assert_eq!(bytes[package.files()[&path].at.clone()], file, "{path}");
    }
}

#[test]
fn what_is_not_signed_or_by_somebody_else_is_refused() {
    let unsigned = pack(&folder()).unwrap();
    assert_eq!(Package::read(&unsigned).unwrap_err(), NoPackage::Signature);
    let (ann, eve) = (author(1), author(2));
    let lie = sign(&unsigned, &Chain::begin(&ann), &eve.twin).unwrap();
    assert_eq!(Package::read(&lie).unwrap_err(), NoPackage::Signature);
}

/// Signs an index that names these files, whatever they are called.
fn crafted(files: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(path, text): &(&str, &str)| Entry {
        path: (*path).to_owned(),
        size: text.len(),
        hash: HEXLOWER.encode(blake3::hash(text.as_bytes()).as_bytes()),
    };
    let index = Index { files: files.iter().map(entry).collect() };
    let mut bytes = MAGIC.to_vec();
    for part in [&serde_json::to_vec(&index).unwrap()[..], &[], &[]] {
        write_part(&mut bytes, part);
    }
    files.iter().for_each(|(_, text)| bytes.extend_from_slice(text.as_bytes()));
    let keys = author(7);
    sign(&bytes, &Chain::begin(&keys), &keys.twin).unwrap()
}

#[test]
fn paths_that_mean_another_place_are_refused_though_signed() {
    let manifest = r#"{"name":"garden","version":"1.0.0","title":{"en":"Garden"}}"#;
    let page = "<p></p>";
    let read = |more: &str| {
        let mut files = vec![(MANIFEST, manifest), ("index.html", page), (more, "x")];
        files.sort_unstable();
        Package::read(&crafted(&files)).map(|_| ())
    };
    assert_eq!(read("parts/b.js"), Ok(()));
    for bad in [
        "../b.js",
        "/b.js",
        "a/../b.js",
        "a//b.js",
        "./b.js",
        ".hidden.js",
        "a/.b.js",
        "b\0.js",
        "sdk/twin.js",
        "t/x.js",
        "b.exe",
        "b",
        "ä.js",
        "a\\b.js",
        "a/b/c/d/e/f/g/h/i.js",
    ] {
        assert_eq!(read(bad), Err(NoPackage::Flawed), "{bad:?}");
    }
    // The same file twice, and out of order.
    let twice = crafted(&[(MANIFEST, manifest), (MANIFEST, manifest), ("index.html", page)]);
    assert_eq!(Package::read(&twice).unwrap_err(), NoPackage::Index);
    let unordered = crafted(&[("index.html", page), (MANIFEST, manifest)]);
    assert_eq!(Package::read(&unordered).unwrap_err(), NoPackage::Index);
}

#[test]
fn every_flaw_is_named_with_its_line() {
    let flaws = |path: &str, text: &str| {
        let mut folder = folder();
        folder.insert(path.to_owned(), text.as_bytes().to_vec());
        check(&folder).into_iter().map(|flaw| (flaw.what, flaw.line)).collect::<Vec<_>>()
    };
    assert_eq!(check(&folder()), []);
    assert_eq!(flaws("index.html", "<p>\n<script>1</script>"), [(What::InlineScript, 2)]);
    assert_eq!(flaws("index.html", "<p onclick=\"a()\">"), [(What::InlineScript, 1)]);
    assert_eq!(flaws("index.html", "<a href=\"https://e.org\">"), [], "a link is no loading");
    let outside = "\n<script src=\"https://e.org/a.js\"></script>";
    assert_eq!(flaws("index.html", outside), [(What::Outside, 2)]);
    assert_eq!(flaws("a.exe", ""), [(What::Ending, 0)]);
    assert_eq!(flaws(MANIFEST, "{\n\"name\":1}"), [(What::Manifest, 2)]);
    let manifest = r#"{"name":"9","version":"1.0.0","title":{},"entry":"x.html","uses":["no/1"]}"#;
    let all = [What::Name, What::NoTitle, What::NoEntry, What::Unknown];
    assert_eq!(flaws(MANIFEST, manifest), all.map(|what| (what, 0)));
    let mut without = folder();
    without.remove(MANIFEST);
    assert_eq!(check(&without)[0].what, What::NoManifest);
}

fn with(path: &str, text: &str) -> Folder {
    let mut folder = folder();
    folder.insert(path.to_owned(), text.as_bytes().to_vec());
    folder
}

#[test]
fn a_page_of_one_long_line_is_checked_in_one_go() {
    for (part, last) in [("src=\"", "//x\""), ("a src='", "https://x'"), ("<a href=\"", "")] {
        let mut page = part.repeat(500_000);
        page.push_str("<img src=\"");
        page.push_str(last);
        let folder = with("index.html", &page);
        let flaws = check(&folder);
        assert_eq!(flaws.len(), usize::from(!last.is_empty()), "{part}");
    }
    let many = check(&with("index.html", &"<script>\n".repeat(100_000)));
    assert_eq!(many.len(), 200, "of very many the first are told");
}

proptest! {
    #[test]
    fn no_changed_byte_goes_unnoticed(at in any::<prop::sample::Index>(), with in 1_u8..) {
        let mut bytes = signed(&folder());
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        prop_assert!(Package::read(&bytes).is_err(), "byte {}", at);
    }

    #[test]
    fn no_cut_or_longer_package_is_taken(length in any::<prop::sample::Index>(), more in 1_usize..9) {
        let mut bytes = signed(&folder());
        prop_assert!(Package::read(&bytes[..length.index(bytes.len())]).is_err());
        bytes.extend(std::iter::repeat_n(0, more));
        prop_assert_eq!(Package::read(&bytes).unwrap_err(), NoPackage::Cut);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Package::read(&bytes).is_err());
        let _ = Package::read(&[&MAGIC[..], &bytes].concat());
    }
}

/// What the fuzzer begins with: one whole package and one of each way to be none. Written by
/// `HOMETWIN_WRITE=1`, so that a change of the form changes them too.
#[test]
fn the_corpus_is_of_this_form() {
    let whole = signed(&folder());
    let mut wrong_end = whole.clone();
    *wrong_end.last_mut().unwrap() ^= 1;
    let manifest = r#"{"name":"garden","version":"1.0.0","title":{"en":"Garden"}}"#;
    let files = [
        ("whole", whole.clone()),
        ("unsigned", pack(&folder()).unwrap()),
        ("changed", wrong_end),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("longer", [&whole[..], b"more"].concat()),
        ("climbs", crafted(&[("../a.js", "x"), (MANIFEST, manifest), ("index.html", "")])),
        ("twice", crafted(&[(MANIFEST, manifest), (MANIFEST, manifest)])),
        ("no-entry", crafted(&[(MANIFEST, manifest)])),
        ("no-manifest", crafted(&[("index.html", "")])),
        ("nothing", crafted(&[])),
        ("magic", MAGIC.to_vec()),
        ("long-part", [&MAGIC[..], &[255; 4]].concat()),
    ];
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/package");
    for (name, bytes) in files {
        let path = corpus.join(name);
        if std::env::var_os("HOMETWIN_WRITE").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name}");
    }
}
