//! The terminal: keys as they are pressed, and a screen that is drawn anew as a whole.
//!
//! It asks for nothing that not every terminal can: the kernel's own screen and a serial cable do.

use std::io::{self, IsTerminal, Write};

use executor::screen::Keyboard;
use rustix::termios::{self, LocalModes, OptionalActions, Termios};

use super::keys::Key;
use super::layout;
use crate::keyboard;

/// What is drawn on, and given back as it was.
pub(super) struct Terminal {
    before: Option<Termios>,
    /// The far end of a cable has a keyboard that knows itself.
    serial: bool,
    keyboard: Keyboard,
}

impl Terminal {
    /// Takes the terminal that this process was started on.
    pub(super) fn open() -> io::Result<Self> {
        let stdin = io::stdin();
        let mut before = None;
        if stdin.is_terminal() {
            let now = termios::tcgetattr(&stdin)?;
            let mut keys = now.clone();
            // Keys at once and unseen, and none that ends a program. What is drawn stays as it is.
            keys.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
            termios::tcsetattr(&stdin, OptionalActions::Now, &keys)?;
            before = Some(now);
        }
        Ok(Self { before, serial: keyboard::is_serial(), keyboard: Keyboard::default() })
    }

    pub(super) fn set_keyboard(&mut self, keyboard: Keyboard) {
        self.keyboard = keyboard;
    }

    /// The key as it is printed on this keyboard.
    pub(super) fn typed(&self, key: Key) -> Key {
        if let (Key::Letter(letter), false) = (key, self.serial) {
            Key::Letter(layout::printed(letter, self.keyboard))
        } else {
            key
        }
    }

    /// What was typed; nothing when the terminal is gone.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = [0; 256];
        match rustix::io::read(io::stdin(), &mut bytes) {
            Ok(read) => Ok(bytes.get(..read).unwrap_or_default().to_vec()),
            // It was hung up.
            Err(rustix::io::Errno::IO) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Columns; a serial cable doesn't say how many there are.
    pub(super) fn width(&self) -> usize {
        let size = termios::tcgetwinsize(io::stdout());
        let width = size.map_or(0, |size| usize::from(size.ws_col));
        if width < NARROWEST { USUAL } else { width }
    }

    /// Draws these lines and nothing else. A terminal that is gone is noticed by the next key.
    pub(super) fn show(&self, lines: &[String]) {
        let mut text = String::from("\x1b[0m\x1b[H\x1b[2J");
        for line in lines {
            text.push_str(line);
            text.push_str("\r\n");
        }
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

const USUAL: usize = 80;
const NARROWEST: usize = 40;
