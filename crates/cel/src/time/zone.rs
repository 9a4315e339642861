//! Moments as people in a place count them.

use jiff::tz::TimeZone;

use super::Timestamp;

/// Where the time of day is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Zone {
    /// So many seconds east of Greenwich.
    Fixed(i64),
    Named(TimeZone),
}

impl Zone {
    /// The zone of an IANA name or an offset such as `+02:00`. The names are those of the system, or else those that were
    /// known when the program was built: finding one may read a file.
    pub(crate) fn find(name: &str) -> Option<Zone> {
        match fixed_offset(name) {
            Some(offset) => Some(Zone::Fixed(offset)),
            None if name == "UTC" => Some(Zone::Fixed(0)),
            None => TimeZone::get(name).ok().map(Zone::Named),
        }
    }

    /// The time of day and the date there.
    pub(crate) fn civil(&self, time: Timestamp) -> Civil {
        let offset = match self {
            Zone::Fixed(offset) => *offset,
            Zone::Named(zone) => {
                let range = jiff::Timestamp::MIN.as_second()..=jiff::Timestamp::MAX.as_second();
                let within = time.seconds.clamp(*range.start(), *range.end());
                jiff::Timestamp::from_second(within).map_or(0, |time| i64::from(zone.to_offset(time).seconds()))
            }
        };
        Civil {
            milliseconds: i64::from(time.nanoseconds / 1_000_000),
            ..Civil::new(time.seconds + offset)
        }
    }
}

/// A date and the time of day. Months and days count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) milliseconds: i64,
    /// Days since Sunday.
    pub(crate) weekday: i64,
    /// Days since the first of January.
    pub(crate) day_of_year: i64,
}

impl Civil {
    /// Of so many seconds after the beginning of 1970, as counted there.
    pub(super) fn new(seconds: i64) -> Civil {
        let total_days = seconds.div_euclid(86_400);
        let of_day = seconds.rem_euclid(86_400);
        // The Gregorian calendar repeats every 400 years, of 146,097 days; a year that begins in March ends with the leap day.
        let shifted = total_days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let from_march = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * from_march + 2) / 153;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Civil {
            year,
            month,
            day: from_march - (153 * shifted_month + 2) / 5 + 1,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            milliseconds: 0,
            weekday: (total_days + 4).rem_euclid(7),
            day_of_year: total_days - first_of_year(year),
        }
    }
}

/// Days from the beginning of 1970 to a date; `None` where there is no such date.
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let lengths = [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month - 1).ok()?;
    let length = *lengths.get(index)?;
    let before: i64 = lengths[..index].iter().sum();
    (1..=length)
        .contains(&day)
        .then(|| first_of_year(year) + before + day - 1)
}

/// Days from the beginning of 1970 to the beginning of a year.
fn first_of_year(year: i64) -> i64 {
    let before = year - 1;
    before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162
}

/// The seconds of `+02:00`, where the plus sign may be missing.
pub(super) fn fixed_offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] | rest => (1, rest),
    };
    let [h1, h2, b':', m1, m2] = digits else {
        return None;
    };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let hours = digit(h1)? * 10 + digit(h2)?;
    let minutes = digit(m1)? * 10 + digit(m2)?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_day_has_one_date() {
        let mut expected = -719_162;
        for year in 1..=2500 {
            for month in 1..=12 {
                for day in 1..=31 {
                    let Some(days) = days(year, month, day) else { continue };
                    assert_eq!(days, expected);
                    let civil = Civil::new(days * 86_400 + 3661);
                    assert_eq!((civil.year, civil.month, civil.day, civil.hour), (year, month, day, 1));
                    expected += 1;
                }
            }
        }
        assert_eq!(Civil::new(0).weekday, 4);
    }

    #[test]
    fn zones_have_names_or_offsets() {
        let time: Timestamp = "2026-07-01T22:30:00Z".parse().unwrap();
        for (zone, day, hour, minute) in [
            ("UTC", 1, 22, 30),
            ("Europe/Berlin", 2, 0, 30),
            ("America/St_Johns", 1, 20, 0),
            ("-02:30", 1, 20, 0),
            ("02:00", 2, 0, 30),
        ] {
            let civil = Zone::find(zone).unwrap().civil(time);
            assert_eq!((civil.day, civil.hour, civil.minute), (day, hour, minute), "{zone}");
        }
        for zone in ["", "Mars/Olympus", "+2:00", "+24:00", "../etc/passwd"] {
            assert!(Zone::find(zone).is_none(), "{zone}");
        }
    }
}
