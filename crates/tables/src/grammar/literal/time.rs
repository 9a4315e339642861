//! Dates, times and moments, as ISO 8601 and RFC 3339 write them. PostgreSQL reads them as they are; MariaDB gets
//! moments in UTC and in its own form; SQLite compares texts, so that there they stay as the client wrote them.

use crate::schema::Engine;

/// Years that both engines know.
const YEARS: std::ops::RangeInclusive<i64> = 1..=9999;

/// `2026-01-31`, and in PostgreSQL `infinity`.
pub(super) fn date(text: &str, engine: Engine) -> Option<String> {
    if is_infinite(text, engine) {
        return Some(text.to_owned());
    }
    let (days, rest) = read_date(text)?;
    if !rest.is_empty() {
        return None;
    }
    Some(if engine == Engine::Sqlite {
        text.to_owned()
    } else {
        write_date(days)
    })
}

/// `12:30`, `12:30:59.5`, and with a zone.
pub(super) fn time(text: &str) -> Option<String> {
    let (_, rest) = read_time(text)?;
    (rest.is_empty() || read_zone(rest).is_some()).then(|| text.to_owned())
}

/// A date, or a date and time; a zone is ignored, as PostgreSQL does.
pub(super) fn timestamp(text: &str, engine: Engine) -> Option<String> {
    if is_infinite(text, engine) {
        return Some(text.to_owned());
    }
    let read = read(text)?;
    Some(if engine.is_mysql_like() {
        write(read.days, read.time)
    } else {
        text.to_owned()
    })
}

/// A date and time with a zone; without one it is in the session's.
pub(super) fn moment(text: &str, engine: Engine) -> Option<String> {
    if is_infinite(text, engine) {
        return Some(text.to_owned());
    }
    let read = read(text)?;
    if !engine.is_mysql_like() {
        return Some(text.to_owned());
    }
    let seconds = read.days * 86_400 + read.time.seconds - read.zone.unwrap_or(0);
    let time = Time {
        seconds: seconds.rem_euclid(86_400),
        fraction: read.time.fraction,
    };
    Some(write(seconds.div_euclid(86_400), time))
}

fn is_infinite(text: &str, engine: Engine) -> bool {
    engine == Engine::Postgres && matches!(text, "infinity" | "-infinity")
}

/// A time of day.
#[derive(Clone, Copy)]
struct Time<'t> {
    /// Seconds since midnight.
    seconds: i64,
    /// Digits behind the point.
    fraction: &'t str,
}

/// A date and time.
struct Read<'t> {
    /// Days since 1970-01-01.
    days: i64,
    time: Time<'t>,
    /// Seconds that the zone is ahead of UTC.
    zone: Option<i64>,
}

fn read(text: &str) -> Option<Read<'_>> {
    let (days, rest) = read_date(text)?;
    let midnight = Time {
        seconds: 0,
        fraction: "",
    };
    if rest.is_empty() {
        return Some(Read {
            days,
            time: midnight,
            zone: None,
        });
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = read_time(rest)?;
    let zone = if rest.is_empty() { None } else { Some(read_zone(rest)?) };
    Some(Read { days, time, zone })
}

/// Reads `2026-01-31` or `20260131` into days since 1970-01-01.
fn read_date(text: &str) -> Option<(i64, &str)> {
    let (year, rest) = digits(text, 4)?;
    let (rest, extended) = rest.strip_prefix('-').map_or((rest, false), |rest| (rest, true));
    let (month, rest) = digits(rest, 2)?;
    let rest = if extended { rest.strip_prefix('-')? } else { rest };
    let (day, rest) = digits(rest, 2)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !YEARS.contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    Some((days_of(year, month, day), rest))
}

/// Reads `12:30`, `12:30:59` or `12:30:59.123456`.
fn read_time(text: &str) -> Option<(Time<'_>, &str)> {
    let (hours, rest) = digits(text, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (seconds, mut rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest, 2)?,
        None => (0, rest),
    };
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        let length = after.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=9).contains(&length) {
            return None;
        }
        (fraction, rest) = after.split_at(length);
    }
    let ends_day = hours == 24 && minutes == 0 && seconds == 0 && fraction.bytes().all(|byte| byte == b'0');
    // A second of 60 is a leap second, which PostgreSQL takes and makes the next minute of.
    if (hours > 23 && !ends_day) || minutes > 59 || seconds > 60 {
        return None;
    }
    let time = Time {
        seconds: hours * 3600 + minutes * 60 + seconds,
        fraction,
    };
    Some((time, rest))
}

