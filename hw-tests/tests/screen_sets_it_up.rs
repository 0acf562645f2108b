//! Promise: who stands before a machine without a shell is shown how to reach it and sets it up on its
//! own screen, and can do nothing else there.
//!
//! The screen here is a pipe, for it draws the same bytes on every terminal; and once that of a computer,
//! emulated without the help of a processor, that starts from the image.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hw_tests::{Firmware, Image, Machine, Node, Options, Result, Secure, program, until};
use serde_json::{Value, json};

/// A screen and a keyboard at a node.
struct Screen {
    child: Child,
    keys: ChildStdin,
    drawn: Arc<Mutex<Vec<u8>>>,
}

impl Screen {
    fn of(data: &std::path::Path) -> Result<Self> {
        let mut command = Command::new(program()?);
        command.arg("console").arg("--data").arg(data);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (keys, out) = (child.stdin.take(), child.stdout.take());
        let drawn = Arc::new(Mutex::new(Vec::new()));
        let (into, mut out) = (drawn.clone(), out.ok_or("no screen")?);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut bytes) {
                if let Ok(mut drawn) = into.lock() {
                    drawn.extend_from_slice(&bytes[..read]);
                }
            }
        });
        Ok(Self { child, keys: keys.ok_or("no keyboard")?, drawn })
    }

    fn press(&mut self, keys: &str) -> Result<()> {
        Ok(self.keys.write_all(keys.as_bytes())?)
    }

    /// What is on it now.
    fn page(&self) -> String {
        let drawn = self.drawn.lock().map(|drawn| drawn.clone()).unwrap_or_default();
        let text = String::from_utf8_lossy(&drawn);
        text.rsplit("\x1b[2J").next().unwrap_or_default().to_owned()
    }

    /// Waits until this is on it, and gives what follows in that line.
    fn shows(&self, what: &str) -> Result<String> {
        let found = until(what, Duration::from_secs(20), || {
            let page = self.page();
            let found = page.lines().find_map(|line| line.split_once(what));
            Ok(found.map(|(_, rest)| rest.trim().to_owned()))
        });
        found.map_err(|error| format!("{error}; it shows\n{}", self.page()).into())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_shows_the_way_in_and_speaks_the_language_that_is_chosen() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(&Options::default().data(data.path())).unwrap();
    let mut screen = Screen::of(data.path()).unwrap();
    let first = screen.shows("/pair#").unwrap();
    assert_eq!(first.len(), 10, "{first}");
    // A new code: another one, and the one of before is void.
    screen.press("1").unwrap();
    screen.shows("[Enter]").unwrap();
    screen.press("\r").unwrap();
    until("another code", Duration::from_secs(20), || {
        Ok(screen.shows("/pair#").ok().filter(|code| *code != first))
    })
    .unwrap();
    // German is kept; so a second screen begins with it.
    screen.press("3").unwrap();
    screen.shows("[2] Deutsch").unwrap();
    screen.press("2").unwrap();
    screen.shows("Willkommen").unwrap();
    let second = Screen::of(data.path()).unwrap();
    second.shows("Willkommen").unwrap();
    // Somebody comes: both screens say so without being asked, and nobody gets a code any more.
    assert_eq!(node.verb(&["twin", "create", "ann"]).unwrap().code, 0);
    for screen in [&screen, &second] {
        screen.shows("Eine Person hat hier einen Zwilling").unwrap();
        assert!(!screen.page().contains("/pair#"), "{}", screen.page());
    }
    screen.press("2").unwrap();
    screen.shows("ann: http://ann.localhost").unwrap();
}

#[test]
fn nothing_ends_it_and_a_node_that_is_away_is_waited_for() {
    let data = tempfile::tempdir().unwrap();
    let mut screen = Screen::of(data.path()).unwrap();
    screen.shows("The node is starting").unwrap();
    // What would end a program, break out of one, or confuse a terminal.
    screen.press("\x03\x04\x1a\x1c\x1b\x1b[24~\x1bOP9q:!sh\r\u{9b}\x7f\x08\t").unwrap();
    let node = Node::start(&Options::default().data(data.path())).unwrap();
    screen.shows("/pair#").unwrap();
    node.executor().kill().unwrap();
    screen.shows("The node is starting").unwrap();
    assert!(screen.child.try_wait().unwrap().is_none(), "the screen is there");
}

