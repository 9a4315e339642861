//! Moments and durations from text.

use std::str::FromStr;

use super::{Duration, NANOSECONDS, Timestamp, zone};

impl FromStr for Timestamp {
    type Err = ();

    /// Reads the form of RFC 3339 §5.6, with any offset.
    fn from_str(text: &str) -> Result<Timestamp, ()> {
        let bytes = text.as_bytes();
        let number = |at: usize, len: usize| digits(bytes.get(at..at + len).ok_or(())?);
        let is = |at: usize, marks: &[u8]| match bytes.get(at) {
            Some(byte) if marks.contains(byte) => Ok(()),
            _ => Err(()),
        };
        let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        is(4, b"-")?;
        is(7, b"-")?;
        is(10, b"Tt ")?;
        is(13, b":")?;
        is(16, b":")?;
        // A leap second (60) is not taken: no moment of this time scale has it.
        if hour > 23 || minute > 59 || second > 59 {
            return Err(());
        }
        let days = zone::days(year, month, day).ok_or(())?;
        let mut at = 19;
        let mut nanoseconds = 0;
        if bytes.get(at) == Some(&b'.') {
            let fraction = &bytes[at + 1..];
            let len = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if len == 0 || len > 9 {
                return Err(());
            }
            nanoseconds = i128::from(digits(&fraction[..len])?) * 10_i128.pow(9 - u32::try_from(len).map_err(|_| ())?);
            at += 1 + len;
        }
        let offset = match &text.get(at..).ok_or(())? {
            &"Z" | &"z" => 0,
            offset if offset.starts_with(['+', '-']) => zone::fixed_offset(offset).ok_or(())?,
            _ => return Err(()),
        };
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
        Timestamp::from_nanoseconds(i128::from(seconds) * NANOSECONDS + nanoseconds).ok_or(())
    }
}

impl FromStr for Duration {
    type Err = ();

    /// Reads numbers with units, such as `1h30m` or `-1.5s`; the units are `h`, `m`, `s`, `ms`, `us`, `µs` and `ns`.
    fn from_str(text: &str) -> Result<Duration, ()> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        if unsigned == "0" {
            return Duration::from_nanoseconds(0).ok_or(());
        }
        let mut rest = unsigned;
        let mut total: i128 = 0;
        while !rest.is_empty() || total == 0 && unsigned.is_empty() {
            let whole = leading_digits(rest);
            let mut len = whole;
            if rest[len..].starts_with('.') {
                len += 1 + leading_digits(&rest[len + 1..]);
            }
            let fraction = rest.get(whole + 1..len).unwrap_or_default();
            if whole + fraction.len() == 0 || whole > 18 || fraction.len() > 18 {
                return Err(());
            }
            let after = &rest[len..];
            let unit_len = after
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(after.len());
            let unit: i128 = match &after[..unit_len] {
                "h" => 3600 * NANOSECONDS,
                "m" => 60 * NANOSECONDS,
                "s" => NANOSECONDS,
                "ms" => 1_000_000,
                "us" | "µs" | "μs" => 1000,
                "ns" => 1,
                _ => return Err(()),
            };
            total += i128::from(digits(&rest.as_bytes()[..whole])?) * unit;
            let scale = 10_i128.pow(u32::try_from(fraction.len()).map_err(|_| ())?);
            total += i128::from(digits(fraction.as_bytes())?) * unit / scale;
            rest = &after[unit_len..];
        }
        Duration::from_nanoseconds(if text.starts_with('-') { -total } else { total }).ok_or(())
    }
}

fn leading_digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// A number of at most 18 digits; nothing is zero.
fn digits(bytes: &[u8]) -> Result<i64, ()> {
    bytes.iter().try_fold(0_i64, |number, byte| match byte {
        b'0'..=b'9' => Ok(number * 10 + i64::from(byte - b'0')),
        _ => Err(()),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_any_offset() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2009-02-13T23:31:30Z", 1_234_567_890),
            ("2009-02-14T01:31:30.5+02:00", 1_234_567_890),
            ("2000-02-29T00:00:00-00:00", 951_782_400),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().seconds(), seconds, "{text}");
        }
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-13-01T00:00:00Z",
            "1999-02-29T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00Z ",
            "1970-01-01T00:00:00é",
            "10000-01-01T00:00:00Z",
            "1970-01-01T00:00:00+1:00",
            "0001-01-01T00:00:00+01:00",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_units() {
        for text in [
            "",
            "-",
            "1",
            "s",
            ".s",
            "1x",
            "1h ",
            "1 h",
            "1000000000000h",
            "9999999999999999999999s",
            "1s1",
            "320000000000s",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
        assert_eq!("1h30m1.5s".parse::<Duration>().unwrap().to_string(), "5401.5s");
        assert_eq!("1µs".parse::<Duration>().unwrap().to_string(), "0.000001s");
    }
}
