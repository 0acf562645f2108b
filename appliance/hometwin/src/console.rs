//! `hometwin console`: what the machine's own screen shows, and what its keyboard does.
//!
//! ```text
//! keys ── console/keys.rs ── page ── verb ──> the node's console socket ──> node
//! screen <── console/paper.rs ── page <── what the node shows; it answers when that changes
//! ```
//!
//! One page is open at a time; each is a file below `console/`, and the menu (`console/menu.rs`) lists
//! them. There is no shell behind it and no login before it: it may ask what somebody may who stands
//! before the machine, and the node checks that. It holds no state, and wakes for keys and news only.

mod code;
mod field;
mod home;
mod keys;
mod layout;
mod menu;
mod name;
mod network;
pub(crate) mod paper;
mod people;
mod restart;
mod style;
mod terminal;

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use executor::control::{self, Answer, Begun, Verb};
use executor::screen::Screen;
use rustix::event::{PollFd, PollFlags, Timespec};
use twin::messages::Language;

use self::keys::{Key, Keys};
use self::terminal::Terminal;
use crate::say::{Failure, Say};

/// Where systemd listens for it, on behalf of the node.
const SOCKET: &str = "/run/hometwin/console.sock";

/// One page of the console.
trait Page {
    /// It was opened.
    fn opened(&mut self) -> Step {
        Step::Stay
    }
    /// Its lines, below the title and above what keys do.
    fn draw(&self, seen: &Seen, language: Language<'_>) -> Vec<String>;
    /// Somebody pressed a key that is not the way back.
    fn key(&mut self, key: Key, seen: &Seen) -> Step;
    /// What the node says to what this page asked.
    fn answered(&mut self, _answer: Answer) -> Step {
        Step::Stay
    }
}

/// What a page wants after a key.
enum Step {
    Stay,
    Back,
    Open(Box<dyn Page>),
    /// Asks the node; the page is told the answer.
    Ask(Verb),
}

/// What the node shows, and what it complains about.
#[derive(Debug, Default)]
struct Seen {
    /// None while the node isn't there.
    screen: Option<Screen>,
    /// The most pressing problem's title.
    trouble: Option<String>,
    /// What the last thing that was asked came to, if it went wrong.
    note: Option<String>,
}

/// Serves the terminal that it was started on, until that ends.
pub(crate) fn console(data: Option<PathBuf>, say: &Say) -> Result<ExitCode, Failure> {
    let socket = data.map_or_else(|| SOCKET.into(), |folder| folder.join("control.sock"));
    let terminal = Terminal::open().map_err(Failure::inside)?;
    let pages: Vec<Box<dyn Page>> = vec![Box::new(home::Home)];
    let console =
        Console { socket, terminal, say: say.in_language(""), seen: Seen::default(), pages };
    console.serve()
}

struct Console {
    socket: PathBuf,
    terminal: Terminal,
    say: Say,
    seen: Seen,
    /// The last one is open; the first one always stays.
    pages: Vec<Box<dyn Page>>,
}

impl Console {
    fn serve(mut self) -> Result<ExitCode, Failure> {
        let mut keys = Keys::default();
        loop {
            let number = self.seen.screen.as_ref().map_or(0, |screen| screen.number);
            let news = begin(&self.socket, &Verb::Screen { known: number });
            if news.is_none() && self.seen.screen.take().is_some() || number == 0 {
                self.draw();
            }
            match self.wait(news.as_ref())? {
                Happened::Nothing => {}
                Happened::News => self.hear(news),
                Happened::Bytes(bytes) if bytes.is_empty() => return Ok(ExitCode::SUCCESS),
                Happened::Bytes(bytes) => {
                    for key in keys.read(&bytes) {
                        self.press(key);
                    }
                    self.draw();
                }
            }
        }
    }

