//! Numbers in the words of people: three digits, a unit, and separators where there are many digits.

use std::time::Duration;

use jiff::Timestamp;

/// What stands where nothing is known.
pub(crate) const NOTHING: &str = "–";

/// A latency: `870 µs`, `48.2 ms`, `1.90 s`.
pub(crate) fn latency(duration: Duration) -> String {
    micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

/// The same of what may be missing.
pub(crate) fn known_latency(duration: Option<Duration>) -> String {
    duration.map_or_else(|| NOTHING.to_owned(), latency)
}

/// A latency that is known in microseconds.
pub(crate) fn micros(micros: u64) -> String {
    match micros {
        0..1000 => format!("{micros} µs"),
        1000..999_500 => format!("{} ms", three(micros as f64 / 1e3)),
        _ => format!("{} s", three(micros as f64 / 1e6)),
    }
}

/// How long something went on: `45 s`, `2 min 5 s`, `3 h 20 min`.
pub(crate) fn length(duration: Duration) -> String {
    let whole = duration.as_secs();
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if whole < 10 && duration.subsec_millis() > 0 => format!("{} s", three(duration.as_secs_f64())),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => joined(minutes, "min", seconds, "s"),
        (0, _, _) => joined(hours, "h", minutes, "min"),
        _ => joined(days, "d", hours, "h"),
    }
}

fn joined(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        small => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// A number of things: `1,234,567`.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// How many requests: `1 request`, `1,234 requests`.
pub(crate) fn requests(number: u64) -> String {
    let word = if number == 1 { "request" } else { "requests" };
    format!("{} {word}", count(number))
}

/// A number that may have a fraction: three digits of small ones, all digits of large ones.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        NOTHING.to_owned()
    } else if value.abs() < 1000.0 {
        let text = three(value);
        match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole.to_owned(),
            _ => text,
        }
    } else {
        #[allow(clippy::cast_possible_truncation, reason = "a cast of floats saturates")]
        let whole = value.abs().round() as u64;
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", count(whole))
    }
}

/// How many in a second: `4,998/s`.
pub(crate) fn rate(value: f64) -> String {
    format!("{}/s", number(value))
}

/// A part of all: `0.12 %`.
pub(crate) fn share(part: u64, all: u64) -> String {
    if part == 0 || all == 0 {
        return "0 %".to_owned();
    }
    let percent = part as f64 * 100.0 / all as f64;
    if percent < 0.001 {
        "< 0.001 %".to_owned()
    } else if percent < 0.1 {
        format!("{percent:.3} %")
    } else {
        format!("{} %", number(percent))
    }
}

/// An amount of content: `12.4 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three(value), UNITS[unit])
}

/// A time of day: `2026-11-23 01:15 UTC`.
pub(crate) fn moment(milliseconds: u64) -> String {
    timestamp(milliseconds).map_or_else(
        || "at an unknown time".to_owned(),
        |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// The same as programs read it (RFC 3339).
pub(crate) fn machine_moment(milliseconds: u64) -> String {
    timestamp(milliseconds).map_or_else(String::new, |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn timestamp(milliseconds: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()
}

/// Three digits of a number below a thousand, and all whole digits of a larger one.
pub(crate) fn three(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_digits() {
        for (given, expected) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1000, "1.00 ms"),
            (9_994, "9.99 ms"),
            (9_996, "10.0 ms"),
            (99_960, "100 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (61_000_000, "61.0 s"),
            (600_000_000, "600 s"),
        ] {
            assert_eq!(micros(given), expected);
        }
        assert_eq!(known_latency(None), "–");
    }

    #[test]
    fn lengths_have_two_units_at_most() {
        for (given, expected) in [
            (0.0, "0 s"),
            (2.5, "2.50 s"),
            (45.0, "45 s"),
            (125.0, "2 min 5 s"),
            (3600.0, "1 h"),
            (90_061.0, "1 d 1 h"),
        ] {
            assert_eq!(length(Duration::from_secs_f64(given)), expected);
        }
    }

    #[test]
    fn large_numbers_are_grouped_and_small_ones_cut() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.0, 12.0, 0.25, 4998.4, -1500.0, f64::NAN].map(number),
            ["0", "12", "0.25", "4,998", "-1,500", "–"]
        );
        assert_eq!(
            [0, 1, 1200].map(requests),
            ["0 requests", "1 request", "1,200 requests"]
        );
        assert_eq!([512, 2048, 13_000_000].map(bytes), ["512 B", "2.00 KiB", "12.4 MiB"]);
    }

    #[test]
    fn a_few_of_many_are_more_than_none() {
        assert_eq!(
            [(0, 10), (1, 10_000_000), (12, 149_994), (1, 8)].map(|(part, all)| share(part, all)),
            ["0 %", "< 0.001 %", "0.008 %", "12.5 %"]
        );
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(moment(1_795_396_500_000), "2026-11-23 01:15 UTC");
        assert_eq!(machine_moment(0), "1970-01-01T00:00:00Z");
        assert_eq!(moment(u64::MAX), "at an unknown time");
    }
}
