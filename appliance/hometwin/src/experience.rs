//! `hometwin experience ...`: an author's tools. A folder is begun, checked, packed with a twin's
//! signature, installed, and tried out by two people while it is being written.
//!
//! It reads the author's folder as whoever typed it, and writes nothing into it. Twins get packages
//! open and by no name, and judge them as anybody's.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use executor::control::{self, Answer};
use handover::PackageAct;
use serde_json::json;
use twin::package::{self, Flaw, Folder, MANIFEST};

use crate::arguments::{Experience, ExperienceVerb as Verb, Run};
use crate::logging::Logging;
use crate::run::{self, data_folder};
use crate::say::{Failure, Say};

/// Does what was typed.
pub(crate) fn experience(
    asked: &Experience,
    logging: &Logging,
    say: &Say,
) -> Result<ExitCode, Failure> {
    match &asked.what {
        Verb::New { folder } => begin(folder, say),
        Verb::Check { folder } => {
            let read = read(folder)?;
            let flaws = package::check(&read);
            tell(&flaws, folder, asked.json, say);
            if flaws.is_empty() && !asked.json {
                let values = [("folder", &*folder.display().to_string())];
                say.print(&say.language().fill("experience_sound", &values));
            }
            Ok(ExitCode::from(if flaws.is_empty() { 0 } else { BAD }))
        }
        Verb::Pack { folder, twin, out } => pack(asked, folder, twin, out.as_deref(), say),
        Verb::Install { package, twin } => install(asked, package, twin, say),
        Verb::Dev { folder } => dev(folder, logging, say),
    }
}

/// Writes a small experience that works into a new folder.
fn begin(folder: &Path, say: &Say) -> Result<ExitCode, Failure> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !package::is_name(name) {
        say.complain(&say.language().fill("experience_name", &[("name", name)]));
        return Ok(ExitCode::from(2));
    }
    std::fs::create_dir(folder).map_err(Failure::file(folder))?;
    std::fs::create_dir(folder.join("messages")).map_err(Failure::file(folder))?;
    for (path, text) in START {
        let path = folder.join(path);
        let text = text.replace("my-list", name);
        let mut file = File::create_new(&path).map_err(Failure::file(&path))?;
        file.write_all(text.as_bytes()).map_err(Failure::file(&path))?;
    }
    let values = [("folder", &*folder.display().to_string())];
    say.print(&say.language().fill("experience_new", &values));
    Ok(ExitCode::SUCCESS)
}

fn pack(
    asked: &Experience,
    folder: &Path,
    twin: &str,
    out: Option<&Path>,
    say: &Say,
) -> Result<ExitCode, Failure> {
    let unsigned = match package::pack(&read(folder)?) {
        Ok(unsigned) => unsigned,
        Err(flaws) => {
            tell(&flaws, folder, asked.json, say);
            return Ok(ExitCode::from(BAD));
        }
    };
    let data = data_folder(asked.data.clone())?;
    let (answer, file) = ask(&data, twin, PackageAct::Sign, &unsigned)?;
    let Answer::Experience { text } = &answer else {
        return Ok(say.answer(twin, &answer, asked.json));
    };
    let usual = || PathBuf::from(format!("{}.experience", text.replace(' ', "-")));
    let path = out.map_or_else(usual, Path::to_owned);
    let mut target = File::create(&path).map_err(Failure::file(&path))?;
    let mut signed = file;
    signed.rewind().map_err(Failure::inside)?;
    std::io::copy(&mut signed, &mut target).map_err(Failure::file(&path))?;
    let path = path.display().to_string();
    if asked.json {
        say.print(&json!({ "answer": "packed", "experience": text, "path": path }).to_string());
    } else {
        let values = [("experience", text.as_str()), ("path", &path), ("name", twin)];
        say.print(&say.language().fill("experience_packed", &values));
    }
    Ok(ExitCode::SUCCESS)
}

/// Installs a package; a folder is packed and signed by the same twin first.
fn install(asked: &Experience, from: &Path, twin: &str, say: &Say) -> Result<ExitCode, Failure> {
    let data = data_folder(asked.data.clone())?;
    let bytes = if from.is_dir() {
        let unsigned = match package::pack(&read(from)?) {
            Ok(unsigned) => unsigned,
            Err(flaws) => {
                tell(&flaws, from, asked.json, say);
                return Ok(ExitCode::from(BAD));
            }
        };
        let (answer, mut file) = ask(&data, twin, PackageAct::Sign, &unsigned)?;
        let Answer::Experience { .. } = answer else {
            return Ok(say.answer(twin, &answer, asked.json));
        };
        let mut signed = Vec::new();
        file.rewind().map_err(Failure::inside)?;
        std::io::Read::read_to_end(&mut file, &mut signed).map_err(Failure::inside)?;
        signed
    } else {
        std::fs::read(from).map_err(Failure::file(from))?
    };
    let (answer, _) = ask(&data, twin, PackageAct::Install, &bytes)?;
    Ok(say.answer(twin, &answer, asked.json))
}