    /// Waits for keys and for news; without a node for as long as one may take to come.
    fn wait(&self, news: Option<&Begun>) -> Result<Happened, Failure> {
        let stdin = io::stdin();
        let mut polled = vec![PollFd::new(&stdin, PollFlags::IN)];
        if let Some(news) = news {
            polled.push(PollFd::from_borrowed_fd(news.as_fd(), PollFlags::IN));
        }
        let patience = news.is_none().then_some(PATIENCE);
        match rustix::event::poll(&mut polled, patience.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::inside(io::Error::from(error))),
        }
        let ready = |at: usize| polled.get(at).is_some_and(|one| !one.revents().is_empty());
        if ready(0) {
            return Ok(Happened::Bytes(self.terminal.read().map_err(Failure::inside)?));
        }
        Ok(if ready(1) { Happened::News } else { Happened::Nothing })
    }

    fn hear(&mut self, news: Option<Begun>) {
        self.seen.screen = match news.map(Begun::answer) {
            Some(Ok(Answer::Screen { screen })) => Some(screen),
            Some(_) | None => None,
        };
        if let Some(screen) = &self.seen.screen {
            self.say = self.say.in_language(style::tag(screen.style.language));
            self.terminal.set_keyboard(screen.style.keyboard);
        }
        self.seen.trouble = match self.ask(&Verb::Health) {
            Some(Answer::Health { troubles }) => {
                troubles.first().map(|trouble| crate::health::title(&self.say, trouble))
            }
            Some(_) | None => None,
        };
        self.draw();
    }

    fn press(&mut self, key: Key) {
        self.seen.note = None;
        let Some(page) = self.pages.last_mut() else { return };
        let step = if key == Key::Escape {
            Step::Back
        } else {
            page.key(self.terminal.typed(key), &self.seen)
        };
        self.take(step, DEEPEST);
    }

    fn take(&mut self, step: Step, left: u8) {
        match step {
            Step::Stay => {}
            Step::Back if self.pages.len() > 1 => drop(self.pages.pop()),
            Step::Back => {}
            Step::Open(mut page) => {
                let step = page.opened();
                self.pages.push(page);
                self.take(step, left);
            }
            Step::Ask(verb) => {
                let answer = self.ask(&verb);
                self.seen.note = self.refused(answer.as_ref());
                if let (Some(answer), Some(page), 1..) = (answer, self.pages.last_mut(), left) {
                    let step = page.answered(answer);
                    self.take(step, left - 1);
                }
            }
        }
    }

    fn ask(&self, verb: &Verb) -> Option<Answer> {
        begin(&self.socket, verb).and_then(|asked| asked.answer().ok())
    }

    /// What to tell when something that was asked was not done.
    fn refused(&self, answer: Option<&Answer>) -> Option<String> {
        match answer {
            Some(answer) => self.say.why_not(answer),
            None => Some(self.say.language().text("console_no_node").to_owned()),
        }
    }

    fn draw(&self) {
        let Some(page) = self.pages.last() else { return };
        let language = self.say.language();
        let mut lines = vec![paper::title(&self.seen, language), String::new()];
        lines.extend(page.draw(&self.seen, language));
        if let Some(note) = &self.seen.note {
            lines.push(String::new());
            lines.extend(paper::wrap(note, self.terminal.width()));
        }
        lines.push(String::new());
        let keys = if self.pages.len() > 1 {
            language.text("console_back").to_owned()
        } else {
            menu::line(&self.seen, language)
        };
        lines.extend(paper::wrap(&keys, self.terminal.width()));
        self.terminal.show(&lines);
    }
}

enum Happened {
    Nothing,
    News,
    /// None: the terminal ended.
    Bytes(Vec<u8>),
}

fn begin(socket: &Path, verb: &Verb) -> Option<Begun> {
    control::begin(socket, verb, &[]).ok().flatten()
}

/// How long a node that isn't there is not asked for again.
const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// How often an answer may lead to the next question.
const DEEPEST: u8 = 4;
