//! `hometwin update status|check|get|apply|rollback`: asked of the running node, which asks the one that holds the
//! disk. The bundle is opened by this process, as whoever typed it.
//!
//! Says how far it is while it goes on. Nothing here judges a bundle.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use executor::control::{self, Answer, Update, Verb};
use handover::{Progress, Slots, Step, There};

use crate::arguments::Change;
use crate::run::data_folder;
use crate::say::{Failure, Say};

/// Does it, and says what came of it.
pub(crate) fn update(asked: Change, say: &Say) -> Result<ExitCode, Failure> {
    let folder = data_folder(asked.data)?;
    let file = asked.file.as_ref().map(|path| File::open(path).map_err(Failure::file(path)));
    let file = file.transpose()?;
    let files: Vec<_> = file.iter().map(AsFd::as_fd).collect();
    let ask = || control::ask_with(&folder, &Verb::Update { what: asked.what }, &files);
    let answer = if matches!(asked.what, Update::Apply | Update::Get) && !asked.json {
        meanwhile(&folder, say, ask)?
    } else {
        ask()?
    };
    let answer = answer.ok_or(Failure::NotRunning)?;
    let code = say.answer("", &answer, asked.json);
    if asked.restart && matches!(answer, Answer::Next { .. }) {
        let restart = Verb::Update { what: Update::Restart };
        let answer = control::ask(&folder, &restart)?.ok_or(Failure::NotRunning)?;
        return Ok(say.answer("", &answer, asked.json));
    }
    Ok(code)
}

/// Waits for the answer, and shows every second how far it is.
fn meanwhile<T: Send>(folder: &Path, say: &Say, ask: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let (done, ended) = mpsc::channel::<()>();
        let asking = scope.spawn(move || {
            let answer = ask();
            drop(done);
            answer
        });
        let mut last = None;
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(Duration::from_secs(1)) {
            let progressed = control::ask(folder, &Verb::Update { what: Update::Progress });
            if let Ok(Some(Answer::Progress { progress: Some(now) })) = progressed
                && last != Some(now)
            {
                say.complain(&progress(say, now));
                last = Some(now);
            }
        }
        asking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What is in the slots.
pub(crate) fn slots(say: &Say, slots: &Slots, going: Option<Progress>) {
    let language = say.language();
    let key = if slots.on_trial { "update_on_trial" } else { "update_running" };
    say.print(&language.fill(key, &[("version", &slots.running)]));
    match &slots.other {
        _ if slots.next != slots.running => {
            say.print(&language.fill("update_next", &[("version", &slots.next)]));
        }
        None => say.print(language.text("update_no_other")),
        Some((version, may_start)) => {
            let key = if *may_start { "update_other" } else { "update_other_failed" };
            say.print(&language.fill(key, &[("version", version)]));
        }
    }
    if let Some(going) = going {
        say.print(&progress(say, going));
    }
}

/// What is on the mirror.
pub(crate) fn there(say: &Say, there: &There) {
    let megabytes = there.bytes.div_ceil(1_000_000).to_string();
    let values = [("version", &*there.version), ("here", &there.here), ("megabytes", &megabytes)];
    let key = if there.newer { "update_there" } else { "update_there_not" };
    say.print(&say.language().fill(key, &values));
}

fn progress(say: &Say, progress: Progress) -> String {
    let key = match progress.step {
        Step::Fetch => "update_fetch",
        Step::Check => "update_check",
        Step::Write => "update_write",
        Step::ReadBack => "update_read_back",
    };
    say.language().fill(key, &[("percent", &progress.percent.to_string())])
}

/// The sentence for a reason that the one who holds the disk gives.
pub(crate) fn why(say: &Say, why: &str, text: &str) -> String {
    let key = format!("not_updated_{why}");
    let language = say.language();
    let sentence = language.fill(&key, &[("text", text)]);
    if sentence == key { language.fill("failed", &[("reason", text)]) } else { sentence }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_sentence() {
        for name in executor::steward::REASONS {
            let text = why(&Say::from_environment(), name, "because");
            assert!(!text.contains("not_updated"), "{name}");
            assert_ne!(
                text,
                Say::from_environment().language().fill("failed", &[("reason", "because")])
            );
        }
    }
}
