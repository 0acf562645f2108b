//! Passkeys against an authenticator that signs as a real one does.

use std::path::Path;

use super::device::{Device, HOST, ORIGIN};
use super::*;

const NOW: i64 = 1_790_000_000_000;
const AT: At<'_> = At { host: HOST, origin: ORIGIN, now_ms: NOW };
const MAKER: Maker<'_> = Maker { session: "s1", device: "Firefox, Android" };

fn passkeys(folder: &Path) -> Passkeys {
    Passkeys::open(Rc::new(Door::open(folder).unwrap())).unwrap()
}

fn at(after_ms: i64) -> At<'static> {
    At { now_ms: NOW + after_ms, ..AT }
}

fn add(passkeys: &Passkeys, device: &Device) -> Result<(), Refused> {
    let begun = passkeys.begin_adding("s1", AT).unwrap();
    passkeys.add(&parse(&device.create(&begun.challenge)), &MAKER, AT)
}

fn parse<T: serde::de::DeserializeOwned>(body: &str) -> T {
    serde_json::from_str(body).unwrap()
}

fn user(passkeys: &Passkeys) -> String {
    passkeys.begin_adding("s1", AT).unwrap().user
}

/// What the device answers to a new challenge.
fn answer(passkeys: &Passkeys, device: &mut Device) -> identity::SignIn {
    device.count += 1;
    parse(&device.get(&passkeys.begin_sign_in(AT).unwrap(), &user(passkeys)))
}

#[test]
fn a_passkey_of_each_kind_lets_in_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut devices = [Device::p256(), Device::ed25519(), Device::rsa()];
    {
        let passkeys = passkeys(folder.path());
        assert!(!passkeys.any(HOST));
        devices.iter().for_each(|device| add(&passkeys, device).unwrap());
        let begun = passkeys.begin_adding("s1", AT).unwrap();
        assert_eq!((begun.exclude.len(), passkeys.made_in("s1")), (3, 3));
    }
    let passkeys = passkeys(folder.path());
    assert!(passkeys.any(HOST) && !passkeys.any("bob.localhost"));
    for device in &mut devices {
        let asked = answer(&passkeys, device);
        let id = passkeys.sign_in(&asked, AT).unwrap();
        let kept = passkeys.list().into_iter().find(|kept| kept.id == id).unwrap();
        assert_eq!((kept.last_used_ms, &*kept.device), (Some(NOW), "Firefox, Android"));
    }
}

#[test]
fn an_answer_is_good_once_also_after_a_restart_and_not_for_long() {
    let folder = tempfile::tempdir().unwrap();
    // One that doesn't count, as those that are synced.
    let mut device = Device::p256();
    device.count = 0;
    let asked = {
        let passkeys = passkeys(folder.path());
        add(&passkeys, &device).unwrap();
        let challenge = passkeys.begin_sign_in(AT).unwrap();
        let asked = parse(&device.get(&challenge, &user(&passkeys)));
        assert!(matches!(passkeys.sign_in(&asked, at(300_001)), Err(Refused::Late)));
        passkeys.sign_in(&asked, at(200_000)).unwrap();
        asked
    };
    let passkeys = passkeys(folder.path());
    assert!(matches!(passkeys.sign_in(&asked, at(200_001)), Err(Refused::Bad(_))));
    for _ in 0..100 {
        let challenge = passkeys.begin_sign_in(at(600_000)).unwrap();
        let asked = parse(&device.get(&challenge, &user(&passkeys)));
        passkeys.sign_in(&asked, at(600_000)).unwrap();
    }
    assert!(matches!(passkeys.sign_in(&asked, at(600_001)), Err(Refused::Late)));
    assert_eq!(passkeys.list()[0].answered.len(), 100, "only those of the last minutes are kept");
}