/// Reads `Z`, `+02`, `+0200` or `+02:00`: seconds ahead of UTC.
fn read_zone(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, rest) = digits(rest, 2)?;
    let (minutes, rest) = match rest.strip_prefix(':').unwrap_or(rest) {
        "" => (0, rest),
        rest => digits(rest, 2)?,
    };
    // No zone was ever further from UTC (PostgreSQL: 15:59:59).
    (rest.is_empty() && hours <= 15 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Reads so many digits.
fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let number = text.get(..count)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((number.parse().ok()?, &text[count..]))
}

/// Days since 1970-01-01, by counting years from March on, so that the odd day is a year's last.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn write_date(days: i64) -> String {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carried) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + carried)
}

fn write(days: i64, time: Time<'_>) -> String {
    // 24:00 and a leap second are the next day's or minute's.
    let days = days + time.seconds.div_euclid(86_400);
    let seconds = time.seconds.rem_euclid(86_400);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let point = if time.fraction.is_empty() { "" } else { "." };
    // MariaDB has six digits at the most.
    let fraction = &time.fraction[..time.fraction.len().min(6)];
    format!(
        "{} {hours:02}:{minutes:02}:{seconds:02}{point}{fraction}",
        write_date(days)
    )
}

#[cfg(test)]
mod tests {
    use super::{date, days_of, moment, time, timestamp, write_date};
    use crate::schema::Engine;

    #[test]
    fn dates_are_days_of_the_calendar() {
        for (text, good) in [
            ("2026-01-31", true),
            ("20260131", true),
            ("2024-02-29", true),
            ("2000-02-29", true),
            ("infinity", true),
            ("2026-02-29", false),
            ("1900-02-29", false),
            ("2026-13-01", false),
            ("2026-00-01", false),
            ("2026-01-00", false),
            ("2026-1-1", false),
            ("2026-0131", false),
            ("0000-01-01", false),
            ("2026-01-31T", false),
            ("now", false),
            ("", false),
            ("é026-01-31", false),
        ] {
            assert_eq!(date(text, Engine::Postgres).is_some(), good, "{text}");
        }
        assert!(date("infinity", Engine::MariaDb).is_none());
    }

    #[test]
    fn days_are_counted_both_ways() {
        assert_eq!(days_of(1970, 1, 1), 0);
        assert_eq!(days_of(2000, 3, 1), 11_017);
        for days in (-719_162..2_932_896).step_by(97) {
            let written = write_date(days);
            assert_eq!(super::read_date(&written), Some((days, "")), "{written}");
        }
    }

    #[test]
    fn times_are_of_a_day() {
        for (text, good) in [
            ("12:30", true),
            ("12:30:59.123456", true),
            ("24:00:00", true),
            ("12:30+02", true),
            ("24:00:01", false),
            ("12:60", false),
            ("12:30:61", false),
            ("12:30:59.", false),
            ("1:30", false),
            ("12:30 x", false),
        ] {
            assert_eq!(time(text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn moments_are_moved_to_utc_where_the_engine_has_no_zones() {
        for (text, postgres, maria) in [
            ("2026-01-31T12:30:00Z", true, Some("2026-01-31 12:30:00")),
            ("2026-01-31T00:30:00.5+02:00", true, Some("2026-01-30 22:30:00.5")),
            ("2026-12-31 23:30:00-0100", true, Some("2027-01-01 00:30:00")),
            ("2026-01-31 12:30", true, Some("2026-01-31 12:30:00")),
            ("2026-01-31", true, Some("2026-01-31 00:00:00")),
            ("20250101 00:00", true, Some("2025-01-01 00:00:00")),
            ("2026-01-31T24:00:00", true, Some("2026-02-01 00:00:00")),
            ("2026-01-31T12:30:00 02:00", false, None),
            ("2026-01-31T12:30:00+16:00", false, None),
            ("2026-01-31x12:30:00", false, None),
            ("yesterday", false, None),
        ] {
            assert_eq!(moment(text, Engine::Postgres).is_some(), postgres, "{text}");
            assert_eq!(moment(text, Engine::MariaDb).as_deref(), maria, "{text}");
            assert_eq!(timestamp(text, Engine::Sqlite).is_some(), postgres, "{text}");
        }
    }
}
