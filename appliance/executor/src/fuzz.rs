//! What a fuzz target calls, and the replay of the committed corpus; nothing else uses it.

use crate::health::smart;

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