/// For a start, on a machine that does ten other things.
const START: Duration = Duration::from_secs(600);
const MEMORY_MIB: u32 = 256;
const KEY: &str = "this recovery key opens them.";

/// The two halves of a recovery key on a screen.
fn key(screen: &str) -> Vec<String> {
    let is_half = |line: &&str| {
        let groups: Vec<&str> = line.trim_end_matches('-').split('-').collect();
        groups.len() == 4 && groups.iter().all(|group| group.len() == 8)
    };
    screen.lines().map(str::trim).filter(is_half).map(str::to_owned).collect()
}

#[test]
fn a_computers_own_screen_shows_its_key_until_somebody_has_it_and_then_the_way_in() {
    const TEST: &str = "the screen of a computer that starts from the image";
    let Some(image) = Image::for_test(TEST, Image::build).unwrap() else { return };
    let mut machine = Machine::new(&image).unwrap();
    machine.put_tpm(Some(1));
    // Without a keyboard nobody can say that they have the key; so it comes up by itself.
    machine.put_keyboard(false);
    machine.start(Firmware::Bare, MEMORY_MIB).unwrap();
    machine.shows(KEY, START).unwrap();
    let first = key(&machine.screen().unwrap());
    assert_eq!(first.len(), 2, "{}", machine.screen().unwrap());
    machine.shows("https://hometwin.local/pair#", START).unwrap();
    machine.shows("Something needs you: Nobody has the", START).unwrap();
    machine.cut_power();

    // With one, a new key waits for an answer, and only for the right one.
    machine.put_keyboard(true);
    machine.start(Firmware::Bare, MEMORY_MIB).unwrap();
    machine.shows("Type yes when you have written it down", START).unwrap();
    let second = key(&machine.screen().unwrap());
    assert_eq!(second.len(), 2, "{}", machine.screen().unwrap());
    assert_ne!(first, second);
    machine.press("\n").unwrap();
    machine.shows("Type yes when you have written it down:", START).unwrap();
    machine.press("yes\n").unwrap();
    machine.shows("https://hometwin.local/pair#", START).unwrap();
    let screen = machine.screen().unwrap();
    assert_eq!(key(&screen), [""; 0], "who comes by later doesn't see the key");
    assert!(screen.contains("Your node is well."), "{screen}");
    assert!(screen.contains("█▀▀▀▀▀█"), "no code for a phone:\n{screen}");

    // The way in is one, and the screen says who came without being asked.
    let node = Secure::of_host(machine.port(), "hometwin.local").unwrap();
    let claimed = until("an answer at the door", START, || {
        // On a slow machine it is too old before the door opens, and there is another one.
        let code = machine.shows("https://hometwin.local/pair#", START)?;
        let claim = json!({ "code": code, "name": "ann" });
        let (head, body) = node.post("/api/node/1/claim", "", &claim)?;
        Ok(head.starts_with("HTTP/1.1 200").then_some(body))
    })
    .unwrap();
    let claimed: Value = serde_json::from_str(
        claimed.trim_start_matches(|c| c != '{').trim_end_matches(|c| c != '}'),
    )
    .unwrap();
    assert!(claimed["next"].as_str().unwrap().contains("ann-hometwin.local"), "{claimed}");
    machine.shows("One person has a twin here.", START).unwrap();
    machine.press("2").unwrap();
    machine.shows("ann: https://ann-hometwin.local", START).unwrap();
    machine.cut_power();

    // Whoever has the key isn't asked again.
    machine.start(Firmware::Bare, MEMORY_MIB).unwrap();
    machine.shows("One person has a twin here.", START).unwrap();
    println!("third start: {:.0} s of processor time", machine.cpu().as_secs_f64());
}
