//! What system runs on this machine, and whom it trusts: as it says itself, in files of the system, which
//! in an image is verified. Read before a wall leaves none.

use std::fs;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use update::{Here, Trust};

/// Whom it trusts, which is nobody where the image was built without keys; and what it is, now.
///
/// # Errors
/// When it doesn't say what it is.
pub fn read() -> io::Result<(Option<Trust>, Here)> {
    let trust = fs::read(TRUSTED).ok().and_then(|file| Trust::read(&file).ok());
    let here = here(&fs::read_to_string("/etc/os-release")?);
    Ok((trust, Here { now: now(), ..here }))
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn here(about: &str) -> Here {
    let value = |key: &str| {
        let mut lines = about.lines().filter_map(|line| line.split_once('='));
        let found = lines.find(|(name, _)| *name == key);
        found.map(|(_, value)| value.trim_matches('"').to_owned())
    };
    let version = value("VERSION_ID").unwrap_or_default().parse();
    Here {
        flavour: value("VARIANT_ID").unwrap_or_default(),
        arch: std::env::consts::ARCH.to_owned(),
        // Another system than an image has no slots, and asks only what it has.
        version: version.unwrap_or(update::Version::FIRST),
        now: 0,
    }
}

/// In the verified system; `image-build` puts it there.
const TRUSTED: &str = "/usr/lib/hometwin/update-keys";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_says_what_it_is() {
        let here = here("NAME=\"x\"\nVERSION_ID=1.2.3\nVARIANT_ID=headless\n");
        assert_eq!((here.flavour.as_str(), here.version), ("headless", update::Version(1, 2, 3)));
    }
}
