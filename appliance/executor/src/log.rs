//! What a child writes to its log: taken line by line, named, bounded, and passed on.
//!
//! A child has no way to the node's own log, so it can't write in another's name, steer a terminal,
//! or fill a disk. Never believes what the lines say, but for one thing that a child can only say of
//! itself: that it got no memory.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use handover::Pace;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// Follows one child's log to its end. Answers whether the last line was that it got no memory.
pub(crate) async fn follow(from: OwnedFd, name: String, json: bool) -> bool {
    let Ok(mut from) = Receiver::from_owned_fd(from) else {
        tracing::error!(name, "a process's log can't be followed");
        return false;
    };
    let mut lines = Lines::new(name, json);
    let mut pace = Pace::new(READ_A_SECOND);
    let mut bytes = vec![0; 4096];
    loop {
        // Only who lost lines waits for the second to end, to be told how many.
        let read = match lines.lost {
            0 => from.read(&mut bytes).await,
            _ => match tokio::time::timeout(SECOND, from.read(&mut bytes)).await {
                Ok(read) => read,
                Err(_) => {
                    lines.new_second(Instant::now());
                    continue;
                }
            },
        };
        let Ok(read @ 1..) = read else { break };
        lines.take(bytes.get(..read).unwrap_or_default(), Instant::now());
        // A flood waits in its own pipe.
        let wait = pace.take(u32::try_from(read).unwrap_or(u32::MAX), Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
    lines.end();
    lines.got_no_memory
}

/// One child's lines.
struct Lines {
    name: String,
    json: bool,
    line: Vec<u8>,
    /// Bytes that may still be passed on, and since when.
    left: usize,
    since: Instant,
    lost: u64,
    got_no_memory: bool,
}

impl Lines {
    fn new(name: String, json: bool) -> Self {
        let (line, since) = (Vec::new(), Instant::now());
        Self { name, json, line, left: BURST, since, lost: 0, got_no_memory: false }
    }

    fn take(&mut self, bytes: &[u8], now: Instant) {
        for byte in bytes {
            match byte {
                b'\n' => self.pass_on(now),
                _ if self.line.len() < LONGEST => self.line.push(*byte),
                _ => {}
            }
        }
    }

    fn pass_on(&mut self, now: Instant) {
        let line = std::mem::take(&mut self.line);
        self.got_no_memory =
            line.starts_with(NO_MEMORY) || self.got_no_memory && line.starts_with(b"note: ");
        self.new_second(now);
        match self.left.checked_sub(line.len() + 1) {
            Some(left) => {
                self.left = left;
                write(&self.form(&String::from_utf8_lossy(&line)));
            }
            None => self.lost += 1,
        }
    }

    fn new_second(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.since).as_secs();
        if seconds == 0 {
            return;
        }
        self.since = now;
        let more = usize::try_from(seconds).unwrap_or(usize::MAX).saturating_mul(A_SECOND);
        self.left = self.left.saturating_add(more).min(BURST);
        if self.lost > 0 {
            tracing::warn!(
                process = self.name,
                lines = self.lost,
                "it logs too much: lines left out"
            );
            self.lost = 0;
        }
    }

    fn end(&mut self) {
        if !self.line.is_empty() {
            self.pass_on(Instant::now());
        }
        if self.lost > 0 {
            tracing::warn!(
                process = self.name,
                lines = self.lost,
                "it logs too much: lines left out"
            );
        }
    }

    fn form(&self, line: &str) -> String {
        // A terminal obeys control characters; colours of a child's own logging are not asked for.
        let line: String = line.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        if self.json {
            format!("{}\n", serde_json::json!({ "process": self.name, "line": line }))
        } else {
            format!("{}: {line}\n", self.name)
        }
    }
}

fn write(line: &str) {
    // Where the node's own log can't be written either, nobody can be told.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

const SECOND: Duration = Duration::from_secs(1);
/// Bytes that are read of one child in a second; beyond that its writes wait.
const READ_A_SECOND: u32 = 1 << 20;
/// Bytes that are passed on in a second, and at once after a quiet time.
const A_SECOND: usize = 16 << 10;
const BURST: usize = 256 << 10;
/// The rest of a longer line is left out.
const LONGEST: usize = 8 << 10;
/// What the standard library says before it ends a process that gets no memory.
const NO_MEMORY: &[u8] = b"memory allocation of ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_named_and_can_not_steer_a_terminal() {
        let text = Lines::new("twin-3".into(), false);
        assert_eq!(text.form("a\u{1b}[31mb\r"), "twin-3: a?[31mb?\n");
        let json = Lines::new("twin-3".into(), true);
        assert_eq!(json.form("a \"b\""), "{\"line\":\"a \\\"b\\\"\",\"process\":\"twin-3\"}\n");
    }

    #[test]
    fn only_the_last_words_tell_that_there_was_no_memory() {
        let said = |text: &[u8]| {
            let mut lines = Lines::new("twin-3".into(), false);
            lines.take(text, lines.since);
            lines.end();
            lines.got_no_memory
        };
        assert!(said(b"hello\nmemory allocation of 8388608 bytes failed\n"));
        assert!(said(b"memory allocation of 8388608 bytes failed"));
        assert!(said(b"memory allocation of 8388608 bytes failed\nnote: run with X=1\n"));
        assert!(!said(b"memory allocation of 8388608 bytes failed\nbut it went on\n"));
        assert!(!said(b""));
    }

    #[test]
    fn a_flood_is_bounded_and_counted() {
        let mut lines = Lines::new("twin-3".into(), false);
        let begin = lines.since;
        lines.left = 25;
        lines.take(b"0123456789\n0123456789\n0123456789\n01", begin);
        assert_eq!((lines.left, lines.lost, lines.line.len()), (3, 1, 2));
        lines.new_second(begin + SECOND);
        assert_eq!((lines.left, lines.lost), (3 + A_SECOND, 0));
        lines.take(&vec![b'x'; 3 * LONGEST], begin + SECOND);
        assert_eq!(lines.line.len(), LONGEST);
    }
}
