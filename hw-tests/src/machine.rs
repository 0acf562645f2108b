//! A computer of its own, emulated: built from an image, switched on, looked at from outside by its
//! console and its one door, and switched off without a word.
//!
//! QEMU is that of the image's own tools. The network ends at the machine, but for the one port.

mod screen;
mod tpm;

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use self::tpm::Tpm;
use crate::{Result, free_port, node, stick, until};

/// A disk image as it is flashed.
pub struct Image {
    path: PathBuf,
}

impl Image {
    /// What a test takes: the image that `make` builds, or none, and why, for `cargo verify --fast` and
    /// where none can be built.
    ///
    /// # Errors
    /// If the build fails.
    pub fn for_test(
        test: &str,
        make: impl FnOnce() -> Result<std::result::Result<Self, String>>,
    ) -> Result<Option<Self>> {
        let built = match std::env::var_os("HOMETWIN_FAST") {
            Some(_) => Err("`cargo verify --fast`".to_owned()),
            None => make()?,
        };
        if let Err(reason) = &built {
            crate::skip(test, reason.trim());
        }
        Ok(built.ok())
    }

    /// Builds the headless image around the program that all tests use; what is built already is
    /// taken from the cache.
    ///
    /// # Errors
    /// If the build fails. A machine or a user that can't build one gives the reason as `Ok(Err)`.
    pub fn build() -> Result<std::result::Result<Self, String>> {
        Self::build_of(&crate::program()?, None)
    }

    /// The same around another program, and with files over those of the recipe.
    ///
    /// # Errors
    /// As for [`Image::build`].
    pub fn build_of(
        program: &Path,
        files: Option<&Path>,
    ) -> Result<std::result::Result<Self, String>> {
        let files = files.map(|files| files.display().to_string());
        let words: Vec<&str> = files.iter().flat_map(|files| ["--files", files]).collect();
        Self::build_with(program, &words)
    }

    /// The same as [`Image::build`], signed for firmware that starts nothing else, with new keys in a
    /// folder.
    ///
    /// # Errors
    /// As for [`Image::build`].
    pub fn signed(keys: &Path) -> Result<std::result::Result<Self, String>> {
        let mut command = Command::new(node::image_build()?);
        let made = command.args(["keys", "new"]).arg(keys).status()?;
        if !made.success() {
            return Err("no keys".into());
        }
        Self::build_with(&crate::program()?, &["--sign-with", &keys.display().to_string()])
    }

    /// The same, with any words for the build.
    ///
    /// # Errors
    /// As for [`Image::build`].
    pub fn build_with(program: &Path, words: &[&str]) -> Result<std::result::Result<Self, String>> {
        let mut command = Command::new(node::image_build()?);
        command.args(["build", "--flavour", "headless", "--arch", "x86_64", "--unlocked"]);
        command.args(words).arg("--program").arg(program);
        let said = command.stdin(Stdio::null()).output()?;
        let err = String::from_utf8_lossy(&said.stderr).into_owned();
        let out = String::from_utf8_lossy(&said.stdout).into_owned();
        match said.status.code() {
            Some(0) => Ok(Ok(Self { path: out.trim().into() })),
            Some(3) => Ok(Err(err)),
            Some(_) | None => Err(format!("no image: {err}").into()),
        }
    }

    /// What `inspect` says of it.
    ///
    /// # Errors
    /// If the image is not whole.
    pub fn inspect(&self) -> Result<String> {
        inspect(&self.path, None)
    }
}

/// What starts the machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Firmware {
    /// Nothing, and no cable for a console either: it shows what it does on its own screen
    /// ([`Machine::screen`]), as it does for who bought it.
    Bare,
    /// Nothing: the emulator loads the image's kernel itself, and no firmware takes of the memory.
    Direct,
    /// UEFI that starts only what is signed, once it has keys, and keeps them.
    Secure,
    /// UEFI, as on a real board: it finds the boot loader on the disk.
    Uefi,
}

/// A machine with a disk of its own.
pub struct Machine {
    folder: TempDir,
    port: u16,
    /// Ports of this computer that lead to doors which should be closed.
    other_ports: Vec<u16>,
    running: Option<Child>,
    tpm: Option<u8>,
    chip: Option<Tpm>,
    stick: bool,
    keyboard: bool,
    /// A bit of its disk isn't what it was.
    turned: bool,
    /// It reaches this computer.
    let_out: bool,
    /// What its system finds, as its firmware says it.
    told: Vec<(String, String)>,
}

