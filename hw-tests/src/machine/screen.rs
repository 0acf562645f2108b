//! What an emulated machine has on its own screen, and its own keyboard.
//!
//! Only as long as the screen is in text mode, as without UEFI: then its letters lie in memory.

use std::time::Duration;

use super::Machine;
use crate::{Result, stick, until};

impl Machine {
    /// The 25 lines on its screen.
    ///
    /// # Errors
    /// If the emulator doesn't say.
    pub fn screen(&self) -> Result<String> {
        let folder = self.folder.path();
        let save = format!(
            r#"{{"execute":"pmemsave","arguments":{{"val":{MEMORY},"size":{BYTES},"filename":"/here/letters"}}}}"#
        );
        let register = |number| {
            format!(
                r#"{{"execute":"human-monitor-command","arguments":{{"command-line":"i /b 0x3d4.{number}"}}}}"#
            )
        };
        let asked = [register(12), register(13), save];
        let said = stick::ask(&folder.join("control"), &asked)?;
        // Where the screen begins: the kernel moves that on instead of moving the lines up.
        let mut start = 0;
        for said in &said[..2] {
            let hex = said.rsplit("0x").next().unwrap_or_default();
            let hex: String = hex.chars().take_while(char::is_ascii_hexdigit).collect();
            start = start << 8 | usize::from_str_radix(&hex, 16)?;
        }
        let cells = std::fs::read(folder.join("letters"))?;
        let cells = cells.chunks(2).cycle().skip(start % (BYTES / 2)).take(COLUMNS * LINES);
        let letters = cells.map(|cell| letter(cell.first().copied().unwrap_or(b' ')));
        let letters: Vec<char> = letters.collect();
        let lines = letters.chunks(COLUMNS).map(|line| line.iter().collect::<String>());
        Ok(lines.map(|line| line.trim_end().to_owned() + "\n").collect())
    }

    /// Waits until this is on its screen, and gives what follows in that line.
    ///
    /// # Errors
    /// If it isn't in time; says what is.
    pub fn shows(&self, what: &str, limit: Duration) -> Result<String> {
        let found = until(what, limit, || {
            // It is looked at from outside; that costs the machine, so not all the time.
            std::thread::sleep(Duration::from_millis(300));
            let screen = self.screen()?;
            let found = screen.lines().find_map(|line| line.split_once(what));
            Ok(found.map(|(_, rest)| rest.trim().to_owned()))
        });
        let screen = || self.screen().unwrap_or_default();
        found.map_err(|error| format!("{error}; the screen shows\n{}", screen()).into())
    }

    /// Presses keys of its own keyboard: small letters, digits, `/`, and Enter.
    ///
    /// # Errors
    /// If the emulator doesn't take them.
    pub fn press(&self, keys: &str) -> Result<()> {
        let key = |key: char| {
            let name = match key {
                '\n' => "ret".to_owned(),
                '/' => "slash".to_owned(),
                other => other.to_string(),
            };
            format!(
                r#"{{"execute":"send-key","arguments":{{"keys":[{{"type":"qcode","data":"{name}"}}]}}}}"#
            )
        };
        for one in keys.chars() {
            stick::ask(&self.folder.path().join("control"), &[key(one)])?;
            // A key is held for a tenth of a second, and none is pressed meanwhile.
            std::thread::sleep(Duration::from_millis(250));
        }
        Ok(())
    }
}

/// As the screen's own font has it: what the console draws, at least.
fn letter(code: u8) -> char {
    match code {
        0 | 0xff => ' ',
        0x81 => 'ü',
        0x84 => 'ä',
        0x8e => 'Ä',
        0x94 => 'ö',
        0x99 => 'Ö',
        0x9a => 'Ü',
        0xe1 => 'ß',
        0xdb => '█',
        0xdc => '▄',
        0xdf => '▀',
        0x20..0x7f => char::from(code),
        _ => '?',
    }
}

const MEMORY: u32 = 0xb_8000;
const BYTES: usize = 32 << 10;
const COLUMNS: usize = 80;
const LINES: usize = 25;
