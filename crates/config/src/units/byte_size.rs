//! Sizes in bytes, as the file writes them: `64KiB`.

use std::fmt;
use std::str::FromStr;

use super::{leading_number, written_as_text};

/// A number of bytes, such as `512`, `64KiB`, `1MiB` or `10MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// The binary units, from the largest: the ones in which a size is written back.
const BINARY: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
/// The decimal units, and the byte itself.
const DECIMAL: [(&str, u64); 5] = [
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
    ("", 1),
];

/// The largest size, so that sums and signed integers of 64 bits can't overflow.
const MAX: u64 = 1 << 50;

const EXPECTED: &str = "a size is a number of bytes, such as `512`, `64KiB`, `1MiB` or `10MB`";

written_as_text!(
    ByteSize,
    "byte-size",
    "^[0-9]+([KMG]i?B|B)?$",
    ["512", "64KiB", "1MiB", "10MB"]
);

impl ByteSize {
    /// So many KiB.
    pub const fn kib(count: u64) -> ByteSize {
        ByteSize(count << 10)
    }

    /// So many MiB.
    pub const fn mib(count: u64) -> ByteSize {
        ByteSize(count << 20)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no size; {EXPECTED}");
        let (digits, unit) = leading_number(text);
        let (_, factor) = BINARY
            .iter()
            .chain(&DECIMAL)
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        match count.checked_mul(*factor) {
            Some(bytes) if bytes <= MAX => Ok(ByteSize(bytes)),
            _ => Err(format!("`{text}` is too large; the largest size is `1048576GiB`")),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match BINARY
            .iter()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor))
        {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, bytes, written) in [
            ("0", 0, "0"),
            ("512", 512, "512"),
            ("512B", 512, "512"),
            ("64KiB", 65_536, "64KiB"),
            ("1MiB", 1 << 20, "1MiB"),
            ("1536KiB", 1_572_864, "1536KiB"),
            ("1GiB", 1 << 30, "1GiB"),
            ("10MB", 10_000_000, "10000000"),
            ("1KB", 1_000, "1000"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.0, bytes, "{text}");
            assert_eq!(size.to_string(), written);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "KiB", "1 KiB", "1kib", "1.5MiB", "-1", "1M", "99999999999999999999"] {
            let error = text.parse::<ByteSize>().unwrap_err();
            assert!(error.contains("such as"), "{error}");
        }
        assert!("1048577GiB".parse::<ByteSize>().unwrap_err().contains("too large"));
    }
}
