//! Points in time, as the file writes them: `2027-01-31T12:00:00Z`.

use std::fmt;
use std::str::FromStr;
use std::time::{self, SystemTime, UNIX_EPOCH};

use super::written_as_text;

/// A point in time of RFC 3339, to the second: `2027-01-31T12:00:00Z`, or with the difference from UTC in place of the `Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// Seconds since 1970.
    seconds: u64,
}

const EXPECTED: &str = "a time is written as in RFC 3339, such as `2027-01-31T12:00:00Z`";

const DAY: i64 = 86_400;
/// The last second that has a date of four digits for its year.
const LAST: i64 = 253_402_300_799;

written_as_text!(
    Moment,
    "date-time",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
    ["2027-01-31T12:00:00Z", "2027-01-31T12:00:00+02:00"]
);

impl Moment {
    /// So many seconds after 1970 began; the end of the year 9999 at the latest.
    pub fn from_seconds(seconds: u64) -> Moment {
        Moment {
            seconds: seconds.min(LAST.unsigned_abs()),
        }
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        i64::try_from(self.seconds)
            .unwrap_or(i64::MAX / 1000)
            .saturating_mul(1000)
    }

    /// The first second of its month in UTC, and that of the next one.
    pub fn month(self) -> (Moment, Moment) {
        let (year, month, _) = date(i64::try_from(self.seconds).unwrap_or(LAST).div_euclid(DAY));
        let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let first = |year, month| Moment {
            seconds: u64::try_from(days(year, month, 1) * DAY).unwrap_or(0),
        };
        (first(year, month), first(next_year, next))
    }

    /// The same for the clock of the system.
    pub fn time(self) -> SystemTime {
        UNIX_EPOCH + time::Duration::from_secs(self.seconds)
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = seconds(text).ok_or_else(|| format!("`{text}` is no time; {EXPECTED}"))?;
        match u64::try_from(seconds) {
            Ok(seconds) if seconds <= LAST.unsigned_abs() => Ok(Moment { seconds }),
            _ => Err(format!(
                "`{text}` is out of reach: times lie between the years 1970 and 9999"
            )),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.seconds).unwrap_or(LAST);
        let (year, month, day) = date(seconds.div_euclid(DAY));
        let of_day = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// The seconds since 1970 that a time of RFC 3339 §5.6 stands for. Parts of a second are left out, and a leap second is the
/// one before it.
fn seconds(text: &str) -> Option<i64> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let bytes = date_time.as_bytes();
    for (at, expected) in [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')] {
        if bytes[at] != expected {
            return None;
        }
    }
    if !bytes[10].eq_ignore_ascii_case(&b'T') {
        return None;
    }
    let number = |from: usize, to: usize| digits(&date_time[from..to]);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let of_month = if month == 12 {
        31
    } else {
        days(year, month + 1, 1) - days(year, month, 1)
    };
    if !(1..=12).contains(&month) || !(1..=of_month).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|char: char| char.is_ascii_digit());
            if zone.len() == fraction.len() {
                return None;
            }
            zone
        }
        None => rest,
    };
    Some(days(year, month, day) * DAY + hour * 3600 + minute * 60 + second.min(59) - offset(zone)?)
}

/// Seconds by which a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("Z") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

fn digits(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Days from 1970 to a date of the Gregorian calendar. Years are counted from March, so that the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let since_march = (month + 9) % 12;
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * since_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a day, the other way round.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let since_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * since_march + 2) / 5 + 1;
    let month = (since_march + 2) % 12 + 1;
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds, written) in [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
            ("2000-02-29T23:59:59z", 951_868_799, "2000-02-29T23:59:59Z"),
            ("2027-01-31t12:00:00.999+02:00", 1_801_389_600, "2027-01-31T10:00:00Z"),
            ("2026-12-31T23:30:00-01:30", 1_798_765_200, "2027-01-01T01:00:00Z"),
            ("2016-12-31T23:59:60Z", 1_483_228_799, "2016-12-31T23:59:59Z"),
            ("9999-12-31T23:59:59Z", 253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment, Moment::from_seconds(seconds), "{text}");
            assert_eq!(moment.to_string(), written);
            assert_eq!(moment.millis() / 1000, i64::try_from(seconds).unwrap());
        }
    }

    #[test]
    fn months_follow_each_other() {
        for (text, first, next) in [
            ("2027-01-31T23:59:59Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"),
            ("2028-02-01T00:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("2027-12-15T12:00:00Z", "2027-12-01T00:00:00Z", "2028-01-01T00:00:00Z"),
        ] {
            let (begins, ends) = text.parse::<Moment>().unwrap().month();
            assert_eq!((&*begins.to_string(), &*ends.to_string()), (first, next));
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "2027-01-31",
            "2027-01-31T12:00:00",
            "2027-01-31 12:00:00Z",
            "2027-1-31T12:00:00Z",
            "2027-02-29T12:00:00Z",
            "2027-13-01T12:00:00Z",
            "2027-00-01T12:00:00Z",
            "2027-04-31T12:00:00Z",
            "2027-04-00T12:00:00Z",
            "2027-01-31T24:00:00Z",
            "2027-01-31T12:60:00Z",
            "2027-01-31T12:00:00.Z",
            "2027-01-31T12:00:00+2:00",
            "2027-01-31T12:00:00+24:00",
            "+027-01-31T12:00:00Z",
            "2027-01-31T12:00:0éZ",
        ] {
            let error = text.parse::<Moment>().unwrap_err();
            assert!(error.contains("such as"), "{text}: {error}");
        }
        assert!("1969-12-31T23:59:59Z".parse::<Moment>().unwrap_err().contains("1970"));
        assert!(
            "9999-12-31T23:59:59-01:00"
                .parse::<Moment>()
                .unwrap_err()
                .contains("9999")
        );
    }
}
