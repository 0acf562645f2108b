//! What a fuzz target calls, and the replay of the committed corpus; nothing else uses it.

use std::cell::RefCell;
use std::io;

use crate::health::smart;
use crate::slots::{Blocks, Slots, fat};

/// Reads the bytes as a disk with slots, and as a stick.
pub fn disk(bytes: &[u8]) {
    let memory = Memory(RefCell::new(bytes.to_vec()));
    for running in [[1, 2], [2, 4]] {
        let _ = Slots::new(&memory, running).about();
        let _ = Slots::new(&memory, running).roll_back();
    }
    if let Ok(stick) = fat::Fat::open(&memory) {
        let _ = stick.free();
        for entry in stick.list(&[]).unwrap_or_default() {
            let file = fat::Fat::open(&memory).and_then(|stick| fat::File::new(stick, &entry));
            if let Ok(file) = file {
                let mut start = vec![0; usize::try_from(entry.length.min(4096)).unwrap_or(0)];
                let _ = file.read_at(0, &mut start);
            }
        }
    }
}

/// A disk that is all in memory.
struct Memory(RefCell<Vec<u8>>);

impl Memory {
    fn inside(&self, at: u64, length: usize) -> io::Result<std::ops::Range<usize>> {
        let start = usize::try_from(at).map_err(io::Error::other)?;
        let end = start.checked_add(length).filter(|end| *end <= self.0.borrow().len());
        end.map(|end| start..end).ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}

impl Blocks for Memory {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let place = self.inside(at, into.len())?;
        into.copy_from_slice(&self.0.borrow()[place]);
        Ok(())
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let place = self.inside(at, bytes.len())?;
        self.0.borrow_mut()[place].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn forget(&self, _at: u64, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.borrow().len() as u64)
    }
}

/// Reads the bytes as what a disk said of itself.
pub fn disk_report(bytes: &[u8]) {
    if let Some(report) = smart::read(bytes) {
        debug_assert!(report.model.chars().all(|c| !c.is_control()), "it goes to a terminal");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use serde_json::{Value, json};

    #[test]
    fn the_corpus_does_no_harm() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/disk_report");
        let files = std::fs::read_dir(folder).unwrap();
        let read =
            |file: std::fs::DirEntry| super::disk_report(&std::fs::read(file.path()).unwrap());
        assert!(files.map(|file| read(file.unwrap())).count() >= 8, "the corpus is there");
    }

    /// What smartctl says somewhere, and what it never would.
    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<u64>().prop_map(|number| json!(number)),
            any::<i64>().prop_map(|number| json!(number)),
            any::<bool>().prop_map(|truth| json!(truth)),
            "\\PC{0,8}".prop_map(|text| json!(text)),
            any::<f64>().prop_map(|number| json!(number)),
            Just(json!([[], { "id": 5, "raw": { "string": "99999999999999999999999" } }])),
            Just(json!({ "table": [1], "passed": null })),
        ]
    }

    /// A small stick: a table of two sectors, and a folder with some records.
    fn stick(records: &[u8], table: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 512];
        for (at, value) in [(11, 512_u16), (14, 1), (19, 64), (510, 0xaa55)] {
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        (bytes[13], bytes[16], bytes[36], bytes[44]) = (1, 1, 2, 2);
        bytes[512..512 + table.len()].copy_from_slice(table);
        bytes[1536..1536 + records.len()].copy_from_slice(records);
        bytes
    }

    #[test]
    fn the_corpus_of_disks_does_no_harm() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/disk");
        if std::env::var_os("HOMETWIN_WRITE").is_some() {
            std::fs::create_dir_all(folder).unwrap();
            let mut file = *b"A       BUN\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\0\x05\0\0\0";
            let table = [[0xff; 4], [0xff; 4], [0xff, 0xff, 0xff, 0x0f], [3, 0, 0, 0]].concat();
            std::fs::write(format!("{folder}/round"), stick(&file, &table)).unwrap();
            file[11] = 0x10;
            std::fs::write(format!("{folder}/folder"), stick(&file, &table)).unwrap();
            std::fs::write(format!("{folder}/short"), &stick(&file, &table)[..700]).unwrap();
        }
        let files = std::fs::read_dir(folder).unwrap();
        let read = |file: std::fs::DirEntry| super::disk(&std::fs::read(file.path()).unwrap());
        assert!(files.map(|file| read(file.unwrap())).count() >= 3, "the corpus is there");
    }

    proptest! {
        #[test]
        fn any_stick_is_read_or_refused(
            records in proptest::collection::vec(0_u8.., 0..512),
            table in proptest::collection::vec(0_u8..40, 0..512),
            head in proptest::collection::vec((0..64_usize, 0_u8..), 0..3),
        ) {
            let mut bytes = stick(&records, &table);
            for (at, value) in head {
                bytes[at] = value;
            }
            super::disk(&bytes);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 400,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bytes_are_a_report_or_nothing(bytes in proptest::collection::vec(0_u8.., 0..300)) {
            super::disk_report(&bytes);
        }

        #[test]
        fn any_values_are_a_report(
            values in proptest::collection::vec(value(), 9),
            model in "\\PC{0,80}|[\\x00-\\x20]{0,80}",
        ) {
            let document = json!({
                "smartctl": {},
                "model_name": model,
                "smart_status": { "passed": values[0] },
                "nvme_smart_health_information_log": {
                    "critical_warning": values[1], "percentage_used": values[2], "media_errors": values[3],
                },
                "ata_smart_attributes": {
                    "table": [{ "id": 5, "raw": { "string": values[4] } }, { "id": 197, "raw": values[5] }],
                },
                "ata_device_statistics": { "pages": [values[6], { "table": [values[7]] }] },
                "scsi_grown_defect_list": values[8],
            });
            let bytes = document.to_string().into_bytes();
            super::disk_report(&bytes);
            let report = crate::health::smart::read(&bytes);
            prop_assert!(report.is_some_and(|one| one.used.is_none_or(|percent| percent <= 255)));
        }
    }
}
