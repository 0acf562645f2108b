//! A node that runs for one test: started, spoken to, stopped, and gone with everything it started.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Person, Process, Result, Role, until};

/// How a node is started. The default listens on a free loopback port with fresh data.
#[derive(Clone, Debug)]
pub struct Options {
    /// Twins to be made and paired once it runs.
    pub people: Vec<String>,
    /// Where it keeps its data; a throw-away folder if `None`.
    pub data: Option<PathBuf>,
    /// What it listens on.
    pub listen: String,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// The program file; the built one if `None`.
    pub program: Option<PathBuf>,
    /// What `node.toml` says; left as it is if `None`.
    pub settings: Option<String>,
    /// The user it runs as, which only root can choose; this test's own if `None`.
    pub user: Option<u32>,
    /// A listener that the program finds as its standard input.
    pub given: Option<Arc<TcpListener>>,
}

impl Options {
    /// Fresh data with twins of these names.
    #[must_use]
    pub fn people(names: &[&str]) -> Self {
        Self { people: names.iter().map(|name| (*name).to_owned()).collect(), ..Self::default() }
    }

    /// Adds arguments to the command line.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|text| (*text).to_owned()));
        self
    }

    /// Writes these settings before it starts.
    #[must_use]
    pub fn settings(mut self, text: &str) -> Self {
        self.settings = Some(text.to_owned());
        self
    }

    /// Uses this folder, which outlives the node.
    #[must_use]
    pub fn data(mut self, folder: &Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    /// Listens on this loopback port, so that a restarted node is found again.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.listen = format!("127.0.0.1:{port}");
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            people: Vec::new(),
            data: None,
            listen: "127.0.0.1:0".to_owned(),
            arguments: Vec::new(),
            program: None,
            settings: None,
            user: None,
            given: None,
        }
    }
}

/// What a command said.
#[derive(Debug)]
pub struct Spoken {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Spoken {
    /// Standard output as JSON; `null` if it's none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(self.out.trim()).unwrap_or_default()
    }

    /// The first address in what was said.
    ///
    /// # Errors
    /// If there is none.
    pub fn url(&self) -> Result<String> {
        let from = self.out.find("http").ok_or_else(|| format!("no address in {self:?}"))?;
        let end = |c: char| c.is_whitespace() || c == '"';
        Ok(self.out[from..].split(end).next().unwrap_or_default().to_owned())
    }
}

/// A running node.
pub struct Node {
    child: Child,
    executor: Process,
    data: PathBuf,
    program: PathBuf,
    port: u16,
    events: Receiver<Value>,
    seen: Vec<Value>,
    log: PathBuf,
    /// Removes throw-away data after everything else.
    _throw_away: Option<TempDir>,
    _log_folder: TempDir,
}

impl Node {
    /// Starts a node, waits until it listens, and makes its people.
    ///
    /// # Errors
    /// If it doesn't start; its log is in the text.
    pub fn start(options: &Options) -> Result<Self> {
        let throw_away = match options.data {
            Some(_) => None,
            None => Some(tempfile::tempdir()?),
        };
        let data = match (&options.data, &throw_away) {
            (Some(folder), _) => folder.clone(),
            (None, Some(folder)) => folder.path().join("data"),
            (None, None) => return Err("a node needs a data folder".into()),
        };
        if let Some(text) = &options.settings {
            fs::create_dir_all(&data)?;
            fs::set_permissions(&data, Permissions::from_mode(0o700))?;
            fs::write(data.join("node.toml"), text)?;
        }
        let log_folder = tempfile::tempdir()?;
        let log = log_folder.path().join("log");
        let program = options.program.clone().map_or_else(program, Ok)?;
        let mut command = Command::new(&program);
        if let Some(user) = options.user {
            command.uid(user).gid(user);
        }
        let stdin = match &options.given {
            Some(listener) => Stdio::from(OwnedFd::from(listener.try_clone()?)),
            None => Stdio::null(),
        };
        let mut child = command
            .arg("run")
            .arg("--data")
            .arg(&data)
            .args(["--listen", &options.listen, "--log", "json", "--json"])
            .args(&options.arguments)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()?;
        let executor = Process::of(child.id())?;
        let events = listen_to(child.stdout.take().ok_or("no standard output")?);
        let mut node = Self {
            child,
            executor,
            data,
            program,
            port: 0,
            events,
            seen: Vec::new(),
            log,
            _throw_away: throw_away,
            _log_folder: log_folder,
        };
        let listening = node.event("listening")?;
        let address = listening["address"].as_str().unwrap_or_default();
        let port = address.rsplit_once(':').map_or("", |(_, port)| port);
        node.port = port.parse().map_err(|_| format!("no port in {listening}"))?;
        for name in &options.people {
            let made = node.verb(&["twin", "create", name])?;
            if made.code != 0 {
                return Err(format!("{name} was not created: {made:?}").into());
            }
        }
        Ok(node)
    }

