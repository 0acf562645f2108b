//! `hometwin preview` and `hometwin text`: a worker of the running node reads a foreign file, here and
//! now, as a twin's files are read.
//!
//! Files are opened by this process, as whoever typed it; the node gets them open and by no name. The
//! result is no more trusted than the file: a text is shown without what could steer a terminal.

use std::fs::{File, Permissions};
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use executor::control::{self, Answer};
use handover::{Cannot, Made, Task};
use serde_json::json;

use crate::arguments::Work;
use crate::run::data_folder;
use crate::say::{Failure, Say};

/// Has it done, and says what came of it.
pub(crate) fn work(asked: Work, say: &Say) -> Result<ExitCode, Failure> {
    let folder = data_folder(asked.data)?;
    let input = File::open(&asked.file).map_err(Failure::file(&asked.file))?;
    let result = Target::new(asked.out)?;
    let verb = control::Verb::Work { task: asked.task };
    let files = [input.as_fd(), result.file().as_fd()];
    let answer = control::ask_with(&folder, &verb, &files)?.ok_or(Failure::NotRunning)?;
    let Answer::Made { made } = answer else { return Ok(say.answer("", &answer, asked.json)) };
    let text = match asked.task {
        Task::Text if result.is_throw_away() => Some(printable(result.file())?),
        Task::Text | Task::Preview { .. } => None,
    };
    result.keep()?;
    if asked.json {
        let mut said = json!({ "answer": "made", "made": made });
        if let Some(text) = text {
            said["text"] = text.into();
        }
        say.print(&said.to_string());
    } else if let Some(text) = text {
        say.print(text.trim_end());
        if made.cut {
            say.complain(say.language().text("text_cut"));
        }
    } else {
        say.print(&told(say, &made));
    }
    Ok(ExitCode::SUCCESS)
}

fn told(say: &Say, made: &Made) -> String {
    let (width, height) = made.size.unwrap_or_default();
    let (width, height) = (width.to_string(), height.to_string());
    let bytes = made.bytes.to_string();
    match made.size {
        Some(_) => {
            let values = [("width", &*width), ("height", &*height), ("bytes", &*bytes)];
            say.language().fill("preview_made", &values)
        }
        None => say.language().fill("text_made", &[("bytes", &*bytes)]),
    }
}

/// The message and the exit code of what can't be made.
pub(crate) fn cannot(why: Cannot) -> (String, u8) {
    let code = match why {
        Cannot::Damaged
        | Cannot::Locked
        | Cannot::NoPoster
        | Cannot::NotKnown
        | Cannot::TooLarge => 8,
        Cannot::Stopped | Cannot::TooSlow => 9,
        Cannot::Busy => 3,
        Cannot::Unreadable | Cannot::Unwritable => 1,
    };
    (format!("cannot_{}", why.name()), code)
}

/// The worker may have been taken over by what it read, and this goes to a terminal.
fn printable(mut file: &File) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(Failure::inside)?;
    let steers = |letter: &char| letter.is_control() && !matches!(letter, '\n' | '\t');
    Ok(String::from_utf8_lossy(&bytes).chars().filter(|letter| !steers(letter)).collect())
}

/// The file that the worker writes: under its name only when it is complete.
enum Target {
    Kept { file: tempfile::NamedTempFile, path: PathBuf },
    ThrowAway(File),
}

impl Target {
    fn new(path: Option<PathBuf>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self::ThrowAway(tempfile::tempfile().map_err(Failure::inside)?));
        };
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let made = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o666)) // less what the umask takes
            .tempfile_in(folder.unwrap_or(Path::new(".")));
        Ok(Self::Kept { file: made.map_err(Failure::file(&path))?, path })
    }

    fn file(&self) -> &File {
        match self {
            Self::Kept { file, .. } => file.as_file(),
            Self::ThrowAway(file) => file,
        }
    }

    fn is_throw_away(&self) -> bool {
        matches!(self, Self::ThrowAway(_))
    }

    fn keep(self) -> Result<(), Failure> {
        match self {
            Self::Kept { file, path } => {
                file.persist(&path).map(drop).map_err(|e| Failure::file(&path)(e.error))
            }
            Self::ThrowAway(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use twin::messages::Messages;

    use super::*;

    #[test]
    fn every_reason_has_its_sentence() {
        let shipped = include_str!("../messages/en.json");
        let messages = Messages::parse(&[("en", shipped)]).unwrap();
        for why in Cannot::ALL {
            let (key, code) = cannot(why);
            assert_ne!(messages.of_locale("en").text(&key), key);
            assert_ne!(code, 0);
        }
    }
}