impl Machine {
    /// A machine whose disk is larger than the image, as every real one is.
    ///
    /// # Errors
    /// If there is no room for the disk.
    pub fn new(image: &Image) -> Result<Self> {
        let folder = TempDir::new()?;
        let disk = folder.path().join("disk");
        copy(image, &disk)?;
        let other_ports = CLOSED.iter().map(|_| free_port()).collect::<Result<_>>()?;
        let port = free_port()?;
        Ok(Self {
            folder,
            port,
            other_ports,
            running: None,
            tpm: None,
            chip: None,
            stick: false,
            keyboard: true,
            turned: false,
            let_out: false,
            told: Vec::new(),
        })
    }

    /// From the next start on it reaches this computer, at 10.0.2.2.
    pub fn let_out(&mut self) {
        self.let_out = true;
    }

    /// From the next start on its system finds this credential, of a name that systemd knows.
    pub fn tell(&mut self, name: &str, text: &str) {
        self.told.push((name.to_owned(), text.to_owned()));
    }

    /// Puts a TPM in, or another one, or none. Each number is a chip that keeps what it knows.
    pub fn put_tpm(&mut self, number: Option<u8>) {
        self.tpm = number;
    }

    /// Plugs a keyboard in before the next start, or out.
    pub fn put_keyboard(&mut self, there: bool) {
        self.keyboard = there;
    }

    /// Has its image on a stick from now on, beside an empty disk of its own; or no more, and starts
    /// from that disk.
    ///
    /// # Errors
    /// If there is no room for the disk.
    pub fn put_stick(&mut self, there: bool) -> Result<()> {
        let (disk, stick) = (self.folder.path().join("disk"), self.folder.path().join("image"));
        if there {
            fs::rename(&disk, stick)?;
            fs::File::create(disk)?.set_len(3 << 30)?;
        }
        self.stick = there;
        Ok(())
    }

    /// Puts another image on its disk; what the firmware knows stays.
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn replace_disk(&self, image: &Image) -> Result<()> {
        let disk = self.folder.path().join("disk");
        fs::remove_file(&disk)?;
        copy(image, &disk)
    }

    /// Turns one bit of its disk, as an accident or a hand would: of the byte at `at` in the part of
    /// the disk that has this label.
    ///
    /// # Errors
    /// If the disk has no such part.
    pub fn turn_bit(&mut self, label: &str, at: u64) -> Result<()> {
        let path = self.folder.path().join("disk");
        // Afterwards nobody gets a kernel out of an image that isn't whole.
        let start = start_of(&inspect(&path, Some(self.folder.path()))?, label)?;
        self.turned = true;
        let disk = fs::File::options().read(true).write(true).open(path)?;
        let mut byte = [0];
        disk.read_exact_at(&mut byte, start + at)?;
        Ok(disk.write_all_at(&[byte[0] ^ 1], start + at)?)
    }

    /// Switches it on.
    ///
    /// # Errors
    /// If the emulator can't be started.
    pub fn start(&mut self, firmware: Firmware, memory_mib: u32) -> Result<Console> {
        let path = self.folder.path().join("console");
        fs::write(&path, "")?;
        let doors = self.other_ports.iter().zip(CLOSED).chain([(&self.port, &443)]);
        let forward = |(port, door): (&u16, &u16)| format!(",hostfwd=tcp:127.0.0.1:{port}-:{door}");
        let doors: String = doors.map(forward).collect();
        let restrict = if self.let_out { "off" } else { "on" };
        let network = format!("user,model=virtio-net-pci,restrict={restrict}{doors}");
        let memory = memory_mib.to_string();
        let mut command = self.tool("qemu-system-x86_64")?;
        let mut board = String::from("q35");
        if firmware == Firmware::Secure {
            board.push_str(",smm=on");
        }
        if !self.keyboard {
            board.push_str(",i8042=off");
        }
        command.args(["-machine", &board, "-accel", "tcg,thread=multi", "-smp", "2"]);
        command.args(["-m", &memory, "-display", "none", "-monitor", "none", "-no-reboot"]);
        let console = "socket,id=console,path=/here/keys,server=on,wait=off,logfile=/here/console";
        command.args(["-chardev", console, "-serial", "chardev:console", "-nic", &network]);
        command.args(["-drive", "if=none,id=disk,format=raw,file=/here/disk"]);
        command.args(["-device", "qemu-xhci,id=usb"]);
        command.args(["-chardev", "socket,id=control,path=/here/control,server=on,wait=off"]);
        command.args(["-mon", "chardev=control,mode=control"]);
        for (name, text) in &self.told {
            let file = format!("told-{name}");
            fs::write(self.folder.path().join(&file), told(name, text))?;
            command.args(["-smbios", &format!("type=11,path=/here/{file}")]);
        }
        if self.folder.path().join(STICK).exists() {
            command.args(["-drive", "if=none,id=stick,format=raw,file=/here/stick"]);
        }
        match firmware {
            Firmware::Bare => self.direct(&mut command, "")?,
            Firmware::Direct => self.direct(&mut command, TALK)?,
            Firmware::Secure => {
                let guard = "driver=cfi.pflash01,property=secure,value=on";
                command.args(["-global", guard]);
                self.uefi(&mut command, SECURE_CODE)?;
            }
            Firmware::Uefi => self.uefi(&mut command, CODE)?,
        }
        if let Some(number) = self.tpm {
            self.chip = Some(Tpm::start(self.tool("swtpm")?, self.folder.path(), number)?);
            Tpm::attach(&mut command);
        }
        let log = fs::File::create(self.folder.path().join("emulator"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let running = command.spawn()?;
        let console = Console { path, emulator: running.id() };
        self.running = Some(running);
        Ok(console)
    }

    /// Writes a stick with these files, for after the next start.
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn prepare_stick(&self, files: &[(&str, Vec<u8>)]) -> Result<()> {
        stick::write(&self.folder.path().join(STICK), files)
    }

    /// Plugs the stick in.
    ///
    /// # Errors
    /// If the emulator doesn't.
    pub fn plug_in(&self) -> Result<()> {
        let control = self.folder.path().join("control");
        stick::ask(&control, &[PLUG_IN.to_owned()]).map(drop)
    }

    /// Waits until it goes off by itself, as it does instead of starting again.
    ///
    /// # Errors
    /// If it doesn't in time; says how the console ends.
    pub fn wait_off(&mut self, console: &Console, limit: Duration) -> Result<()> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let off = until("the machine's end", limit, || Ok(running.try_wait()?));
        off.map(drop).map_err(|error| console.at_end(&error))?;
        self.running = None;
        Ok(())
    }

    /// Takes the power away.
    pub fn cut_power(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.kill();
            let _ = running.wait();
        }
        self.chip = None;
    }