#[test]
fn what_is_not_this_passkeys_is_refused_and_uses_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let passkeys = passkeys(folder.path());
    let mut device = Device::p256();
    add(&passkeys, &device).unwrap();
    let mut stranger = Device::p256();
    for _ in 0..1000 {
        let asked = answer(&passkeys, &mut stranger);
        assert!(matches!(passkeys.sign_in(&asked, AT), Err(Refused::Unknown)));
        // With the right id and the wrong key.
        let mut asked = asked;
        asked.credential = BASE64URL_NOPAD.encode(&device.credential).parse().unwrap();
        assert!(matches!(passkeys.sign_in(&asked, AT), Err(Refused::Bad(_))));
    }
    let foreign =
        identity::SignIn { user: "YWJj".parse().unwrap(), ..answer(&passkeys, &mut device) };
    assert!(matches!(passkeys.sign_in(&foreign, AT), Err(Refused::Bad(_))));
    let adding = passkeys.begin_adding("s1", AT).unwrap();
    let other = parse(&device.get(&adding.challenge, &adding.user));
    assert!(matches!(passkeys.sign_in(&other, AT), Err(Refused::Bad(_))), "of the other ceremony");
    let asked = answer(&passkeys, &mut device);
    let elsewhere = At { origin: "http://bob.localhost:8080", ..AT };
    assert!(matches!(passkeys.sign_in(&asked, elsewhere), Err(Refused::Bad(_))));
    passkeys.sign_in(&asked, AT).unwrap();
}

#[test]
fn a_counter_that_goes_back_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let passkeys = passkeys(folder.path());
    let mut device = Device::ed25519();
    add(&passkeys, &device).unwrap();
    let asked = answer(&passkeys, &mut device);
    passkeys.sign_in(&asked, AT).unwrap();
    device.count -= 1;
    let copy = answer(&passkeys, &mut device);
    assert!(matches!(passkeys.sign_in(&copy, AT), Err(Refused::Bad(_))));
    let asked = answer(&passkeys, &mut device);
    passkeys.sign_in(&asked, AT).unwrap();
}

#[test]
fn one_is_added_once_in_its_own_session_and_not_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let passkeys = passkeys(folder.path());
    let device = Device::p256();
    let begun = passkeys.begin_adding("another", AT).unwrap();
    let foreign = parse(&device.create(&begun.challenge));
    assert!(matches!(passkeys.add(&foreign, &MAKER, AT), Err(Refused::Bad(_))));
    let begun = passkeys.begin_adding("s1", AT).unwrap();
    let late = parse(&device.create(&begun.challenge));
    assert!(matches!(passkeys.add(&late, &MAKER, at(300_001)), Err(Refused::Late)));
    let sign_in = passkeys.begin_sign_in(AT).unwrap();
    let other = parse(&device.create(&sign_in));
    assert!(matches!(passkeys.add(&other, &MAKER, AT), Err(Refused::Bad(_))));
    add(&passkeys, &device).unwrap();
    assert!(matches!(add(&passkeys, &device), Err(Refused::Known)));
    (1..MAX).for_each(|_| add(&passkeys, &Device::ed25519()).unwrap());
    assert!(matches!(add(&passkeys, &Device::ed25519()), Err(Refused::TooMany)));
}

#[test]
fn one_is_called_something_and_removed_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = Device::p256();
    {
        let passkeys = passkeys(folder.path());
        add(&passkeys, &device).unwrap();
        let id = passkeys.list()[0].id.clone();
        assert!(passkeys.rename(&id, "Telephone").unwrap() && !passkeys.rename("x", "").unwrap());
    }
    {
        let passkeys = passkeys(folder.path());
        assert_eq!(passkeys.list()[0].name.as_deref(), Some("Telephone"));
        let gone = passkeys.remove(|kept| kept.session == "s1").unwrap();
        assert_eq!(gone.len(), 1);
    }
    let passkeys = passkeys(folder.path());
    assert!(!passkeys.any(HOST));
    let asked = answer(&passkeys, &mut device);
    assert!(matches!(passkeys.sign_in(&asked, AT), Err(Refused::Unknown)));
}

#[test]
fn the_door_has_nothing_that_lets_somebody_in() {
    let folder = tempfile::tempdir().unwrap();
    let passkeys = passkeys(folder.path());
    let mut device = Device::p256();
    add(&passkeys, &device).unwrap();
    let asked = answer(&passkeys, &mut device);
    passkeys.sign_in(&asked, AT).unwrap();
    let signature = BASE64URL_NOPAD.decode(asked.signature.as_bytes()).unwrap();
    for (_, value) in passkeys.door.prefix(b"").unwrap() {
        assert!(!String::from_utf8_lossy(&value).contains(&*asked.signature));
        assert!(!value.windows(signature.len()).any(|part| part == signature));
    }
}
