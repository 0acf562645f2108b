//! Which browsers are signed in, how they came in, and the one-time codes that sign in the first one.
//!
//! Never keeps a token: a browser's token is found again by its hash, so neither the door's folder
//! nor a timing difference gives one away. A pairing code lives in memory only.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use store::Door;
use tokio::sync::watch;

/// All sessions of one twin.
pub(crate) struct Sessions {
    door: Rc<Door>,
    by_hash: RefCell<HashMap<Hash, Rc<Session>>>,
    code: RefCell<Option<Code>>,
    /// Grows with every change, and from one process to the next.
    changes: watch::Sender<u64>,
}

/// What a token is kept as.
pub(crate) type Hash = [u8; 32];

/// A browser that is signed in.
pub(crate) struct Session {
    /// Its public id.
    pub id: String,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// What the browser said it is, in two words.
    pub device: String,
    /// How it came in.
    pub by: CameBy,
    name: RefCell<Option<String>>,
    /// Nobody has said yet that it is the person's own.
    unseen: Cell<bool>,
    last_used_ms: Cell<i64>,
    hash: Hash,
    ended: watch::Sender<bool>,
}

/// How a browser came in.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum CameBy {
    /// With the code of the console.
    #[default]
    Code,
    /// With the passkey of this public id.
    Passkey(String),
    /// Let in by the session of this public id.
    Device(String),
}

/// How a session is kept in the door.
#[derive(Deserialize, Serialize)]
struct Kept {
    id: String,
    since_ms: i64,
    device: String,
    last_used_ms: i64,
    #[serde(default)]
    by: CameBy,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    unseen: bool,
}

impl Sessions {
    pub(crate) fn open(door: Rc<Door>) -> Result<Self, store::Error> {
        let mut by_hash = HashMap::new();
        for (key, value) in door.prefix(PREFIX)? {
            let hash = key.get(PREFIX.len()..).and_then(|hash| Hash::try_from(hash).ok());
            let kept = serde_json::from_slice::<Kept>(&value).ok();
            if let (Some(hash), Some(kept)) = (hash, kept) {
                by_hash.insert(hash, Rc::new(Session::from_kept(hash, kept)));
            } else {
                tracing::error!("a session that can't be read was left out");
            }
        }
        let changes = watch::Sender::new(u64::try_from(crate::clock_ms()).unwrap_or_default());
        Ok(Self { door, by_hash: RefCell::new(by_hash), code: RefCell::new(None), changes })
    }