    /// The port of this computer that leads to the machine's door.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ports of this computer that lead to doors which nobody should open.
    #[must_use]
    pub fn other_ports(&self) -> Vec<u16> {
        self.other_ports.clone()
    }

    /// The processor time that it has taken so far.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        let pid = self.running.as_ref().map(Child::id).unwrap_or_default();
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = text.rsplit(") ").next().unwrap_or_default();
        let ticks = after.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// What `inspect` says of its disk.
    ///
    /// # Errors
    /// If the system on it is not whole.
    pub fn inspect(&self) -> Result<String> {
        inspect(&self.folder.path().join("disk"), None)
    }

    /// The settings of the firmware are its own; what goes to the console is asked for in the one way
    /// that leaves the image as it is.
    fn uefi(&self, command: &mut Command, code: &str) -> Result<()> {
        // Kept from one start to the next, as on a real board.
        let copied =
            self.tool("cp")?.args(["--update=none", VARIABLES, "/here/variables"]).status()?;
        if !copied.success() {
            return Err("the tools have no firmware".into());
        }
        let code = format!("if=pflash,format=raw,unit=0,readonly=on,file={code}");
        // Without an order the firmware looks for a system in the network first.
        command.args(["-device", "virtio-blk-pci,drive=disk,bootindex=1"]);
        if self.stick {
            command.args(["-drive", "if=none,id=image,format=raw,file=/here/image"]);
            command.args(["-device", "qemu-xhci,id=more"]);
            let stick = "usb-storage,bus=more.0,drive=image,removable=on,bootindex=0";
            command.args(["-device", stick]);
        }
        command.args(["-drive", &code]);
        command.args(["-drive", "if=pflash,format=raw,unit=1,file=/here/variables"]);
        let extra = format!("type=11,value=io.systemd.stub.kernel-cmdline-extra={TALK}");
        command.args(["-smbios", &extra]);
        Ok(())
    }

    /// Kernel, first program and command line out of the one file that UEFI would start.
    fn direct(&self, command: &mut Command, more: &str) -> Result<()> {
        let folder = self.folder.path();
        if !self.turned {
            inspect(&folder.join("disk"), Some(folder))?;
        }
        let line = fs::read_to_string(folder.join("command_line"))?;
        command.args(["-device", "virtio-blk-pci,drive=disk"]);
        command.args(["-kernel", "/here/linux", "-initrd", "/here/initrd"]);
        command.args(["-append", &format!("{line} {more}")]);
        Ok(())
    }

    /// A program of the tools that made the image.
    fn tool(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(node::image_build()?);
        command.arg("--work").arg(self.folder.path()).args(["tool", program]);
        Ok(command)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.cut_power();
    }
}

/// What a machine shows to whoever stands before it.
pub struct Console {
    path: PathBuf,
    emulator: u32,
}

