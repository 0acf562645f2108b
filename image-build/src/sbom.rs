//! What an image is made of, as a list that other programs read (SPDX 2.3): Debian's packages with the
//! hashes of their files, and the crates of our own programs.
//!
//! The same image has the same list: its time is the recipe's.

use serde_json::{Value, json};

use crate::cargo::{self, Crate};
use crate::lock::Lock;
use crate::{Error, Result};

/// The list, of an image with this version.
pub(crate) fn list(version: &str, arch: &str, epoch: u64, system: &Lock) -> Result<String> {
    let mut packages: Vec<Value> =
        system.iter().map(|(name, version, hash)| debian(name, version, hash)).collect();
    packages.extend(crates(&cargo::linked(arch)?));
    let document = document(version, epoch, packages);
    serde_json::to_string_pretty(&document).map_err(Error::image)
}

fn document(version: &str, epoch: u64, packages: Vec<Value>) -> Value {
    let describes = packages.iter().map(|package| {
        json!({
            "spdxElementId": IMAGE,
            "relationshipType": "CONTAINS",
            "relatedSpdxElement": package["SPDXID"],
        })
    });
    let mut relationships = vec![json!({
        "spdxElementId": "SPDXRef-DOCUMENT",
        "relationshipType": "DESCRIBES",
        "relatedSpdxElement": IMAGE,
    })];
    relationships.extend(describes);
    let mut all = vec![json!({
        "SPDXID": IMAGE,
        "name": "hometwin",
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
    })];
    // Two documents with the same name say the same.
    let content = json!(packages).to_string();
    let id = blake3::hash(content.as_bytes()).to_hex();
    all.extend(packages);
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("hometwin-{version}"),
        "documentNamespace": format!("urn:hometwin:image:{version}:{id}"),
        "creationInfo": { "created": time(epoch), "creators": ["Tool: image-build"] },
        "packages": all,
        "relationships": relationships,
    })
}

fn debian(name: &str, version: &str, hash: &str) -> Value {
    let mut package = package("deb", name, version, &format!("pkg:deb/debian/{name}@{version}"));
    if hash.len() == 64 {
        package["checksums"] = json!([{ "algorithm": "SHA256", "checksumValue": hash }]);
    }
    package
}

fn crates(linked: &[Crate]) -> impl Iterator<Item = Value> {
    linked.iter().map(|Crate { name, version }| {
        package("cargo", name, version, &format!("pkg:cargo/{name}@{version}"))
    })
}

fn package(kind: &str, name: &str, version: &str, url: &str) -> Value {
    let id: String = format!("{kind}-{name}-{version}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    json!({
        "SPDXID": format!("SPDXRef-{id}"),
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": url.replace('+', "%2B").replace('~', "%7E"),
        }],
    })
}

/// Seconds since 1970 as a day and a time, by the calendar of today.
fn time(epoch: u64) -> String {
    let (days, rest) = (epoch / 86_400, epoch % 86_400);
    // Years that begin in March have their leap day at the end.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month < 3);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

const IMAGE: &str = "SPDXRef-image";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_package_is_in_it_once_and_belongs_to_the_image() {
        let mut packages = vec![debian("libc6", "2.41-12+deb13u5", &"a".repeat(64))];
        packages.push(debian("linux-image-6.12", "6.12~1", "unknown"));
        let serde = Crate { name: "serde".to_owned(), version: "1.0.2".to_owned() };
        packages.extend(crates(&[serde]));
        let document = document("1.2.3", 1_764_547_200, packages);
        let all = document["packages"].as_array().unwrap();
        let ids: BTreeSet<&str> = all.iter().map(|one| one["SPDXID"].as_str().unwrap()).collect();
        assert_eq!((all.len(), ids.len()), (4, 4), "{document:#}");
        assert_eq!(document["relationships"].as_array().unwrap().len(), 4);
        assert_eq!(all[1]["checksums"][0]["algorithm"], "SHA256");
        assert!(all[2].get("checksums").is_none());
        let url = &all[1]["externalRefs"][0]["referenceLocator"];
        assert_eq!(url, "pkg:deb/debian/libc6@2.41-12%2Bdeb13u5");
        assert_eq!(all[3]["name"], "serde");
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        assert!(ids.iter().all(|id| id.chars().all(allowed)), "{ids:?}");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_764_547_200, "2025-12-01T00:00:00Z"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }
}
