//! Everything that is said to a person on the terminal, in their language; and exit codes.
//!
//! Data goes to standard output, talk about what went wrong to standard error. With `--json` the
//! data is one JSON object a line, whose names are stable.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::{health, update, work};
use executor::control::Answer;
use executor::doctor::Finding;
use executor::lan::Network;
use executor::{Notice, Refusal};
use twin::messages::{Language, Messages};

const ENGLISH: &str = include_str!("../messages/en.json");
const GERMAN: &str = include_str!("../messages/de.json");

/// Why a command failed; each has its sentence and its exit code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Executor(#[from] executor::Error),
    #[error("{0}")]
    Inside(String),
    #[error("no data folder")]
    NoDataFolder,
    #[error("the name was not confirmed")]
    NotConfirmed,
    #[error("no node runs on the data folder")]
    NotRunning,
    #[error("refused")]
    Refused(Refusal),
    #[error("started by hand")]
    StartedByHand,
}

impl Failure {
    /// Something that nobody can do anything about but the operator.
    pub(crate) fn inside(error: impl std::error::Error) -> Self {
        Self::Inside(chain(&error))
    }

    /// A file that was named can't be used.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Executor(executor::Error::File { path: path.to_owned(), source })
    }
}

/// The voice of the program.
pub(crate) struct Say {
    messages: Messages,
    locale: String,
}

