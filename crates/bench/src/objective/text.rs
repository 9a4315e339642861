//! Objectives as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Amount, Measure, Objective, Relation};
use crate::outcome::Failure;

/// The longest text of an objective. Names of routes are short, and all else is shorter.
const MAX_LENGTH: usize = 500;

/// The longest bound of a latency: histograms don't tell longer ones apart.
const LONGEST: Duration = Duration::from_secs(600);

/// The relations, each before those that it begins like.
const RELATIONS: [(&str, Relation); 6] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("≤", Relation::AtMost),
    ("≥", Relation::AtLeast),
    ("<", Relation::Below),
    (">", Relation::Above),
];

/// Units of time with their nanoseconds, each before those that it ends like.
const UNITS: [(&str, f64); 5] = [("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10)];

/// Why a text is no objective: what is wrong with it, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

impl FromStr for Objective {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Objective, Unreadable> {
        if text.len() > MAX_LENGTH {
            return Err(Unreadable(format!(
                "an objective of more than {MAX_LENGTH} bytes is none"
            )));
        }
        // No requirement has a colon, but the name of a route may.
        let (route, requirement) = match text.rsplit_once(':') {
            Some((route, requirement)) => (Some(route.trim()), requirement),
            None => (None, text),
        };
        if route == Some("") {
            return Err(Unreadable(format!(
                "`{text}` names no route before `:`; `/orders: p99 < 20ms` would"
            )));
        }
        let (measure, relation, bound) = split(requirement)?;
        let measure = measure_of(measure)?;
        Ok(Objective {
            route: route.map(str::to_owned),
            measure,
            relation,
            bound: bound_of(measure, bound)?,
        })
    }
}

fn split(requirement: &str) -> Result<(&str, Relation, &str), Unreadable> {
    let wrong = || {
        Unreadable(format!(
            "`{}` doesn't compare anything; `p99 < 50ms` and `errors < 0.1%` do",
            requirement.trim()
        ))
    };
    let at = requirement.find(['<', '>', '≤', '≥']).ok_or_else(wrong)?;
    let (measure, rest) = requirement.split_at(at);
    let (sign, relation) = RELATIONS
        .iter()
        .find(|(sign, _)| rest.starts_with(sign))
        .ok_or_else(wrong)?;
    Ok((measure.trim(), *relation, rest[sign.len()..].trim()))
}

fn measure_of(text: &str) -> Result<Measure, Unreadable> {
    let wrong = || {
        Unreadable(format!(
            "`{text}` is nothing that is measured; what is: `p50` to `p99.999`, `mean`, `max`, `errors`, `rate`, `status 5xx`, \
             `status 503`, `failures.timeout`"
        ))
    };
    match text {
        "mean" => return Ok(Measure::Mean),
        "max" => return Ok(Measure::Max),
        "errors" => return Ok(Measure::Errors),
        "rate" => return Ok(Measure::Rate),
        _ => {}
    }
    if let Some(status) = text.strip_prefix("status ") {
        return status_of(status.trim()).ok_or_else(|| {
            Unreadable(format!(
                "`{text}` is no status; `status 503` and `status 5xx` are, from 100 to 599"
            ))
        });
    }
    if let Some(word) = text.strip_prefix("failures.") {
        let kind = Failure::ALL.into_iter().find(|kind| kind.word() == word);
        return kind.map(Measure::Failures).ok_or_else(|| {
            let words = Failure::ALL.map(|kind| format!("`{}`", kind.word())).join(", ");
            Unreadable(format!("`{word}` is no kind of failure; these are: {words}"))
        });
    }
    let digits = text.strip_prefix('p').ok_or_else(wrong)?;
    match thousandths(digits).ok_or_else(wrong)? {
        100_000 => Err(Unreadable("`p100` is written `max`".to_owned())),
        thousandths @ 1..100_000 => Ok(Measure::Percentile(thousandths)),
        _ => Err(wrong()),
    }
}

fn status_of(text: &str) -> Option<Measure> {
    if let Some(class) = text.strip_suffix("xx") {
        let class = digits_only(class)?.parse().ok()?;
        return (1..=5).contains(&class).then_some(Measure::StatusClass(class));
    }
    let status = digits_only(text)?.parse().ok()?;
    (100..=599).contains(&status).then_some(Measure::Status(status))
}

/// Reads `99.9` as 99,900, exactly: as a number with a binary point it would be something else.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.len() > 3 || fraction.len() > 3 {
        return None;
    }
    let fraction: u32 = format!("{:0<3}", digits_only(fraction)?).parse().ok()?;
    Some(digits_only(whole)?.parse::<u32>().ok()? * 1000 + fraction)
}

