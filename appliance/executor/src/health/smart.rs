//! What disks say of themselves, as `smartctl --json` of smartmontools wrote it down.
//!
//! Who may ask a disk is somebody else: a unit beside the node's, once a day, one document for a disk.
//! Here it is only read. Its words and numbers are the disk's and so foreign: what is not as it should
//! be is not there, and nothing is believed to be short.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

/// What one disk said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Report {
    /// What its maker calls it; empty when it did not say.
    pub(crate) model: String,
    /// Whether it said how it is. Behind some adapters, and in virtual machines, disks don't.
    pub(crate) speaks: bool,
    /// It says that it fails.
    pub(crate) failing: bool,
    /// How much of its life is used, in percent; beyond 100 it goes on for a while.
    pub(crate) used: Option<u64>,
    /// Places that can't be read, or not always.
    pub(crate) unreadable: u64,
    /// Places that it has given up and replaced.
    pub(crate) replaced: u64,
}

/// What is known of one disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    /// Nobody asked it.
    Missing,
    /// Somebody did once, and not again for days.
    Old,
    /// The document can't be read, or is none.
    Unreadable,
    /// As of today or yesterday.
    Fresh(Report),
}

/// Everything that was written down lately in this folder, by the names of the disks.
pub(crate) fn all(folder: &Path) -> Vec<(String, Report)> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let name = |file: std::fs::DirEntry| {
        let name = file.file_name().to_str()?.strip_suffix(".json")?.to_owned();
        is_disk(&name).then_some(name)
    };
    let mut names: Vec<_> = files.take(DISKS_MAX).filter_map(name).collect();
    names.sort_unstable();
    let fresh = |name: String| match of_disk(folder, &name) {
        Seen::Fresh(report) => Some((name, report)),
        Seen::Missing | Seen::Old | Seen::Unreadable => None,
    };
    names.into_iter().filter_map(fresh).collect()
}

/// What was written down of this disk.
pub(crate) fn of_disk(folder: &Path, name: &str) -> Seen {
    let mut options = OpenOptions::new();
    // What is no file must not keep anybody waiting.
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    let file = match options.open(folder.join(format!("{name}.json"))) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Seen::Missing,
        Err(_) => return Seen::Unreadable,
    };
    let written = match file.metadata() {
        Ok(about) if about.is_file() => about.modified(),
        Ok(_) | Err(_) => return Seen::Unreadable,
    };
    // A clock that was put back makes it younger than nothing, and that is fresh.
    let age = written.map(|then| SystemTime::now().duration_since(then).unwrap_or_default());
    if age.is_ok_and(|age| age > OLD) {
        return Seen::Old;
    }
    bytes_of(file).and_then(|bytes| read(&bytes)).map_or(Seen::Unreadable, Seen::Fresh)
}

fn bytes_of(file: File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= BYTES_MAX).then_some(bytes)
}

/// Reads one document; nothing for what smartctl did not write.
pub(crate) fn read(bytes: &[u8]) -> Option<Report> {
    let all: Value = serde_json::from_slice(bytes).ok()?;
    all.get("smartctl")?.as_object()?;
    let number = |path: &str| all.pointer(path).and_then(Value::as_u64);
    let model = ["/model_name", "/scsi_model_name", "/scsi_product"].into_iter();
    let model = model.filter_map(|path| all.pointer(path)?.as_str()).next().unwrap_or_default();
    let passed = all.pointer("/smart_status/passed").and_then(Value::as_bool);
    // "Not passed" of an NVMe disk may mean that it is warm.
    let warning = number(&format!("{NVME}/critical_warning"));
    let failing = warning.map_or(passed == Some(false), |bits| bits & FAILS != 0);
    let used = [
        number(&format!("{NVME}/percentage_used")),
        number("/endurance_used/current_percent"),
        number("/scsi_percentage_used_endurance_indicator"),
        ata_statistic(&all, "Percentage Used Endurance Indicator"),
    ];
    let pending = ata_attribute(&all, PENDING).max(ata_attribute(&all, UNCORRECTABLE));
    let errors = number(&format!("{NVME}/media_errors"));
    let defects = number("/scsi_grown_defect_list");
    Some(Report {
        model: model.trim().chars().filter(|c| !c.is_control()).take(MODEL_MAX).collect(),
        speaks: passed.is_some() || warning.is_some(),
        failing,
        used: used.into_iter().flatten().max().map(|percent| percent.min(PERCENT_MAX)),
        unreadable: pending.or(errors).unwrap_or(0),
        replaced: ata_attribute(&all, REPLACED).or(defects).unwrap_or(0),
    })
}