impl Say {
    /// Speaks the language of `LC_ALL`, `LC_MESSAGES` or `LANG`.
    pub(crate) fn from_environment() -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|locale| !locale.is_empty()));
        let messages = Messages::parse(&[("en", ENGLISH), ("de", GERMAN)]).unwrap_or_default();
        Self { messages, locale: set.unwrap_or_default() }
    }

    /// The same voice in another language.
    pub(crate) fn in_language(&self, tag: &str) -> Self {
        let messages = Messages::parse(&[("en", ENGLISH), ("de", GERMAN)]).unwrap_or_default();
        Self { messages, locale: tag.to_owned() }
    }

    pub(crate) fn language(&self) -> Language<'_> {
        self.messages.of_locale(&self.locale)
    }

    /// The language of sentences that browsers show too.
    pub(crate) fn shipped(&self) -> Language<'static> {
        Messages::shipped().of_locale(&self.locale)
    }

    pub(crate) fn help(&self) -> Result<ExitCode, Failure> {
        self.print(&self.language().fill("help", &[]));
        Ok(ExitCode::SUCCESS)
    }

    pub(crate) fn version(&self) -> Result<ExitCode, Failure> {
        self.print(concat!("hometwin ", env!("CARGO_PKG_VERSION")));
        Ok(ExitCode::SUCCESS)
    }

    pub(crate) fn usage_error(&self, error: &lexopt::Error) -> ExitCode {
        self.complain(&self.language().fill("usage_error", &[("reason", &error.to_string())]));
        ExitCode::from(2)
    }

    /// Says what went wrong and what to do.
    pub(crate) fn failure(&self, failure: &Failure) -> ExitCode {
        let (key, values, code) = sentence(failure);
        let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
        self.complain(&self.language().fill(key, &values));
        ExitCode::from(code)
    }

    /// Says an answer of the node, or of the folder.
    pub(crate) fn answer(&self, name: &str, answer: &Answer, json: bool) -> ExitCode {
        if json {
            let value = if let Answer::List { twins } = answer {
                serde_json::json!(twins)
            } else if let Answer::Health { troubles } = answer {
                health::json(troubles, self.shipped())
            } else if let Answer::Energy { counters } = answer {
                // No number about power without its class and its error, which nobody knows here.
                let class = "measured-cpu";
                serde_json::json!({ "class": class, "error": null, "counters": counters })
            } else {
                serde_json::json!(answer)
            };
            self.print(&value.to_string());
            return code_of(answer);
        }
        let language = self.language();
        match answer {
            Answer::Created { address } | Answer::Renamed { address } => {
                self.print(&language.fill("twin_at", &[("name", name), ("address", address)]));
            }
            Answer::Differs { text } => {
                self.complain(&language.fill("differs", &[("name", name), ("text", text)]));
            }
            Answer::Energy { counters } if counters.is_empty() => {
                self.print(language.text("energy_none"));
            }
            Answer::Energy { counters } => {
                for counter in counters {
                    let joules = (counter.microjoules / 1_000_000).to_string();
                    let values = [("name", counter.name.as_str()), ("joules", &joules)];
                    self.print(&language.fill("energy", &values));
                }
            }
            Answer::Next { version } => {
                self.print(&language.fill("update_next", &[("version", version)]));
            }
            Answer::NotUpdated { why, text } => self.complain(&update::why(self, why, text)),
            Answer::Restarting => self.print(language.text("restarting")),
            Answer::There { there } => update::there(self, there),
            Answer::Slots { slots, progress } => update::slots(self, slots, *progress),
            Answer::Experience { text } => {
                let values = [("experience", text.as_str()), ("name", name)];
                self.print(&language.fill("experience_installed", &values));
            }
            Answer::NotTaken { code } => self.not_taken(code),
            Answer::NoSteward => self.complain(language.text("no_steward")),
            Answer::Failed { text } => {
                self.complain(&language.fill("failed", &[("reason", text)]));
            }
            Answer::Health { troubles } => health::say(self, troubles),
            Answer::MetricsToken { token } => {
                self.print(&language.fill("metrics_token", &[("token", token)]));
                let hint = [("address", "/metrics")];
                self.complain(&language.fill("metrics_token_hint", &hint));
            }
            // Said where its files are, and on the machine's own screen.
            Answer::Made { .. }
            | Answer::People { .. }
            | Answer::Progress { .. }
            | Answer::Screen { .. } => {}
            Answer::Done => self.print(language.text("repaired")),
            Answer::NotConnected { why } => {
                self.complain(language.text(&format!("connect_{}", why.name())));
            }
            Answer::NotMade { why } => self.complain(self.language().text(&work::cannot(*why).0)),
            Answer::Repaired => self.print(language.text("repaired")),
            Answer::List { twins } if twins.is_empty() => self.print(language.text("no_twins")),
            Answer::List { twins } => {
                for twin in twins {
                    let state = language.text(if twin.awake { "awake" } else { "asleep" });
                    self.print(&format!("{:<12} {:<8} {}", twin.name, state, twin.address));
                }
            }
            Answer::Network { network } => self.print(&self.network(network)),
            Answer::Pair { url, elsewhere } => {
                self.print(&language.fill("pair", &[("name", name), ("url", url)]));
                self.picture(url, *elsewhere);
            }
            Answer::Refused { refusal } => return self.failure(&Failure::Refused(*refusal)),
            Answer::Removed { export } => {
                let export = export.display().to_string();
                self.print(&language.fill("removed", &[("name", name), ("export", &export)]));
            }
            Answer::Status { executor, gateway, listen, .. } => {
                let gateway = gateway.map_or("-".to_owned(), |pid| pid.to_string());
                let values = [
                    ("executor", executor.to_string()),
                    ("gateway", gateway),
                    ("listen", listen.to_string()),
                ];
                let values = values.each_ref().map(|(key, value)| (*key, value.as_str()));
                self.print(&language.fill("status", &values));
            }
            Answer::Verified { entries } => {
                let entries = entries.to_string();
                self.print(&language.fill("verified", &[("name", name), ("entries", &entries)]));
            }
        }
        code_of(answer)
    }

    /// Why a twin did not take a package, in the twin's own sentences.
    fn not_taken(&self, why: &str) {
        let mut lines = why.lines();
        let code = lines.next().unwrap_or_default();
        let values: Vec<_> = lines.filter_map(|line| line.split_once('=')).collect();
        for part in ["title", "detail", "do"] {
            self.complain(&self.shipped().fill(&format!("problem.{code}.{part}"), &values));
        }
    }

    /// How the node is found, a line for each thing.
    pub(crate) fn network(&self, network: &Network) -> String {
        let language = self.language();
        let addresses: Vec<String> = network.addresses.iter().map(ToString::to_string).collect();
        let addresses = addresses.join(", ");
        let mut lines = vec![language.fill("network_at", &[("address", &network.address)])];
        lines.push(match (&network.taken, network.announced) {
            (_, false) => language.text("network_silent").to_owned(),
            (None, true) => language.fill("network_announced", &[("name", &network.name)]),
            (Some(taken), true) => {
                language.fill("network_taken", &[("name", &network.name), ("taken", taken)])
            }
        });
        if !addresses.is_empty() {
            lines.push(language.fill("network_addresses", &[("addresses", &addresses)]));
        }
        lines.join("\n")
    }

    /// Why the node did not do what it was asked; none where it did.
    pub(crate) fn why_not(&self, answer: &Answer) -> Option<String> {
        let language = self.language();
        if let Answer::Refused { refusal } = answer {
            Some(language.text(refused(*refusal).0).to_owned())
        } else if let Answer::Failed { text } | Answer::NotUpdated { text, .. } = answer {
            Some(language.fill("failed", &[("reason", text)]))
        } else if let Answer::NotConnected { why } = answer {
            Some(language.text(&format!("connect_{}", why.name())).to_owned())
        } else if *answer == Answer::NoSteward {
            Some(language.text("no_steward").to_owned())
        } else {
            None
        }
    }

    /// Says what the doctor found: one line each, what is missing marked.
    pub(crate) fn findings(&self, findings: &[Finding], json: bool) -> ExitCode {
        for finding in findings {
            if json {
                self.print(&finding_json(finding).to_string());
                continue;
            }
            let mark = if finding.holds { "  ok  " } else { "  --  " };
            self.print(&format!("{mark}{}", self.finding(finding)));
        }
        if findings.iter().all(|finding| finding.holds) {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(7)
        }
    }

    fn finding(&self, finding: &Finding) -> String {
        let values: Vec<_> = finding.values.iter().map(|(key, value)| (*key, &**value)).collect();
        let key = format!("doctor.{}.{}", finding.part, finding.how);
        self.language().fill(&key, &values)
    }

    /// What a running node tells its console.
    pub(crate) fn notifier(&self, json: bool, ephemeral: bool) -> impl Fn(&Notice) + 'static {
        let say = self.in_language(&self.locale);
        if ephemeral && !json {
            say.print(say.language().text("ephemeral"));
        }
        move |notice| {
            if json {
                say.print(&notice_json(notice).to_string());
            } else {
                say.notice(notice);
            }
        }
    }

    fn notice(&self, notice: &Notice) {
        let language = self.language();
        match notice {
            Notice::Broken { name, text } => {
                self.complain(&language.fill("broken", &[("name", name), ("text", text)]));
            }
            Notice::Crashing { name, wait_s } => {
                let wait = wait_s.to_string();
                self.complain(&language.fill("crashing", &[("name", name), ("seconds", &wait)]));
            }
            Notice::Listening { address } => {
                self.print(&language.fill("listening", &[("address", &address.to_string())]));
            }
            Notice::NameTaken { taken, name } => {
                self.print(&language.fill("name_taken", &[("taken", taken), ("name", name)]));
            }
            Notice::Pair { name, url, elsewhere } => {
                self.print(&language.fill("pair", &[("name", name), ("url", url)]));
                self.picture(url, *elsewhere);
            }
            Notice::Trouble { trouble } => {
                self.complain(&health::text(self, trouble));
            }
            Notice::Twin { name, address, fingerprint } => {
                self.print(&language.fill("twin_at", &[("name", name), ("address", address)]));
                if let Some(fingerprint) = fingerprint {
                    let values = [("name", name.as_str()), ("fingerprint", fingerprint.as_str())];
                    self.print(&language.fill("fingerprint", &values));
                }
            }
            Notice::Walled { name } => {
                self.complain(&language.fill("walled", &[("name", name)]));
            }
            Notice::Walls { missing } => {
                let part =
                    |finding: &Finding| language.text(&format!("part.{}", finding.part)).to_owned();
                let parts: Vec<String> = missing.iter().map(part).collect();
                self.complain(&language.fill("walls", &[("missing", &parts.join(", "))]));
            }
            Notice::Welcome { url, elsewhere, again } => {
                let key = if *again { "welcome_again" } else { "welcome" };
                self.print(&language.fill(key, &[("url", url)]));
                self.picture(url, *elsewhere);
            }
        }
    }

    /// The address as a QR code, for a phone's camera, where a phone can open it.
    fn picture(&self, url: &str, elsewhere: bool) {
        use qrcode::render::unicode::Dense1x2;
        if elsewhere && let Ok(code) = qrcode::QrCode::new(url) {
            self.print(&code.render::<Dense1x2>().quiet_zone(true).build());
        }
    }

    /// Standard output may be closed: then nobody listens, and that is no failure.
    pub(crate) fn print(&self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }

    pub(crate) fn complain(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Asks on the terminal for a name; `None` when nobody is there to answer.
    pub(crate) fn ask_name(&self, name: &str) -> Option<String> {
        if !rustix::termios::isatty(io::stdin()) {
            return None;
        }
        self.complain(&self.language().fill("confirm_remove", &[("name", name)]));
        let mut line = String::new();
        io::stdin().read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    }
}

