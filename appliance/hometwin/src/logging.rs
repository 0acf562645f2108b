//! Logs, by `tracing`, to standard error: text or JSON lines, for operators.
//!
//! What people keep or say, and secrets, are never in them.

use std::str::FromStr;

use tracing::Level;

/// How to log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logging {
    pub(crate) level: Level,
    pub(crate) format: Format,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    Json,
    Text,
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: Level::WARN, format: Format::Text }
    }
}

impl Logging {
    /// What the environment says; the command line may say otherwise.
    pub(crate) fn from_environment() -> Self {
        let usual = Self::default();
        let read = |name| std::env::var(name).ok();
        Self {
            level: read(LEVEL).and_then(|level| level.parse().ok()).unwrap_or(usual.level),
            format: read(FORMAT).and_then(|format| format.parse().ok()).unwrap_or(usual.format),
        }
    }

    /// The variables that make another process log the same way.
    pub(crate) fn environment(self) -> Vec<(String, String)> {
        let format = match self.format {
            Format::Json => "json",
            Format::Text => "text",
        };
        vec![(LEVEL.to_owned(), self.level.to_string()), (FORMAT.to_owned(), format.to_owned())]
    }

    /// Starts logging in this process.
    pub(crate) fn start(self) {
        let terminal = rustix::termios::isatty(std::io::stderr());
        let lines = tracing_subscriber::fmt()
            .with_max_level(self.level)
            .with_writer(std::io::stderr)
            .with_ansi(terminal && self.format == Format::Text);
        match self.format {
            Format::Json => lines.json().init(),
            Format::Text => lines.init(),
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(format!("{text}: text, json")),
        }
    }
}

const LEVEL: &str = "HOMETWIN_LOG";
const FORMAT: &str = "HOMETWIN_LOG_FORMAT";
