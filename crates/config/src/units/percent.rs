//! Shares, as the file writes them: `20%`.

use std::fmt;
use std::str::FromStr;

use super::{leading_number, written_as_text};

/// A share in tenths of a per cent, such as `20%` or `0.5%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u32);

/// A thousand times the whole.
const MAX: u32 = 1_000_000;

const EXPECTED: &str = "a share is a number and a per cent sign, with one decimal at the most, such as `20%` or `0.5%`";

written_as_text!(Percent, "percent", "^[0-9]+(\\.[0-9])?%$", ["20%", "0.5%"]);

impl Percent {
    /// So many per cent.
    pub const fn whole(percent: u32) -> Percent {
        Percent(percent * 10)
    }

    /// Its thousandths of the whole: 200 for `20%`.
    pub const fn per_mille(self) -> u32 {
        self.0
    }

    /// As a factor: 0.2 for `20%`.
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no share; {EXPECTED}");
        let (digits, rest) = leading_number(text);
        let whole: u32 = digits.parse().map_err(|_| wrong())?;
        let tenths = match rest.strip_suffix('%').ok_or_else(wrong)?.as_bytes() {
            [] => 0,
            [b'.', tenth @ b'0'..=b'9'] => u32::from(tenth - b'0'),
            _ => return Err(wrong()),
        };
        let per_mille = whole.checked_mul(10).and_then(|it| it.checked_add(tenths));
        match per_mille {
            Some(per_mille) if per_mille <= MAX => Ok(Percent(per_mille)),
            _ => Err(format!("`{text}` is too much; the most is {}", Percent(MAX))),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, tenth) => write!(f, "{whole}.{tenth}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_written_back() {
        for (text, per_mille) in [("20%", 200), ("0.5%", 5), ("100%", 1000), ("0%", 0), ("150%", 1500)] {
            let share: Percent = text.parse().expect("it is a share");
            assert_eq!((share.per_mille(), share.to_string()), (per_mille, text.to_owned()));
        }
        for text in [
            "",
            "20",
            "%",
            "-1%",
            "1.25%",
            "1.%",
            ".5%",
            "1,5%",
            "20 %",
            "99999999999%",
            "100001%",
        ] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }
}
