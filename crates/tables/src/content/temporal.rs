//! Dates and times as RFC 3339 writes them, checked, in the form that every engine takes.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

use crate::schema::Engine;

/// A date: `2026-01-31`. PostgreSQL's `infinity` is one there.
pub(super) fn date(engine: Engine, text: &str) -> Option<String> {
    if is_infinite(engine, text) {
        return Some(text.to_owned());
    }
    Some(civil_date(text)?.to_string())
}

/// A time of day: `12:30:00.5`, in PostgreSQL also with an offset. MariaDB's type is a length of time, up to 838 hours.
pub(super) fn time(engine: Engine, text: &str) -> Option<String> {
    if engine.is_mysql_like() {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (hours, rest) = unsigned.split_once(':')?;
        let within = matches!(hours.len(), 2 | 3) && number(hours)? <= 838;
        civil_time(&format!("00:{rest}"))?;
        return within.then(|| text.to_owned());
    }
    let (clock, zone) = split_zone(text);
    civil_time(clock)?;
    match zone {
        None => {}
        Some(zone) if engine == Engine::Postgres => drop(offset(zone)?),
        Some(_) => return None,
    }
    Some(text.to_owned())
}

/// A date and time without a zone: `2026-01-31T12:30:00`. A `Z` behind it is taken and means nothing, since programs write
/// one without meaning it; another offset is refused, since nobody could say what becomes of it.
pub(super) fn timestamp(engine: Engine, text: &str) -> Option<String> {
    if is_infinite(engine, text) {
        return Some(text.to_owned());
    }
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    Some(spaced(civil(text)?))
}

/// A moment: `2026-01-31T12:30:00+01:00`. Without an offset, it is the database's zone that decides. MariaDB takes no
/// offsets: what it gets is in UTC, which is the zone of its sessions here.
pub(super) fn moment(engine: Engine, text: &str) -> Option<String> {
    if is_infinite(engine, text) {
        return Some(text.to_owned());
    }
    let (start, zone) = split_zone(text);
    let local = civil(start)?;
    let Some(zone) = zone else {
        return Some(spaced(local));
    };
    let utc = local.checked_sub(offset(zone)?).ok()?;
    let mut text = spaced(utc);
    if !engine.is_mysql_like() {
        text.push('Z');
    }
    Some(text)
}

/// A UUID in its usual form (RFC 9562 §4), in small letters.
pub(super) fn uuid(text: &str) -> Option<String> {
    let hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let well_formed = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| {
            if hyphen(at) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        });
    well_formed.then(|| text.to_ascii_lowercase())
}

fn is_infinite(engine: Engine, text: &str) -> bool {
    engine == Engine::Postgres && matches!(text, "infinity" | "-infinity")
}

fn spaced(moment: DateTime) -> String {
    format!("{} {}", moment.date(), moment.time())
}

fn civil(text: &str) -> Option<DateTime> {
    let date = civil_date(text.get(..10)?)?;
    let rest = text.get(10..)?;
    let clock = rest.strip_prefix(['T', 't', ' '])?;
    Some(DateTime::from_parts(date, civil_time(clock)?))
}

fn civil_date(text: &str) -> Option<Date> {
    let [year, month, day] = parts(text, '-', [4, 2, 2])?;
    let date = Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?);
    date.ok().filter(|date| date.year() > 0)
}

fn civil_time(text: &str) -> Option<Time> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) if clock.len() == 8 => (clock, fraction),
        Some(_) => return None,
        None => (text, "0"),
    };
    let [hour, minute, second] = match clock.len() {
        5 => {
            let [hour, minute] = parts(clock, ':', [2, 2])?;
            [hour, minute, 0]
        }
        _ => parts(clock, ':', [2, 2, 2])?,
    };
    if !(1..=9).contains(&fraction.len()) {
        return None;
    }
    let nanoseconds = number(fraction)? * 10_u32.pow(9 - u32::try_from(fraction.len()).ok()?);
    let small = |part: u32| i8::try_from(part).ok();
    Time::new(
        small(hour)?,
        small(minute)?,
        small(second)?,
        nanoseconds.try_into().ok()?,
    )
    .ok()
}

/// The text before the zone, and the zone, where there is one: `Z`, `+01:00`, `-01`.
fn split_zone(text: &str) -> (&str, Option<&str>) {
    // A date has hyphens too: a zone stands behind a colon.
    let clock = text.find(':').unwrap_or(0);
    match text[clock..].find(['Z', 'z', '+', '-']) {
        Some(at) => (&text[..clock + at], Some(&text[clock + at..])),
        None => (text, None),
    }
}

