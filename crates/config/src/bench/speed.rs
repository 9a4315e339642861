//! How fast a log is replayed, as the file writes it: `3x`.

use std::fmt;
use std::str::FromStr;

use crate::units::written_as_text;

/// How many times as fast as it was, such as `1x`, `3x` or `0.5x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

written_as_text!(Speed, "speed", r"^[0-9]+(\.[0-9]+)?x$", ["1x", "3x", "0.5x"]);

impl Speed {
    /// As a factor; more than nothing.
    pub fn factor(self) -> f64 {
        self.0
    }
}

/// As fast as it was.
impl Default for Speed {
    fn default() -> Speed {
        Speed(1.0)
    }
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('x').filter(|number| {
            let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'.';
            number.starts_with(|c: char| c.is_ascii_digit()) && number.bytes().all(is_digit)
        });
        match number.and_then(|number| number.parse().ok()) {
            Some(factor) if (0.001..=1000.0).contains(&factor) => Ok(Speed(factor)),
            _ => Err(format!(
                "`{text}` is no speed; write how many times as fast, such as `1x`, `3x` or `0.5x`, from 0.001 to 1000"
            )),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read_and_written_back() {
        for text in ["1x", "3x", "0.5x", "1000x"] {
            assert_eq!(
                text.parse::<Speed>().map(|speed| speed.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["", "x", "3", "0x", "-1x", "1001x", "infx", "1.2.3x"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }
}