/// Has a twin of the running node do something with a package.
fn ask(data: &Path, twin: &str, act: PackageAct, bytes: &[u8]) -> Result<(Answer, File), Failure> {
    let mut file = tempfile::tempfile().map_err(Failure::inside)?;
    file.write_all(bytes).map_err(Failure::inside)?;
    let verb = control::Verb::Experience { name: twin.to_owned(), act };
    let answer = control::ask_with(data, &verb, &[file.as_fd()])?;
    Ok((answer.ok_or(Failure::NotRunning)?, file))
}

/// A node that is thrown away, with two people who have the experience as it is now: whatever is saved
/// in the folder is shown with the next loading of the page.
fn dev(folder: &Path, logging: &Logging, say: &Say) -> Result<ExitCode, Failure> {
    let flaws = package::check(&read(folder)?);
    if !flaws.is_empty() {
        tell(&flaws, folder, false, say);
        return Ok(ExitCode::from(BAD));
    }
    let data =
        tempfile::Builder::new().prefix("hometwin-dev-").tempdir().map_err(Failure::inside)?;
    let (watched, path) = (folder.to_owned(), data.path().to_owned());
    let told = Say::from_environment();
    // It ends with the process; the node is this process's own work.
    std::thread::spawn(move || watch(&watched, &path, &told));
    let people = PEOPLE.map(str::to_owned).to_vec();
    let run = Run {
        data: Some(data.path().to_owned()),
        listen: Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0))),
        people,
        sleep_after: Some(None),
        tries: true,
        ..Run::default()
    };
    let done = run::run(run, logging, say);
    data.close().map_err(Failure::inside)?;
    done
}

/// Shows the folder to both people, again whenever something in it was saved.
fn watch(folder: &Path, data: &Path, say: &Say) {
    let mut shown: Option<Folder> = None;
    let mut complained = false;
    loop {
        let begun = Instant::now();
        if let Ok(now) = read(folder)
            && shown.as_ref() != Some(&now)
        {
            match package::pack(&now) {
                Ok(unsigned) => {
                    let took = PEOPLE.map(|name| ask(data, name, PackageAct::Try, &unsigned).ok());
                    let all = took
                        .iter()
                        .flatten()
                        .filter(|(answer, _)| matches!(answer, Answer::Experience { .. }));
                    if all.count() == PEOPLE.len() {
                        say.print(say.language().text("experience_shown"));
                        (shown, complained) = (Some(now), false);
                    }
                }
                Err(flaws) if !complained => {
                    tell(&flaws, folder, false, say);
                    complained = true;
                }
                Err(_) => {}
            }
        }
        std::thread::sleep(LOOK_EVERY.saturating_sub(begun.elapsed()));
    }
}

fn read(folder: &Path) -> Result<Folder, Failure> {
    package::read_folder(folder).map_err(Failure::file(folder))
}

/// One line for each flaw, as compilers have it.
fn tell(flaws: &[Flaw], folder: &Path, as_json: bool, say: &Say) {
    for Flaw { path, line, what, about } in flaws {
        if as_json {
            let flaw = json!({ "path": path, "line": line, "what": what.name(), "about": about });
            say.print(&flaw.to_string());
            continue;
        }
        let sentence = say.language().fill(&format!("flaw.{}", what.name()), &[("about", about)]);
        let place = match (path.is_empty(), line) {
            (true, _) => folder.display().to_string(),
            (false, 0) => folder.join(path).display().to_string(),
            (false, line) => format!("{}:{line}", folder.join(path).display()),
        };
        say.complain(&format!("{place}: {sentence}"));
    }
}

/// Who tries an experience out.
const PEOPLE: [&str; 2] = ["ann", "bob"];
/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The exit code of a folder with flaws.
const BAD: u8 = 8;
/// What a new experience begins with.
const START: &[(&str, &str)] = &[
    (MANIFEST, include_str!("../../../ui/start/experience.json")),
    ("index.html", include_str!("../../../ui/start/index.html")),
    ("main.js", include_str!("../../../ui/start/main.js")),
    ("style.css", include_str!("../../../ui/start/style.css")),
    ("messages/en.json", include_str!("../../../ui/start/messages/en.json")),
    ("messages/de.json", include_str!("../../../ui/start/messages/de.json")),
];