type Sentence = (&'static str, Vec<(&'static str, String)>, u8);

/// The message, its values, and the exit code of a failure.
fn sentence(failure: &Failure) -> Sentence {
    use executor::Error;
    match failure {
        Failure::Executor(Error::InUse { folder }) => {
            ("in_use", vec![("folder", folder.display().to_string())], 5)
        }
        Failure::Executor(Error::Settings { file, line, reason }) => {
            let file = file.display().to_string();
            let values =
                vec![("file", file), ("line", line.to_string()), ("reason", reason.clone())];
            ("settings", values, 1)
        }
        Failure::Executor(Error::Registry { file, reason }) => {
            ("registry", vec![("file", file.display().to_string()), ("reason", reason.clone())], 1)
        }
        Failure::Executor(Error::Listen { address, source }) => {
            ("listen", vec![("address", address.to_string()), ("reason", source.to_string())], 1)
        }
        Failure::Executor(Error::File { path, source }) => {
            ("file", vec![("path", path.display().to_string()), ("reason", source.to_string())], 1)
        }
        Failure::Executor(Error::Refused(refusal)) | Failure::Refused(refusal) => refused(*refusal),
        Failure::Executor(Error::NotYours { folder, owner }) => {
            let folder = folder.display().to_string();
            ("not_yours", vec![("folder", folder), ("owner", owner.to_string())], 3)
        }
        Failure::Executor(
            error @ (Error::Service { .. } | Error::Start { .. } | Error::Walls(_)),
        ) => ("failed", vec![("reason", chain(error))], 1),
        Failure::Inside(reason) => ("failed", vec![("reason", reason.clone())], 1),
        Failure::NoDataFolder => ("no_data_folder", vec![], 2),
        Failure::NotConfirmed => ("not_confirmed", vec![], 3),
        Failure::NotRunning => ("not_running", vec![], 5),
        Failure::StartedByHand => ("started_by_hand", vec![], 2),
    }
}