/// What an attribute of this number counts. Some makers put more than the count into the raw value:
/// smartctl knows them and writes the count first.
fn ata_attribute(all: &Value, id: u64) -> Option<u64> {
    let table = all.pointer("/ata_smart_attributes/table")?.as_array()?;
    let raw =
        table.iter().find(|one| one.get("id").and_then(Value::as_u64) == Some(id))?.get("raw");
    let text = raw?.get("string")?.as_str()?;
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn ata_statistic(all: &Value, name: &str) -> Option<u64> {
    let pages = all.pointer("/ata_device_statistics/pages")?.as_array()?;
    let tables = pages.iter().filter_map(|page| page.get("table")?.as_array());
    let entry = tables.flatten().find(|one| one.get("name").and_then(Value::as_str) == Some(name));
    entry?.get("value")?.as_u64()
}

/// As the kernel names whole disks.
fn is_disk(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

const NVME: &str = "/nvme_smart_health_information_log";
/// Of "critical warning" (NVM Express base specification, SMART log): no spare left, not reliable,
/// read-only, memory without backup, persistent region lost. Not among them: too warm, bit 1.
const FAILS: u64 = 0b11_1101;
/// Attributes of ATA disks that nearly all makers number alike.
const REPLACED: u64 = 5;
const PENDING: u64 = 197;
const UNCORRECTABLE: u64 = 198;
/// A document has some kilobytes.
const BYTES_MAX: u64 = 64 << 10;
const DISKS_MAX: usize = 64;
const MODEL_MAX: usize = 40;
/// The largest number that NVMe can say.
const PERCENT_MAX: u64 = 255;
/// They are asked once a day.
const OLD: Duration = Duration::from_secs(3 * 24 * 60 * 60);

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Real ones from virtual disks, and copies of them in which values were changed.
    pub(in crate::health) fn document(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/disk_report");
        std::fs::read(format!("{folder}/{name}.json")).unwrap()
    }

    #[test]
    fn what_smartctl_writes_is_understood() {
        let sound = |model: &str| Report { model: model.into(), speaks: true, ..Report::default() };
        let nvme = Report { used: Some(0), ..sound("QEMU NVMe Ctrl") };
        let ata = sound("QEMU HARDDISK");
        for (name, expected) in [
            ("nvme-sound", nvme.clone()),
            ("nvme-failing", Report { failing: true, ..nvme.clone() }),
            ("nvme-worn", Report { used: Some(97), unreadable: 3, ..nvme }),
            ("ata-sound", ata.clone()),
            ("ata-worn", Report { used: Some(93), ..ata.clone() }),
            ("ata-failing", Report { failing: true, replaced: 8, unreadable: 5, ..ata }),
            ("scsi", Report { used: Some(12), replaced: 4, ..sound("ACME SAS SSD") }),
            ("no-device", Report::default()),
        ] {
            assert_eq!(read(&document(name)), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_warm_disk_does_not_fail_for_that() {
        let text = String::from_utf8(document("nvme-failing")).unwrap();
        let warm = text.replace("\"critical_warning\":5", "\"critical_warning\":2");
        assert!(!read(warm.as_bytes()).unwrap().failing);
    }

    #[test]
    fn nonsense_is_nothing() {
        for text in ["", "{", "[]", "{}", "{\"smartctl\":1}", "null", &"[".repeat(60_000)] {
            assert_eq!(read(text.as_bytes()), None, "{text:.20}");
        }
        let odd = "{\"smartctl\":{},\"model_name\":7,\"smart_status\":{\"passed\":\"no\"},\
                   \"nvme_smart_health_information_log\":{\"critical_warning\":-1},\
                   \"ata_smart_attributes\":{\"table\":[{\"id\":5,\"raw\":{\"string\":\"x\"}},3]}}";
        assert_eq!(read(odd.as_bytes()), Some(Report::default()));
    }

    #[test]
    fn only_files_of_disks_are_read_and_only_fresh_ones() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes);
        put("sda.json", &document("ata-sound")).unwrap();
        put("sdb.json", &document("ata-worn")).unwrap();
        put("sdc.json", &vec![b' '; BYTES_MAX as usize + 1]).unwrap();
        put("a.b.json", &document("ata-sound")).unwrap();
        put("sdd", &document("ata-sound")).unwrap();
        let link = folder.path().join("sde.json");
        std::os::unix::fs::symlink(folder.path().join("sda.json"), link).unwrap();
        let pipe = folder.path().join("sdf.json");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let old = File::options().write(true).open(folder.path().join("sdb.json")).unwrap();
        old.set_modified(SystemTime::now() - 2 * OLD).unwrap();
        let names: Vec<_> = all(folder.path()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["sda"]);
        assert_eq!(of_disk(folder.path(), "sdb"), Seen::Old);
        for unreadable in ["sdc", "sde", "sdf"] {
            assert_eq!(of_disk(folder.path(), unreadable), Seen::Unreadable, "{unreadable}");
        }
        assert_eq!(of_disk(folder.path(), "sdx"), Seen::Missing);
        assert_eq!(all(Path::new("/nowhere")), []);
    }
}