fn digits_only(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn bound_of(measure: Measure, text: &str) -> Result<Amount, Unreadable> {
    match measure {
        Measure::Percentile(_) | Measure::Mean | Measure::Max => time_of(text),
        Measure::Rate => rate_of(text),
        Measure::Errors | Measure::Failures(_) | Measure::Status(_) | Measure::StatusClass(_) => part_of(text),
    }
}

fn time_of(text: &str) -> Result<Amount, Unreadable> {
    let wrong = || {
        Unreadable(format!(
            "`{text}` is no time; `250us`, `1.5ms`, `2s` and `1m` are, up to ten minutes"
        ))
    };
    let (unit, nanos) = UNITS.iter().find(|(unit, _)| text.ends_with(unit)).ok_or_else(wrong)?;
    let count = number(text[..text.len() - unit.len()].trim_end()).ok_or_else(wrong)?;
    let time = Duration::try_from_secs_f64((count * nanos).round() / 1e9).map_err(|_| wrong())?;
    match time <= LONGEST {
        true => Ok(Amount::Time(time)),
        false => Err(wrong()),
    }
}

fn rate_of(text: &str) -> Result<Amount, Unreadable> {
    let plain = text.strip_suffix("/s").unwrap_or(text).trim_end();
    let (plain, factor) = match plain.strip_suffix('k') {
        Some(thousands) => (thousands, 1000.0),
        None => (plain, 1.0),
    };
    match number(plain) {
        Some(rate) => Ok(Amount::PerSecond(rate * factor)),
        None => Err(Unreadable(format!("`{text}` is no rate; `4000/s` and `4k/s` are"))),
    }
}

fn part_of(text: &str) -> Result<Amount, Unreadable> {
    let wrong = || {
        Unreadable(format!(
            "`{text}` is no part of all requests; `0.1%` is, and so is a count, such as `1`"
        ))
    };
    match text.strip_suffix('%') {
        Some(percent) => match number(percent.trim_end()) {
            Some(percent) if percent <= 100.0 => Ok(Amount::Percent(percent)),
            _ => Err(wrong()),
        },
        None => match digits_only(text).and_then(|digits| digits.parse().ok()) {
            Some(count) => Ok(Amount::Count(count)),
            None => Err(wrong()),
        },
    }
}

/// A number as people write it: digits, and perhaps a point and more digits. Neither a sign nor an exponent.
fn number(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.len() > 12 || fraction.len() > 9 {
        return None;
    }
    digits_only(whole)?;
    digits_only(fraction)?;
    text.parse().ok()
}

impl Objective {
    /// It without its route: `p99 < 50ms`.
    pub fn requirement(&self) -> String {
        format!("{} {} {}", self.measure, self.relation, self.bound)
    }
}

/// As it is read: `/orders: p99 < 20ms`.
impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(route) = &self.route {
            write!(f, "{route}: ")?;
        }
        f.write_str(&self.requirement())
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Measure::Percentile(thousandths) => write!(f, "p{}", decimal(u64::from(*thousandths), 1000)),
            Measure::Mean => f.write_str("mean"),
            Measure::Max => f.write_str("max"),
            Measure::Errors => f.write_str("errors"),
            Measure::Failures(kind) => write!(f, "failures.{}", kind.word()),
            Measure::Status(status) => write!(f, "status {status}"),
            Measure::StatusClass(class) => write!(f, "status {class}xx"),
            Measure::Rate => f.write_str("rate"),
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Relation::Below => "<",
            Relation::AtMost => "<=",
            Relation::Above => ">",
            Relation::AtLeast => ">=",
        })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Time(time) => f.write_str(&exact_time(*time)),
            Amount::Percent(percent) => write!(f, "{percent}%"),
            Amount::Count(count) => write!(f, "{count}"),
            Amount::PerSecond(rate) => write!(f, "{rate}/s"),
        }
    }
}

/// A time in its largest unit: `1.5ms`. Nothing is rounded.
fn exact_time(time: Duration) -> String {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    match nanos {
        0 => "0s".to_owned(),
        1..1_000_000 => format!("{}us", decimal(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(nanos, 1_000_000)),
        _ => format!("{}s", decimal(nanos, 1_000_000_000)),
    }
}

/// A time that was measured, to the microsecond, and to the millisecond from a second on.
pub(super) fn shown_time(time: Duration) -> String {
    let unit = match time < Duration::from_secs(1) {
        true => Duration::from_micros(1),
        false => Duration::from_millis(1),
    };
    let count = (time.as_nanos() + unit.as_nanos() / 2) / unit.as_nanos();
    exact_time(unit.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)))
}

/// A number that was measured, to four digits where it has a fraction.
pub(super) fn rounded(value: f64) -> String {
    let digits = match value.abs() {
        1000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        1.0.. => 3,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// `parts` of a unit that has `unit` of them, a power of ten, as a decimal number.
fn decimal(parts: u64, unit: u64) -> String {
    let (whole, fraction) = (parts / unit, parts % unit);
    let width = unit.ilog10() as usize;
    match fraction {
        0 => whole.to_string(),
        _ => format!("{whole}.{}", format!("{fraction:0width$}").trim_end_matches('0')),
    }
}

impl Serialize for Objective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Objective {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Objective, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