fn refused(refusal: Refusal) -> Sentence {
    match refusal {
        Refusal::AlreadyPaired => ("refused_already_paired", vec![], 3),
        Refusal::Crashing => ("refused_crashing", vec![], 1),
        Refusal::Failed => ("refused_failed", vec![], 1),
        Refusal::NameForm => ("refused_name_form", vec![], 3),
        Refusal::NodeNameForm => ("refused_node_name_form", vec![], 3),
        Refusal::NameReserved => ("refused_name_reserved", vec![], 3),
        Refusal::NameTaken => ("refused_name_taken", vec![], 3),
        Refusal::NameUnknown => ("refused_name_unknown", vec![], 4),
        Refusal::WrongCode => ("refused_wrong_code", vec![], 3),
        Refusal::NotOwner => ("refused_not_owner", vec![], 3),
        Refusal::NotOffered => ("refused_not_offered", vec![], 3),
    }
}

/// Exit codes are part of the help text: 0 done, 1 failed, 2 typed wrong, 3 refused, 4 no such
/// twin, 5 the node runs or does not run, 6 a twin's journal and tables differ, 7 the doctor found
/// something that could protect and doesn't, or something is wrong with the node now, 8 nothing can be
/// made of that file, 9 its worker was stopped.
fn code_of(answer: &Answer) -> ExitCode {
    match answer {
        Answer::Differs { .. } => ExitCode::from(6),
        Answer::Failed { .. } | Answer::NoSteward => ExitCode::from(1),
        Answer::NotUpdated { .. } => ExitCode::from(3),
        Answer::Refused { refusal } => ExitCode::from(refused(*refusal).2),
        Answer::Health { troubles } => health::code(troubles),
        Answer::NotConnected { .. } => ExitCode::from(3),
        Answer::NotMade { why } => ExitCode::from(work::cannot(*why).1),
        Answer::NotTaken { .. } => ExitCode::from(8),
        Answer::Created { .. }
        | Answer::Done
        | Answer::Energy { .. }
        | Answer::Experience { .. }
        | Answer::List { .. }
        | Answer::Made { .. }
        | Answer::MetricsToken { .. }
        | Answer::Next { .. }
        | Answer::Network { .. }
        | Answer::Repaired
        | Answer::Restarting
        | Answer::Slots { .. }
        | Answer::There { .. }
        | Answer::Pair { .. }
        | Answer::People { .. }
        | Answer::Progress { .. }
        | Answer::Removed { .. }
        | Answer::Renamed { .. }
        | Answer::Screen { .. }
        | Answer::Status { .. }
        | Answer::Verified { .. } => ExitCode::SUCCESS,
    }
}

