//! `hometwin open-data`: what the image starts first, so that there is a place for data; and what it
//! says on the console to whoever stands there.
//!
//! The work itself is in `disks`. Never started by a person.

use std::io::{self, BufRead};
use std::process::ExitCode;

use disks::data::{self, Person};
use disks::{Disk, Disks, RecoveryKey, Step, install};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{QueueSelector, tcflush};

use crate::console::paper;
use crate::keyboard;
use crate::say::{Failure, Say};

/// Opens the machine's data.
pub(crate) fn open(say: &Say) -> Result<ExitCode, Failure> {
    if std::env::var_os("INVOCATION_ID").is_none() {
        return Err(Failure::StartedByHand);
    }
    let mut console = Console { say, shown: 0 };
    data::open(&Disks::of_machine(), &mut console).map_err(Failure::inside)?;
    Ok(ExitCode::SUCCESS)
}

/// The screen and keyboard of the machine.
struct Console<'a> {
    say: &'a Say,
    /// The percent that were shown last.
    shown: u64,
}

impl Console<'_> {
    fn tell(&self, key: &str, values: &[(&str, &str)]) {
        let text = self.say.language().fill(key, values);
        self.say.print(&paper::wrap(&text, WIDTH).join("\n"));
    }

    /// A line that somebody types; none if nobody does for so long.
    fn line(seconds: Option<i64>) -> io::Result<Option<String>> {
        let stdin = io::stdin();
        let limit = seconds.map(|seconds| Timespec { tv_sec: seconds, tv_nsec: 0 });
        if poll(&mut [PollFd::new(&stdin, PollFlags::IN)], limit.as_ref())? == 0 {
            return Ok(None);
        }
        let mut line = String::new();
        if stdin.lock().read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(line.trim().to_owned()))
    }

    /// Erasing is asked for twice: once in a word, once by the disk's own name.
    fn means_it(&self, disk: &Disk) -> bool {
        let title = disk.title();
        self.tell("install.sure", &[("disk", &title)]);
        let yes = self.say.language().text("install.yes");
        let typed = || Self::line(None).ok().flatten().unwrap_or_default().to_lowercase();
        if !is_word(&typed(), yes) {
            return false;
        }
        self.tell("install.name", &[("disk", &title), ("name", &disk.name)]);
        typed() == disk.name
    }
}

impl Person for Console<'_> {
    fn can_answer(&self) -> bool {
        keyboard::is_there()
    }

    fn told_key(&mut self, key: &RecoveryKey) -> bool {
        // What making the data said stands on the screen, and nobody has to read it.
        self.say.print(CLEARED);
        // Two lines, so that it fits the smallest screen.
        let (first, second) = key.text().split_at(36);
        let lines = [("first", first.trim_end_matches('-')), ("second", second)];
        self.tell("data.key", &lines);
        // What was typed before it was there is no answer to it.
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
        let patience = if self.can_answer() { PATIENCE_KEY } else { PATIENCE };
        self.tell("data.key_kept", &[("minutes", &(patience / 60).to_string())]);
        let yes = self.say.language().text("install.yes");
        loop {
            match Self::line(Some(patience)) {
                Ok(Some(line)) if is_word(&line.to_lowercase(), yes) => break,
                Ok(Some(_)) => self.tell("data.key_kept_how", &[]),
                Ok(None) | Err(_) => {
                    self.tell("data.key_later", &[]);
                    return false;
                }
            }
        }
        // Nobody who comes by later reads it there.
        self.say.print(CLEARED);
        true
    }

    fn told_no_key(&mut self, error: &data::Error) {
        let reason = crate::say::chain(error);
        self.tell("data.key_failed", &[("reason", &reason)]);
    }

    fn told_plain(&mut self) {
        self.tell("data.plain", &[]);
    }

    fn ask_key(&mut self, wrong: bool) -> io::Result<RecoveryKey> {
        self.tell(if wrong { "data.key_wrong" } else { "data.key_ask" }, &[]);
        loop {
            let line = Self::line(None)?.unwrap_or_default();
            if let Some(key) = RecoveryKey::read(&line) {
                return Ok(key);
            }
            self.tell("data.key_none", &[]);
        }
    }

    fn told_open(&mut self, bound: bool) {
        self.tell(if bound { "data.open_bound" } else { "data.open" }, &[]);
    }

    fn choose(&mut self, own: &Disk, places: &[Disk]) -> Option<Disk> {
        loop {
            self.tell("install.try", &[("stick", &own.title())]);
            for (number, disk) in (2..).zip(places) {
                let values = [("number", number.to_string()), ("disk", disk.title())];
                self.tell(
                    "install.on",
                    &values.each_ref().map(|(key, text)| (*key, text.as_str())),
                );
            }
            self.tell("install.ask", &[("seconds", &PATIENCE.to_string())]);
            let line = Self::line(Some(PATIENCE)).ok()??;
            let number = line.parse::<usize>().ok();
            match number.and_then(|number| number.checked_sub(1)) {
                Some(0) => return None,
                Some(at) if at <= places.len() => {
                    let disk = places.get(at - 1)?;
                    if self.means_it(disk) {
                        return Some(disk.clone());
                    }
                    self.tell("install.not", &[]);
                }
                Some(_) | None => self.tell("install.none", &[]),
            }
        }
    }

    fn told_step(&mut self, step: Step) {
        let (key, done, all) = match step {
            Step::Written(done, all) => ("install.written", done, all),
            Step::Verified(done, all) => ("install.verified", done, all),
        };
        let percent = done * 100 / all.max(1);
        if percent.abs_diff(self.shown) >= 10 {
            self.shown = percent;
            self.tell(key, &[("percent", &percent.to_string())]);
        }
    }

    fn told_installed(&mut self, on: &Disk, done: Result<(), install::Error>) {
        let title = on.title();
        match done {
            Ok(()) => self.tell("install.done", &[("disk", &title)]),
            Err(error) => {
                let reason = crate::say::chain(&error);
                self.tell("install.failed", &[("disk", &title), ("reason", &reason)]);
            }
        }
        let _ = Self::line(None);
    }

    fn told_repaired(&mut self) {
        self.tell("data.repaired", &[]);
    }
}

/// Whether somebody typed this word, also on a German keyboard: no layout is known yet, and the kernel
/// takes every keyboard for an American one, which has Y and Z the other way round.
fn is_word(typed: &str, word: &str) -> bool {
    let german = word.chars().map(|c| match c {
        'y' => 'z',
        'z' => 'y',
        c => c,
    });
    typed == word || typed.chars().eq(german)
}

/// An empty screen, also above its upper edge.
const CLEARED: &str = "\x1b[H\x1b[2J\x1b[3J";
/// Of the smallest screen: nothing is known of the one that is there.
const WIDTH: usize = 79;
/// Seconds: a box that lives on a stick comes back after a power cut, if a little later; and a screen
/// without a keyboard can be photographed.
const PATIENCE: i64 = 60;
/// Seconds, for paper and pencil, from each key on. A receiver without its keyboard is a keyboard too.
const PATIENCE_KEY: i64 = 300;

#[cfg(test)]
mod tests {
    use super::is_word;

    #[test]
    fn a_word_is_understood_from_american_and_german_keyboards() {
        for (typed, word, same) in [
            ("yes", "yes", true),
            ("zes", "yes", true),
            ("ye", "yes", false),
            ("yess", "yes", false),
            ("", "yes", false),
        ] {
            assert_eq!(is_word(typed, word), same, "{typed}");
        }
    }
}