impl Console {
    /// Everything so far, without colours.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn text(&self) -> Result<String> {
        Ok(plain(&String::from_utf8_lossy(&fs::read(&self.path)?)))
    }

    /// Types a line on its keyboard.
    ///
    /// # Errors
    /// If the machine is off.
    pub fn type_line(&self, line: &str) -> Result<()> {
        let mut keys = UnixStream::connect(self.path.with_file_name("keys"))?;
        keys.write_all(format!("{line}\n").as_bytes())?;
        // What isn't sent when this closes would be lost.
        std::thread::sleep(Duration::from_millis(500));
        Ok(())
    }

    /// Waits until the machine goes off, or starts again, by itself.
    ///
    /// # Errors
    /// If it runs on.
    pub fn wait_off(&self, limit: Duration) -> Result<()> {
        until("the machine goes off", limit, || Ok((!self.on()).then_some(())))
    }

    /// Whether the emulator runs; a dead one is a zombie until its parent looks.
    fn on(&self) -> bool {
        let about = fs::read_to_string(format!("/proc/{}/stat", self.emulator));
        about.is_ok_and(|about| !about.contains(") Z "))
    }

    /// Waits for a line with this, and gives what follows it there.
    ///
    /// # Errors
    /// If it doesn't come in time, or the machine goes off; says how the console ends.
    pub fn wait(&self, what: &str, limit: Duration) -> Result<String> {
        let found = until(what, limit, || {
            let text = self.text()?;
            let lines = text.lines().rev().skip(usize::from(!text.ends_with('\n')));
            let mut found = lines.filter_map(|line| line.split_once(what));
            let found = found.next().map(|(_, rest)| Ok(rest.to_owned()));
            Ok(found.or_else(|| (!self.on()).then_some(Err("the machine is off"))))
        });
        let found = found.and_then(|found| found.map_err(Into::into));
        found.map_err(|error| self.at_end(&error))
    }

    /// What went wrong, and how the console ends.
    #[must_use]
    pub fn at_end(&self, error: &crate::Error) -> crate::Error {
        let text = self.text().unwrap_or_default();
        let from = text.char_indices().rev().nth(3000).map_or(0, |(at, _)| at);
        let emulator = self.path.with_file_name("emulator");
        let emulator = fs::read_to_string(emulator).unwrap_or_default();
        format!("{error}\n{emulator}\nthe console ends with\n{}", &text[from..]).into()
    }
}

/// Without escape sequences and carriage returns.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                if characters.next() == Some('[') {
                    let _ = characters.by_ref().find(char::is_ascii_alphabetic);
                }
            }
            '\r' => {}
            other => plain.push(other),
        }
    }
    plain
}

/// An image on a disk that is larger than it.
fn copy(image: &Image, disk: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("--sparse=always").arg(&image.path).arg(disk).status()?;
    if !copied.success() {
        return Err("the image can't be copied".into());
    }
    Ok(fs::File::options().write(true).open(disk)?.set_len(1 << 30)?)
}

/// Where a partition starts, in bytes, from what `inspect` says of all of them: they follow each other
/// from the first MiB on.
fn start_of(about: &str, label: &str) -> Result<u64> {
    let mut start = 1;
    for line in about.lines().skip(1).take_while(|line| line.starts_with(' ')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.get(4).is_some_and(|name| name.ends_with(label)) {
            return Ok(start << 20);
        }
        start += words.get(1).ok_or("inspect says no size")?.parse::<u64>()?;
    }
    Err(format!("no partition is called {label}").into())
}

fn inspect(image: &Path, out: Option<&Path>) -> Result<String> {
    let mut command = Command::new(node::image_build()?);
    command.arg("inspect").arg(image);
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    let said = command.output()?;
    if !said.status.success() {
        let reason = String::from_utf8_lossy(&said.stderr);
        return Err(format!("{} is not whole: {reason}", image.display()).into());
    }
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

/// As systemd.system-credentials(7) has it.
fn told(name: &str, text: &str) -> String {
    format!("io.systemd.credential.binary:{name}={}", crate::mirror::base64(text.as_bytes()))
}

/// Shells, web without TLS, names, and what systemd's own services would open.
const CLOSED: &[u16] = &[22, 23, 53, 80, 111, 5353, 5355, 8080, 19_531];
const STICK: &str = "stick";
const PLUG_IN: &str = r#"{"execute":"device_add","arguments":{"driver":"usb-storage","bus":"usb.0","drive":"stick","removable":true}}"#;
const CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const SECURE_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// Everything that happens is said on the serial console.
const TALK: &str =
    "console=ttyS0 loglevel=5 systemd.show_status=yes systemd.journald.forward_to_console=yes";
