//! `read-energy`: the processor's counters, which the kernel shows to root only, because their fine
//! steps can give away what other programs calculate.
//!
//! Reads; what a number means, and how exact it is, is for whoever asked.

use std::fs;
use std::path::Path;

use handover::{COUNTERS_MAX, EnergyCounter};

/// Every counter of the machine.
pub(super) fn read(sys: &Path) -> Vec<EnergyCounter> {
    let zones = fs::read_dir(sys.join("class/powercap")).into_iter().flatten().flatten();
    let mut folders: Vec<_> = zones.map(|zone| zone.path()).collect();
    folders.sort();
    folders.iter().filter_map(|folder| counter(folder)).take(COUNTERS_MAX).collect()
}

fn counter(folder: &Path) -> Option<EnergyCounter> {
    let text = |file: &str| fs::read_to_string(folder.join(file)).ok();
    let number = |file: &str| text(file)?.trim().parse().ok();
    let name: String = text("name")?.trim().chars().take(NAME_MAX).collect();
    let (microjoules, wraps_after) = (number("energy_uj")?, number("max_energy_range_uj")?);
    Some(EnergyCounter { name, microjoules, wraps_after })
}

const NAME_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_and_what_is_none_is_left_out() {
        let sys = tempfile::tempdir().unwrap();
        assert_eq!(read(sys.path()), []);
        for (zone, name, energy) in [
            ("intel-rapl", "", ""),
            ("intel-rapl:0", "package-0\n", "262143328850\n"),
            ("intel-rapl:0:0", "core\n", "17\n"),
            ("intel-rapl:1", "package-1\n", "nonsense\n"),
            ("intel-rapl:2", "package-2\n", "-5\n"),
        ] {
            let folder = sys.path().join("class/powercap").join(zone);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("max_energy_range_uj"), "262143328850\n").unwrap();
            if !name.is_empty() {
                fs::write(folder.join("name"), name).unwrap();
                fs::write(folder.join("energy_uj"), energy).unwrap();
            }
        }
        let found: Vec<_> =
            read(sys.path()).into_iter().map(|one| (one.name, one.microjoules)).collect();
        assert_eq!(found, [("package-0".to_owned(), 262_143_328_850), ("core".to_owned(), 17)]);
    }
}