    /// Waits for a line of this kind on standard output; lines before it are kept for later.
    ///
    /// # Errors
    /// If the node ends or says nothing of the kind for some time.
    pub fn event(&mut self, kind: &str) -> Result<Value> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(at) = self.seen.iter().position(|event| event["event"] == kind) {
                return Ok(self.seen.remove(at));
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => self.seen.push(event),
                Err(error) => {
                    let text = self.log();
                    return Err(format!("no {kind:?} event: {error}; log:\n{text}").into());
                }
            }
        }
    }

    /// What the node wrote to its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its main process.
    #[must_use]
    pub fn executor(&self) -> Process {
        self.executor
    }

    /// Its gateway's process.
    ///
    /// # Errors
    /// If there is none for some time.
    pub fn gateway(&self) -> Result<Process> {
        until("a gateway", Duration::from_secs(20), || {
            let all = self.executor.descendants();
            Ok(all.into_iter().find(|process| process.role() == Role::Gateway))
        })
    }

    /// What the executor knows about a twin, as `twin list --json` tells it.
    ///
    /// # Errors
    /// If the twin isn't listed.
    pub fn twin(&self, name: &str) -> Result<Value> {
        let listed = self.verb(&["twin", "list"])?;
        let all = listed.json();
        let found = all.as_array().into_iter().flatten().find(|twin| twin["name"] == name);
        found.cloned().ok_or_else(|| format!("{name} is not in {listed:?}").into())
    }

    /// A twin's process, if it's awake.
    ///
    /// # Errors
    /// If the twin isn't listed.
    pub fn awake(&self, name: &str) -> Result<Option<Process>> {
        let twin = self.twin(name)?;
        let pid = twin["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        Ok(pid.and_then(|pid| Process::of(pid).ok()).filter(|process| process.alive()))
    }

    /// Runs a verb against this node's data.
    ///
    /// # Errors
    /// If the program can't be started.
    pub fn verb(&self, arguments: &[&str]) -> Result<Spoken> {
        say_to(&self.program, &self.data, arguments)
    }

    /// Pairs a new client with a twin that has no device yet.
    ///
    /// # Errors
    /// If the node or the twin refuses.
    pub fn pair(&self, name: &str) -> Result<Person> {
        Person::pair(&self.verb(&["twin", "pair", name])?.url()?)
    }

    /// Stops it as a person would (SIGTERM) and waits.
    ///
    /// # Errors
    /// If it takes longer than it may.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.executor.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it goes on for too long.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let child = &mut self.child;
        until("the node's end", Duration::from_secs(20), || Ok(child.try_wait()?))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let started = self.executor.descendants();
        self.executor.signal(Signal::TERM);
        if self.wait().is_err() {
            self.executor.signal(Signal::KILL);
            let _ = self.child.wait();
        }
        for process in started {
            process.signal(Signal::KILL);
        }
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len().saturating_sub(20_000);
            let tail = log.get(from..).unwrap_or(&log);
            let _ = writeln!(std::io::stderr(), "--- the node's log\n{tail}---");
        }
    }
}

/// Runs a verb against a data folder, with or without a node on it.
fn say_to(program: &Path, data: &Path, arguments: &[&str]) -> Result<Spoken> {
    let said = Command::new(program)
        .args(arguments)
        .arg("--data")
        .arg(data)
        .arg("--json")
        .stdin(Stdio::null())
        .output()?;
    Ok(Spoken {
        code: said.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&said.stdout).into_owned(),
        err: String::from_utf8_lossy(&said.stderr).into_owned(),
    })
}

/// Every line on standard output is one event.
fn listen_to(out: std::process::ChildStdout) -> Receiver<Value> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(std::result::Result::ok) {
            let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
            if send.send(event).is_err() {
                return;
            }
        }
    });
    receive
}

/// The built `hometwin`: `HOMETWIN`, else the one next to the running test.
///
/// # Errors
/// If it isn't built.
pub fn program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("HOMETWIN") {
        return Ok(path.into());
    }
    built("hometwin")
}

/// Whether anybody may walk to this file and run it.
#[must_use]
pub fn reachable(program: &Path) -> bool {
    let open = |path: &Path| fs::metadata(path).is_ok_and(|about| about.mode() & 0o001 != 0);
    program.ancestors().all(open)
}

/// The built red team: a node with one of its processes taken over.
///
/// # Errors
/// If it isn't built.
pub fn red_team() -> Result<PathBuf> {
    built("red-team")
}

/// The program that makes images.
///
/// # Errors
/// If it isn't built.
pub(crate) fn image_build() -> Result<PathBuf> {
    built("image-build")
}

fn built(name: &str) -> Result<PathBuf> {
    let me = std::env::current_exe()?;
    let beside = me.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let mut built = beside.filter(|path| path.is_file());
    built.next().ok_or_else(|| format!("{name} isn't built: cargo build --package {name}").into())
}

/// A port that nobody listens on just now.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
