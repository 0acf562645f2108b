//! What the boot loader says of itself to the system: from which partition it was started. Two disks can
//! have the same system, such as a stick and the disk that it was installed on.

/// The id in a firmware variable, in the order in which it is written as text: four bytes about the
/// variable, then the text in UTF-16.
#[must_use]
pub fn partition(variable: &[u8]) -> Option<[u8; 16]> {
    let text = variable.get(4..)?;
    let (units, _) = text.as_chunks::<2>();
    let letters = units.iter().map(|unit| u16::from_le_bytes(*unit)).take_while(|unit| *unit != 0);
    let text: String = char::decode_utf16(letters).collect::<Result<_, _>>().ok()?;
    let digits: Vec<u8> = text
        .chars()
        .filter(|letter| *letter != '-')
        .map(|letter| letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    if rest.is_empty() { bytes.try_into().ok() } else { None }
}

/// Where the kernel shows it.
pub const VARIABLE: &str =
    "/sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn variable(text: &str) -> Vec<u8> {
        let units = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
        [6, 0, 0, 0].into_iter().chain(units).collect()
    }

    #[test]
    fn the_partition_is_read() {
        let id = partition(&variable("686F6D65-7477-696E-2D73-797374656D31"));
        assert_eq!(id, Some(*b"hometwin-system1"));
        assert_eq!(partition(&variable("686F6D65-7477-696E-2D73-797374656D")), None);
        assert_eq!(partition(&variable("")), None);
        assert_eq!(partition(&[]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = partition(&bytes);
        }
    }
}