    /// Tells of changes, with the number of the state that is reached.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Something happened that whoever follows the devices wants to see.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|state| *state += 1);
    }

    /// Whether a browser is signed in.
    pub(crate) fn any(&self) -> bool {
        !self.by_hash.borrow().is_empty()
    }

    /// Makes the one code that is valid from now on. Only while there is no other way in.
    pub(crate) fn new_code(&self) -> String {
        let text = random_code();
        let made = Code { text: text.clone(), made: Instant::now(), tries: HashMap::new() };
        *self.code.borrow_mut() = Some(made);
        text
    }

    /// How long the code that waits for its browser is still valid.
    pub(crate) fn code_waits(&self) -> Option<Duration> {
        let made = self.code.borrow().as_ref()?.made;
        CODE_LIVES.checked_sub(made.elapsed()).filter(|left| !left.is_zero())
    }

    /// Signs a browser in for a code: its session and the token for its cookie.
    pub(crate) fn pair(
        &self,
        code: &str,
        from: IpAddr,
        device: String,
        now_ms: i64,
    ) -> Result<(Rc<Session>, String), NotPaired> {
        self.use_code(code, from)?;
        self.admit(CameBy::Code, device, now_ms).map_err(NotPaired::Door)
    }

    /// Signs a browser in that has proved to be let in: its session and the token for its cookie. The
    /// other devices are to say whether it is the person's own.
    pub(crate) fn admit(
        &self,
        by: CameBy,
        device: String,
        now_ms: i64,
    ) -> Result<(Rc<Session>, String), store::Error> {
        self.make_room()?;
        // A code of the console is for whoever has no other way in.
        self.code.borrow_mut().take();
        let token = random::<32>();
        let hash = hash_of(&token);
        let kept = Kept {
            id: HEXLOWER.encode(&random::<8>()),
            since_ms: now_ms,
            device,
            last_used_ms: hour_of(now_ms),
            by,
            name: None,
            unseen: self.any(),
        };
        self.door.put(&key_of(&hash), &kept.bytes())?;
        let session = Rc::new(Session::from_kept(hash, kept));
        self.by_hash.borrow_mut().insert(hash, session.clone());
        self.changed();
        Ok((session, BASE64URL_NOPAD.encode(&token)))
    }

    /// Somebody who comes in ever again leaves no end of browsers behind: what was used longest ago
    /// makes room.
    fn make_room(&self) -> Result<(), store::Error> {
        let mut all = self.list();
        all.sort_by_key(|session| session.last_used_ms());
        let over = (all.len() + 1).saturating_sub(MAX_SESSIONS);
        all.iter().take(over).try_for_each(|session| self.end(session))
    }

    /// The session of a cookie's token.
    pub(crate) fn of_token(&self, token: &str) -> Option<Rc<Session>> {
        let token = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
        if token.len() != 32 {
            return None;
        }
        self.by_hash.borrow().get(&hash_of(&token)).cloned()
    }

    /// The session of a public id.
    pub(crate) fn of_id(&self, id: &str) -> Option<Rc<Session>> {
        self.by_hash.borrow().values().find(|session| session.id == id).cloned()
    }

    /// All of them, the newest first.
    pub(crate) fn list(&self) -> Vec<Rc<Session>> {
        let mut all: Vec<_> = self.by_hash.borrow().values().cloned().collect();
        all.sort_by(|a, b| b.since_ms.cmp(&a.since_ms).then_with(|| a.id.cmp(&b.id)));
        all
    }

    /// Remembers that a session was used; written at most once an hour. What it is used for goes on
    /// when that can't be written, such as on a full disk.
    pub(crate) fn used(&self, session: &Session, now_ms: i64) {
        let hour = hour_of(now_ms);
        if session.last_used_ms.replace(hour) == hour || session.has_ended() {
            return;
        }
        if let Err(error) = self.door.put(&key_of(&session.hash), &session.to_kept().bytes()) {
            tracing::warn!(error = %crate::chain(&error), "the last use of a session was not kept");
        }
    }

    /// Calls a device something.
    pub(crate) fn rename(&self, session: &Session, name: &str) -> Result<(), store::Error> {
        let kept = Kept { name: Some(name.to_owned()), ..session.to_kept() };
        self.door.put(&key_of(&session.hash), &kept.bytes())?;
        session.name.replace(kept.name);
        self.changed();
        Ok(())
    }

    /// The person says that a device is their own.
    pub(crate) fn know(&self, session: &Session) -> Result<(), store::Error> {
        let kept = Kept { unseen: false, ..session.to_kept() };
        self.door.put(&key_of(&session.hash), &kept.bytes())?;
        session.unseen.set(false);
        self.changed();
        Ok(())
    }

    /// Signs a browser out, at once and for good.
    pub(crate) fn end(&self, session: &Session) -> Result<(), store::Error> {
        self.door.delete(&key_of(&session.hash))?;
        self.by_hash.borrow_mut().remove(&session.hash);
        session.ended.send_replace(true);
        self.changed();
        Ok(())
    }

    /// Wrong tries are counted by the network they come from: who guesses elsewhere can't use up the
    /// code of somebody who has it before their eyes.
    fn use_code(&self, typed: &str, from: IpAddr) -> Result<(), NotPaired> {
        let mut slot = self.code.borrow_mut();
        let Some(code) = slot.as_mut() else { return Err(NotPaired::BadCode) };
        if code.made.elapsed() >= CODE_LIVES {
            *slot = None;
            return Err(NotPaired::BadCode);
        }
        if code.tries.len() >= MAX_NETWORKS {
            code.tries.clear();
        }
        let tries = code.tries.entry(from).or_default();
        *tries += 1;
        if *tries > TRIES {
            return Err(NotPaired::TooOften);
        }
        if !code.fits(typed) {
            return Err(NotPaired::BadCode);
        }
        *slot = None;
        Ok(())
    }
}