fn notice_json(notice: &Notice) -> serde_json::Value {
    use serde_json::json;
    match notice {
        Notice::Broken { name, text } => json!({"event": "broken", "name": name, "text": text}),
        Notice::Crashing { name, wait_s } => {
            json!({"event": "crashing", "name": name, "wait_s": wait_s})
        }
        Notice::Listening { address } => json!({"event": "listening", "address": address}),
        Notice::NameTaken { taken, name } => {
            json!({"event": "name_taken", "taken": taken, "name": name})
        }
        Notice::Trouble { trouble } => {
            json!({"event": "trouble", "problem": trouble.problem, "about": trouble.about})
        }
        Notice::Pair { name, url, .. } => json!({"event": "pair", "name": name, "url": url}),
        Notice::Twin { name, address, fingerprint } => {
            json!({"event": "twin", "name": name, "address": address, "fingerprint": fingerprint})
        }
        Notice::Walled { name } => json!({"event": "walled", "name": name}),
        Notice::Walls { missing } => {
            let missing: Vec<_> = missing.iter().map(finding_json).collect();
            json!({"event": "walls", "missing": missing})
        }
        Notice::Welcome { url, .. } => json!({"event": "welcome", "url": url}),
    }
}

fn finding_json(finding: &Finding) -> serde_json::Value {
    let values: std::collections::BTreeMap<_, _> = finding.values.iter().cloned().collect();
    serde_json::json!({
        "part": finding.part,
        "holds": finding.holds,
        "how": finding.how,
        "values": values,
    })
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_the_same_things() {
        let messages = Messages::parse(&[("en", ENGLISH), ("de", GERMAN)]).unwrap();
        let placeholders = |text: &str| {
            let mut names: Vec<_> =
                text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
            names.sort_unstable();
            names.join(",")
        };
        let [(_, english), (_, german)] = messages.languages() else { panic!("two languages") };
        let shape = |texts: &twin::messages::Texts| -> Vec<_> {
            texts.iter().map(|(key, text)| (key.clone(), placeholders(text))).collect()
        };
        assert_eq!(shape(english), shape(german));
    }

    #[test]
    fn every_finding_has_its_sentence() {
        for (locale, text) in [("en", ENGLISH), ("de", GERMAN)] {
            let messages = Messages::parse(&[(locale, text)]).unwrap();
            for key in executor::doctor::SENTENCES {
                assert_ne!(messages.of_locale(locale).text(key), *key);
                let part = key.split('.').nth(1).unwrap();
                let part = format!("part.{part}");
                assert_ne!(messages.of_locale(locale).text(&part), part);
            }
        }
    }

    #[test]
    fn every_wrong_connection_has_its_sentence() {
        let messages = Messages::parse(&[("en", ENGLISH)]).unwrap();
        for why in handover::NoConnection::ALL {
            let key = format!("connect_{}", why.name());
            assert_ne!(messages.of_locale("en").text(&key), key);
        }
    }

    #[test]
    fn every_refusal_has_its_sentence() {
        let messages = Messages::parse(&[("en", ENGLISH)]).unwrap();
        for refusal in [
            Refusal::AlreadyPaired,
            Refusal::Crashing,
            Refusal::Failed,
            Refusal::NameForm,
            Refusal::NodeNameForm,
            Refusal::NameReserved,
            Refusal::NameTaken,
            Refusal::NameUnknown,
            Refusal::WrongCode,
            Refusal::NotOwner,
            Refusal::NotOffered,
        ] {
            let (key, ..) = refused(refusal);
            assert_ne!(messages.of_locale("en").text(key), key);
        }
    }
}
