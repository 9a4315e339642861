//! Rates, as the file writes them: `500/s`.

use std::fmt;
use std::str::FromStr;

use crate::units::written_as_text;

/// How many flows start in a time, such as `500/s`, `5k/s`, `30/m` or `500`, which is by the second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// The highest rate: more than one machine asks.
const MOST: f64 = 10_000_000.0;

const EXPECTED: &str = "a rate is a number of flows in a time, such as `500/s`, `5k/s`, `0.5/s` or `30/m`";

written_as_text!(
    Rate,
    "rate",
    r"^[0-9]+(\.[0-9]+)?k?(/[smh])?$",
    ["500/s", "5k/s", "0.5/s", "30/m"]
);

impl Rate {
    /// So many a second.
    pub fn per_second(count: u32) -> Rate {
        Rate(f64::from(count))
    }

    /// How many a second; more than none.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no rate; {EXPECTED}");
        let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match unit.trim_start() {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        let number = number.trim_end();
        let (number, factor) = match number.strip_suffix('k') {
            Some(thousands) => (thousands, 1000.0),
            None => (number, 1.0),
        };
        let is_number = number.starts_with(|c: char| c.is_ascii_digit())
            && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number: f64 = number.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
        let rate = number * factor / seconds;
        match rate {
            rate if rate <= 0.0 => Err(format!("`{text}` is no load at all; {EXPECTED}")),
            rate if rate > MOST => Err(format!("`{text}` is too much; the most is `10000k/s`")),
            // A rate of fewer than one in a day is a slip.
            rate if rate < 1e-5 => Err(wrong()),
            rate => Ok(Rate(rate)),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written_back() {
        for (text, rate, written) in [
            ("500/s", 500.0, "500/s"),
            ("500", 500.0, "500/s"),
            ("5k/s", 5000.0, "5000/s"),
            ("2.5k", 2500.0, "2500/s"),
            ("0.5/s", 0.5, "0.5/s"),
            ("30/m", 0.5, "0.5/s"),
            ("3600 / h", 1.0, "1/s"),
        ] {
            let read: Rate = text.parse().expect(text);
            assert_eq!(
                (read.get().to_bits(), read.to_string()),
                (f64::to_bits(rate), written.to_owned())
            );
            assert_eq!(written.parse(), Ok(read));
        }
        for text in [
            "",
            "/s",
            "k",
            "5 00/s",
            "-1/s",
            "0/s",
            "1e3/s",
            "inf",
            "5/d",
            "99999k/s",
            "0.000001/s",
            "1.2.3/s",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