impl Session {
    /// Last use, to the hour.
    pub(crate) fn last_used_ms(&self) -> i64 {
        self.last_used_ms.get()
    }

    /// What the person calls it.
    pub(crate) fn name(&self) -> Option<String> {
        self.name.borrow().clone()
    }

    /// Whether nobody has said yet that it is the person's own.
    pub(crate) fn is_unseen(&self) -> bool {
        self.unseen.get()
    }

    /// Whether it was signed out.
    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits until it is signed out.
    pub(crate) async fn ended(&self) {
        // The sender lives in `self`, so waiting can't fail while somebody waits.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    fn from_kept(hash: Hash, kept: Kept) -> Self {
        Self {
            id: kept.id,
            since_ms: kept.since_ms,
            device: kept.device,
            by: kept.by,
            name: RefCell::new(kept.name),
            unseen: Cell::new(kept.unseen),
            last_used_ms: Cell::new(kept.last_used_ms),
            hash,
            ended: watch::Sender::new(false),
        }
    }

    fn to_kept(&self) -> Kept {
        Kept {
            id: self.id.clone(),
            since_ms: self.since_ms,
            device: self.device.clone(),
            last_used_ms: self.last_used_ms.get(),
            by: self.by.clone(),
            name: self.name(),
            unseen: self.is_unseen(),
        }
    }
}

