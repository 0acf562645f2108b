//! The best known server of chat messages, measured in the same minutes: a figure of processor time means little by
//! itself on a processor that is shared with others.
//!
//! Prosody (XMPP, RFC 6120 and 6121) with its archive on, as Debian packages it: one server for both people. It seals
//! nothing, signs nothing and does not wait for the disk, so it does less than our two twins.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hw_tests::{Process, Result, free_port, until};

use super::Figure;
use super::measure::{self, cpu, rounds};

const MESSAGES: u32 = 200;
const ROUNDS: u32 = 7;
const PATIENCE: Duration = Duration::from_secs(20);
const STREAM: &str = "<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
/// SASL PLAIN (RFC 4616): the name and the password "pw" in base64.
const PEOPLE: [(&str, &str); 2] = [("ann", "AGFubgBwdw=="), ("bob", "AGJvYgBwdw==")];

/// The group: our messages before and after the peer's.
pub(super) fn peer(program: &Path) -> Result<Vec<Figure>> {
    let mut figures = measure::messages(program)?;
    figures.push(prosody()?);
    figures.extend(measure::messages(program)?);
    Ok(figures)
}

fn prosody() -> Result<Figure> {
    let what = "the same message by Prosody, both people on one server";
    let Ok(said) = Command::new("prosodyctl").arg("about").output() else {
        return Ok(Figure::new(what, "not measured: apt install prosody".to_owned()));
    };
    let server = Server::start()?;
    let (mut ann, mut bob) = (server.connect(PEOPLE[0].1)?, server.connect(PEOPLE[1].1)?);
    let mut talk = |count: u32| -> Result<()> {
        for number in 0..count {
            ann.say(&format!(
                "<message to='bob@localhost' type='chat' id='m{number}'>\
                 <body>message number {number} of a bench</body></message>"
            ))?;
            bob.hear("</message>")?;
        }
        Ok(())
    };
    talk(50)?;
    let process = Process::of(server.child.id())?;
    let [costs] = rounds([process], ROUNDS, MESSAGES, || talk(MESSAGES))?;
    let about = String::from_utf8_lossy(&said.stdout);
    let mut versions = about.lines().filter_map(|line| line.strip_prefix("Prosody "));
    let version = versions.find(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    let version = version.unwrap_or("of an unknown version");
    Ok(Figure::new(what, format!("{}, {version}", cpu(&costs))))
}

/// A server on loopback that ends with this.
struct Server {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (place, port) = (folder.path().display().to_string(), free_port()?);
        let config = folder.path().join("prosody.cfg.lua");
        std::fs::write(
            &config,
            format!(
                "modules_enabled = {{ 'roster', 'saslauth', 'disco', 'mam', 'posix' }}\n\
                 modules_disabled = {{ 's2s', 'tls' }}\n\
                 c2s_require_encryption = false\nallow_unencrypted_plain_auth = true\n\
                 c2s_ports = {{ {port} }}\nc2s_interfaces = {{ '127.0.0.1' }}\ns2s_ports = {{}}\n\
                 authentication = 'internal_plain'\nstorage = 'internal'\n\
                 default_archive_policy = true\narchive_expires_after = 'never'\n\
                 data_path = '{place}'\npidfile = '{place}/pid'\nlog = {{ error = '{place}/log' }}\n\
                 daemonize = false\nrun_as_root = true\nVirtualHost 'localhost'\n"
            ),
        )?;
        for (name, _) in PEOPLE {
            let mut register = Command::new("prosodyctl");
            register.arg("--config").arg(&config).args(["register", name, "localhost", "pw"]);
            let done = register.stdin(Stdio::null()).output()?;
            if !done.status.success() {
                return Err(String::from_utf8_lossy(&done.stdout).into_owned().into());
            }
        }
        let mut prosody = Command::new("prosody");
        prosody.arg("--config").arg(&config).stdin(Stdio::null()).stdout(Stdio::null());
        let child = prosody.stderr(Stdio::null()).spawn()?;
        let server = Self { child, port, _folder: folder };
        until("the peer", PATIENCE, || Ok(TcpStream::connect(("127.0.0.1", port)).ok()))?;
        Ok(server)
    }

    /// Signs in and says that this person is there.
    fn connect(&self, secret: &str) -> Result<Wire> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut wire = Wire { stream, heard: String::new() };
        wire.say(STREAM)?;
        wire.hear("</stream:features>")?;
        wire.say(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"
        ))?;
        wire.hear("<success")?;
        wire.say(STREAM)?;
        wire.hear("</stream:features>")?;
        wire.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")?;
        wire.hear("</iq>")?;
        wire.say("<presence/>")?;
        wire.hear("<presence")?;
        Ok(wire)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Wire {
    stream: TcpStream,
    heard: String,
}

impl Wire {
    fn say(&mut self, text: &str) -> Result<()> {
        Ok(self.stream.write_all(text.as_bytes())?)
    }

    /// Waits for this text; what comes after it is heard later.
    fn hear(&mut self, text: &str) -> Result<()> {
        loop {
            if let Some(at) = self.heard.find(text) {
                self.heard.drain(..at + text.len());
                return Ok(());
            }
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer)?;
            if count == 0 {
                return Err(format!("the peer hung up after: {}", self.heard).into());
            }
            self.heard.push_str(&String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()));
        }
    }
}