fn offset(zone: &str) -> Option<SignedDuration> {
    let (sign, digits) = match zone.as_bytes().first()? {
        b'Z' | b'z' => return (zone.len() == 1).then_some(SignedDuration::ZERO),
        b'-' => (-1, zone.get(1..)?),
        _ => (1, zone.get(1..)?),
    };
    let [hours, minutes] = match digits.len() {
        2 => [number(digits)?, 0],
        _ => parts(digits, ':', [2, 2])?,
    };
    let within = hours <= 15 && minutes < 60;
    within.then(|| SignedDuration::from_mins(sign * i64::from(hours * 60 + minutes)))
}

/// Numbers of exactly so many digits, with the separator between.
fn parts<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u32; N]> {
    let mut numbers = [0; N];
    let mut found = text.split(separator);
    for (slot, digits) in numbers.iter_mut().zip(digits) {
        let part = found.next()?;
        *slot = (part.len() == digits).then(|| number(part))??;
    }
    found.next().is_none().then_some(numbers)
}

fn number(digits: &str) -> Option<u32> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const PG: Engine = Engine::Postgres;
    const MARIA: Engine = Engine::MariaDb;

    type Read = fn(Engine, &str) -> Option<String>;

    #[test]
    fn dates_and_times_are_read() {
        for (read, engine, text, expected) in [
            (date as Read, PG, "2024-02-29", "2024-02-29"),
            (date, PG, "infinity", "infinity"),
            (time, PG, "23:59", "23:59"),
            (time, PG, "23:59:59.123456", "23:59:59.123456"),
            (time, PG, "12:00:00+01:00", "12:00:00+01:00"),
            (time, MARIA, "-838:59:59", "-838:59:59"),
            (timestamp, PG, "2026-01-31T12:30:00", "2026-01-31 12:30:00"),
            (timestamp, MARIA, "2026-01-31 12:30", "2026-01-31 12:30:00"),
            (timestamp, PG, "2026-01-31T12:30:00.5Z", "2026-01-31 12:30:00.5"),
            (moment, PG, "2026-01-31T00:30:00+01:00", "2026-01-30 23:30:00Z"),
            (
                moment,
                PG,
                "2026-01-31 12:30:00.123456+00",
                "2026-01-31 12:30:00.123456Z",
            ),
            (moment, MARIA, "2026-01-31T12:30:00-02:30", "2026-01-31 15:00:00"),
            (moment, PG, "2026-01-31T12:30:00", "2026-01-31 12:30:00"),
        ] {
            assert_eq!(read(engine, text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for (read, engine, text) in [
            (date as Read, PG, ""),
            (date, PG, "2026-02-29"),
            (date, PG, "2026-2-1"),
            (date, PG, "0000-01-01"),
            (date, PG, "2026-01-01T00:00:00"),
            (date, MARIA, "infinity"),
            (date, PG, "２026-01-01"),
            (time, PG, "24:00:00"),
            (time, PG, "1:00"),
            (time, PG, "12:00:00."),
            (time, Engine::Sqlite, "12:00:00Z"),
            (time, MARIA, "839:00:00"),
            (time, MARIA, "+12:00"),
            (timestamp, PG, "2026-01-31"),
            (timestamp, PG, "2026-01-31T12:30:00+01:00"),
            (timestamp, PG, "2026-01-31T12:30:00ZZ"),
            (moment, PG, "2026-01-31T12:30:00+1"),
            (moment, PG, "2026-01-31T12:30:00+99:00"),
            (moment, PG, "2026-01-31T12:30:00.1234567890Z"),
            (moment, PG, "2026-01-31T12:30:00Z'; drop"),
        ] {
            assert_eq!(read(engine, text), None, "{text}");
        }
        assert_eq!(
            uuid("6F9619FF-8B86-D011-B42D-00C04FC964FF").as_deref(),
            Some("6f9619ff-8b86-d011-b42d-00c04fc964ff")
        );
        for other in [
            "",
            "6f9619ff8b86d011b42d00c04fc964ff",
            "6f9619ff-8b86-d011-b42d-00c04fc964fg",
        ] {
            assert_eq!(uuid(other), None);
        }
    }
}