impl Kept {
    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Why a browser was not signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotPaired {
    /// Wrong, used, or too old; which one is nobody's business.
    #[error("pairing code is not valid")]
    BadCode,
    /// Too many wrong ones from there.
    #[error("too many tries")]
    TooOften,
    /// The session could not be kept.
    #[error("session could not be kept")]
    Door(#[source] store::Error),
}

struct Code {
    text: String,
    made: Instant,
    tries: HashMap<IpAddr, u8>,
}

impl Code {
    fn fits(&self, typed: &str) -> bool {
        // Hashes are compared, so the time taken tells nothing about the code.
        blake3::hash(typed.trim().to_ascii_uppercase().as_bytes())
            == blake3::hash(self.text.as_bytes())
    }
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    while let Err(error) = getrandom::fill(&mut bytes) {
        // Nothing safe can be done without randomness; the system gives it once it has some.
        tracing::error!(%error, "the system gives no random bytes");
        std::thread::sleep(Duration::from_millis(100));
    }
    bytes
}

/// What a token or id is kept as.
pub(crate) fn hash_of(token: &[u8]) -> Hash {
    blake3::derive_key("hometwin door token 1", token)
}

fn random_code() -> String {
    // 32 letters, so that a byte's lowest five bits choose one evenly.
    random::<CODE_LENGTH>().iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

fn key_of(hash: &Hash) -> Vec<u8> {
    [PREFIX, hash].concat()
}

fn hour_of(time_ms: i64) -> i64 {
    time_ms - time_ms.rem_euclid(3_600_000)
}

/// What a person recognises a browser by, from its `User-Agent`: `Firefox, Android`.
pub(crate) fn device_of(user_agent: &str) -> String {
    let first = |known: &[(&str, &'static str)]| {
        known.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name)
    };
    // Order matters: nearly all browsers also claim to be the ones below them.
    let browser = first(&[
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    [browser, system].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

const PREFIX: &[u8] = b"session/";
/// No letters or digits that look alike.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const CODE_LENGTH: usize = 10;
/// From one network. A code is one of 2^50, so that thousands would not matter.
const TRIES: u8 = 5;
/// Of so many networks tries are counted at a time.
const MAX_NETWORKS: usize = 256;
const MAX_SESSIONS: usize = 100;
/// How long a pairing code is valid.
const CODE_LIVES: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn sessions(folder: &Path) -> Sessions {
        Sessions::open(Rc::new(Door::open(folder).unwrap())).unwrap()
    }

    #[test]
    fn a_code_signs_in_once_and_the_session_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let token = {
            let sessions = sessions(folder.path());
            let code = sessions.new_code();
            assert_eq!(code.len(), 10);
            let typed = format!(" {} ", code.to_lowercase());
            let (_, token) = sessions.pair(&typed, HOME, "Firefox".into(), 5).unwrap();
            assert!(sessions.pair(&code, HOME, String::new(), 6).is_err(), "one use");
            assert!(sessions.any());
            token
        };
        let sessions = sessions(folder.path());
        let session = sessions.of_token(&token).unwrap();
        assert_eq!((session.since_ms, session.device.as_str()), (5, "Firefox"));
        sessions.end(&session).unwrap();
        assert!(session.has_ended());
        assert!(sessions.of_token(&token).is_none() && !sessions.any());
    }

    #[test]
    fn five_wrong_tries_are_enough_for_one_network_and_use_nobody_elses_up() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = sessions(folder.path());
        let code = sessions.new_code();
        for _ in 0..4 {
            assert!(sessions.pair("WRONGWRONG", HOME, String::new(), 0).is_err());
        }
        let other = sessions.new_code();
        assert!(sessions.pair(&code, HOME, String::new(), 0).is_err(), "replaced");
        for _ in 0..4 {
            assert!(sessions.pair("WRONGWRONG", HOME, String::new(), 0).is_err());
        }
        assert!(matches!(sessions.pair(&other, HOME, String::new(), 0), Err(NotPaired::TooOften)));
        for network in 0..10_000_u32 {
            let from = IpAddr::from((1 << 24 | network).to_be_bytes());
            assert!(sessions.pair("WRONGWRONG", from, String::new(), 0).is_err());
            let counted = sessions.code.borrow().as_ref().map(|code| code.tries.len());
            assert!(counted.is_some_and(|counted| counted <= MAX_NETWORKS));
        }
        assert!(!sessions.any());
        let elsewhere = IpAddr::from([192, 0, 2, 1]);
        sessions.pair(&other, elsewhere, String::new(), 0).unwrap();
    }

    #[test]
    fn a_device_has_a_name_and_is_known_when_another_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let id = {
            let sessions = sessions(folder.path());
            let (first, _) = sessions.admit(CameBy::Code, "Firefox".into(), 1).unwrap();
            let by = CameBy::Passkey("p".into());
            let (second, _) = sessions.admit(by, "Chrome".into(), 2).unwrap();
            assert!(!first.is_unseen() && second.is_unseen());
            sessions.rename(&second, "Telephone").unwrap();
            second.id.clone()
        };
        {
            let sessions = sessions(folder.path());
            let second = sessions.of_id(&id).unwrap();
            assert!(second.is_unseen() && second.name().as_deref() == Some("Telephone"));
            assert_eq!(second.by, CameBy::Passkey("p".into()));
            sessions.know(&second).unwrap();
        }
        assert!(!sessions(folder.path()).of_id(&id).unwrap().is_unseen());
    }

    #[test]
    fn a_session_of_an_older_program_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let old = br#"{"id":"ab","since_ms":1,"device":"Firefox","last_used_ms":2}"#;
        let door = Door::open(folder.path()).unwrap();
        door.put(&key_of(&[7; 32]), old).unwrap();
        drop(door);
        let sessions = sessions(folder.path());
        let session = sessions.of_id("ab").unwrap();
        assert_eq!((session.by.clone(), session.name()), (CameBy::Code, None));
        assert!(!session.is_unseen());
    }

    #[test]
    fn whoever_comes_in_ever_again_leaves_no_end_of_browsers() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = sessions(folder.path());
        let hour = 3_600_000;
        let (first, _) = sessions.admit(CameBy::Code, String::new(), 0).unwrap();
        sessions.used(&first, 500 * hour);
        let (second, _) = sessions.admit(CameBy::Code, String::new(), hour).unwrap();
        for number in 2..=MAX_SESSIONS {
            let time = i64::try_from(number).unwrap() * hour;
            sessions.admit(CameBy::Code, String::new(), time).unwrap();
        }
        assert_eq!(sessions.list().len(), MAX_SESSIONS);
        assert!(second.has_ended() && !first.has_ended());
    }

