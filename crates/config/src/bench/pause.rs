//! How long a client thinks, as the file writes it: `50ms..200ms`.

use std::fmt;
use std::str::FromStr;

use crate::units::{Duration, written_as_text};

/// A pause: `100ms`, or any length between two: `50ms..200ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

written_as_text!(
    Pause,
    "pause",
    r"^([0-9]+(d|h|m|s|ms))+(\.\.([0-9]+(d|h|m|s|ms))+)?$",
    ["100ms", "50ms..200ms", "1s..3s"]
);

impl FromStr for Pause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let (least, most) = (least.parse()?, most.parse()?);
        if least > most {
            return Err(format!("`{text}` ends before it begins; write the shorter one first"));
        }
        Ok(Pause { least, most })
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.least == self.most {
            true => write!(f, "{}", self.least),
            false => write!(f, "{}..{}", self.least, self.most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_read_and_written_back() {
        for (text, written) in [("100ms", "100ms"), ("50ms..1s", "50ms..1s"), ("1s..1s", "1s")] {
            assert_eq!(
                text.parse::<Pause>().map(|pause| pause.to_string()),
                Ok(written.to_owned())
            );
        }
        for text in ["", "..", "5", "1s..", "2s..1s", "1s...2s"] {
            assert!(text.parse::<Pause>().is_err(), "{text}");
        }
    }
}
