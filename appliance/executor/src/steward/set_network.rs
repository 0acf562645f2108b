//! `set-network`: how the machine's network cards get their addresses, written where systemd-networkd
//! reads it.
//!
//! What is asked is checked again here and put into a file of a fixed name, word for word by this file;
//! nothing that anybody sent is copied into it but numbers. Who starts networkd again is systemd, which
//! watches that folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use handover::{Connection, Fixed, FromSteward};

/// Beside the node's data, and root's own.
pub(super) fn folder(data: &Path) -> PathBuf {
    data.with_file_name("hometwin-network")
}

pub(super) fn answer(data: &Path, connection: &Connection) -> FromSteward {
    let folder = folder(data);
    if let Err(wrong) = connection.check() {
        return FromSteward::Failed { text: format!("no network: {}", wrong.name()) };
    }
    if !folder.is_dir() {
        // A machine whose network is somebody else's business.
        return FromSteward::Unsupported;
    }
    match write(&folder, &text(connection)) {
        Ok(()) => FromSteward::Done,
        Err(error) => {
            tracing::error!(%error, "the network can't be set");
            FromSteward::Failed { text: error.to_string() }
        }
    }
}

/// Complete or not at all, whenever the power fails.
fn write(folder: &Path, text: &str) -> io::Result<()> {
    let temporary = folder.join("new");
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, folder.join(FILE))?;
    std::fs::File::open(folder)?.sync_all()
}

/// As systemd.network(5) has it.
fn text(connection: &Connection) -> String {
    let rest = match connection {
        Connection::Auto => {
            "DHCP=yes\n\n[DHCPv4]\nUseDomains=no\n\n[DHCPv6]\nUseDomains=no\n".to_owned()
        }
        Connection::Fixed(fixed) => of_fixed(fixed),
    };
    format!("{HEAD}{rest}")
}

fn of_fixed(fixed: &Fixed) -> String {
    let mut text = format!("Address={}/{}\n", fixed.address, fixed.prefix);
    if let Some(router) = fixed.router {
        text.push_str(&format!("Gateway={router}\n"));
    }
    for namer in &fixed.namers {
        text.push_str(&format!("DNS={namer}\n"));
    }
    text
}

const FILE: &str = "wired.network";
const HEAD: &str = "# Written by hometwin from what its owner has chosen.\n[Match]\nType=ether\n\n\
                    [Network]\nIPv6AcceptRA=yes\nLinkLocalAddressing=yes\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_is_written_and_nonsense_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let data = parent.path().join("hometwin");
        assert_eq!(answer(&data, &Connection::Auto), FromSteward::Unsupported);
        std::fs::create_dir(folder(&data)).unwrap();
        assert_eq!(answer(&data, &Connection::Auto), FromSteward::Done);
        let file = folder(&data).join(FILE);
        assert!(std::fs::read_to_string(&file).unwrap().contains("\nDHCP=yes\n"));
        let fixed = Fixed::read("192.168.1.5/24", "192.168.1.1", "9.9.9.9 2620:fe::fe").unwrap();
        assert_eq!(answer(&data, &Connection::Fixed(fixed.clone())), FromSteward::Done);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("DHCP"), "{text}");
        let expected =
            "Address=192.168.1.5/24\nGateway=192.168.1.1\nDNS=9.9.9.9\nDNS=2620:fe::fe\n";
        assert!(text.ends_with(expected), "{text}");
        let wrong = Connection::Fixed(Fixed { prefix: 99, ..fixed });
        assert!(matches!(answer(&data, &wrong), FromSteward::Failed { .. }));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
}