    #[test]
    fn an_old_code_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = sessions(folder.path());
        let code = sessions.new_code();
        sessions.code.borrow_mut().as_mut().unwrap().made -= CODE_LIVES;
        assert!(sessions.pair(&code, HOME, String::new(), 0).is_err());
    }

    #[test]
    fn the_door_holds_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = sessions(folder.path());
        let code = sessions.new_code();
        let (_, token) = sessions.pair(&code, HOME, String::new(), 0).unwrap();
        let raw = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
        for (key, value) in sessions.door.prefix(b"").unwrap() {
            for bytes in [key, value] {
                assert!(!bytes.windows(raw.len()).any(|part| part == raw));
                assert!(!bytes.windows(token.len()).any(|part| part == token.as_bytes()));
            }
        }
    }

    /// Runs itself again where the folder is a full disk of its own.
    #[test]
    fn a_last_use_that_cannot_be_kept_harms_nothing() {
        const NAME: &str = "session::tests::a_last_use_that_cannot_be_kept_harms_nothing";
        let Some(folder) = std::env::var_os("HOMETWIN_TEST_DISK") else {
            let folder = tempfile::tempdir().unwrap();
            let shell = "mount -t tmpfs -o size=1m none \"$HOMETWIN_TEST_DISK\" || exit 99; \
                         exec \"$@\"";
            let mut again = std::process::Command::new("unshare");
            again.args(["--user", "--map-root-user", "--mount", "sh", "-c", shell, "sh"]);
            again.arg(std::env::current_exe().unwrap()).args([NAME, "--exact", "--nocapture"]);
            match again.env("HOMETWIN_TEST_DISK", folder.path()).output() {
                Ok(done) if done.status.success() => {
                    let said = String::from_utf8_lossy(&done.stdout).into_owned();
                    assert!(said.contains("1 passed"), "{said}");
                }
                Ok(done) if done.status.code() == Some(101) => {
                    panic!("{}", String::from_utf8_lossy(&done.stdout));
                }
                _ => println!("SKIPPED {NAME}: no mount namespace of our own here"),
            }
            return;
        };
        let folder = Path::new(&folder);
        let sessions = sessions(&folder.join("door"));
        let code = sessions.new_code();
        let (session, token) = sessions.pair(&code, HOME, String::new(), 0).unwrap();
        std::fs::write(folder.join("rest"), vec![0; 2 << 20]).unwrap_err();
        while sessions.door.put(random::<8>().as_slice(), &[0; 2000]).is_ok() {}
        sessions.used(&session, 3 * 3_600_000);
        assert_eq!(session.last_used_ms(), 3 * 3_600_000);
        assert!(sessions.of_token(&token).is_some());
        let code = sessions.door.get(&key_of(&session.hash)).unwrap().unwrap();
        let kept: Kept = serde_json::from_slice(&code).unwrap();
        assert_eq!(kept.last_used_ms, 0, "it was not kept");
    }

    #[test]
    fn devices_are_named_in_two_words() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(device_of(chrome), "Chrome, Linux");
        assert_eq!(device_of("<script>alert(1)</script>"), "");
    }
}
