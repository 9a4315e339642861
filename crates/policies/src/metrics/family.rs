//! A family of metrics as OpenMetrics text: announced once, its samples together.

use std::fmt::{Display, Write as _};

const INFALLIBLE: &str = "a String takes every write";

/// What is measured, under one name. Its text and its line in the reference are made of the same words.
#[derive(Debug)]
pub struct Family {
    name: &'static str,
    kind: Kind,
    unit: Option<&'static str>,
    labels: &'static [&'static str],
    help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

impl Family {
    /// What only grows. Its samples end in `_total`.
    pub const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
        Family::new(Kind::Counter, name, labels, help)
    }

    /// What rises and falls.
    pub const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
        Family::new(Kind::Gauge, name, labels, help)
    }

    /// How many were within each of several bounds.
    pub const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
        Family::new(Kind::Histogram, name, labels, help)
    }

    /// What is told by labels alone. Its sample ends in `_info` and is 1.
    pub const fn info(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
        Family::new(Kind::Info, name, labels, help)
    }

    const fn new(kind: Kind, name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
        Family {
            name,
            kind,
            unit: None,
            labels,
            help,
        }
    }

    /// The same in that unit, with which the name has to end.
    #[must_use]
    pub const fn in_unit(mut self, unit: &'static str) -> Family {
        self.unit = Some(unit);
        self
    }

    /// The word for what kind it is.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        }
    }

    /// What it means, in a sentence.
    pub fn help(&self) -> &'static str {
        self.help
    }

    /// Its series as they are asked for, with the names of their labels.
    pub fn series(&self) -> Vec<String> {
        let with = |suffix: &str, more: &[&str]| {
            let labels = [self.labels, more].concat().join(",");
            if labels.is_empty() {
                format!("{}{suffix}", self.name)
            } else {
                format!("{}{suffix}{{{labels}}}", self.name)
            }
        };
        match self.kind {
            Kind::Histogram => vec![with("_bucket", &["le"]), with("_count", &[]), with("_sum", &[])],
            _ => vec![with(self.suffix(), &[])],
        }
    }

    /// Adds the lines that stand before its samples.
    pub fn announce(&self, out: &mut String) {
        let (name, kind) = (self.name, self.kind());
        writeln!(out, "# TYPE {name} {kind}").expect(INFALLIBLE);
        if let Some(unit) = self.unit {
            writeln!(out, "# UNIT {name} {unit}").expect(INFALLIBLE);
        }
        writeln!(out, "# HELP {name} {}", self.help).expect(INFALLIBLE);
    }

    /// Adds a sample, with the values of its labels in their order.
    pub fn sample(&self, values: &[&str], value: impl Display, out: &mut String) {
        self.write(self.suffix(), values, None, value, out);
    }

    /// Adds a histogram's samples: how many there are up to each bound, their number and their sum.
    pub fn distribution<'b>(
        &self,
        values: &[&str],
        within: impl Iterator<Item = (&'b str, u64)>,
        sum: impl Display,
        out: &mut String,
    ) {
        let mut count = 0;
        for (bound, more) in within {
            count += more;
            self.write("_bucket", values, Some(("le", bound)), count, out);
        }
        self.write("_count", values, None, count, out);
        self.write("_sum", values, None, sum, out);
    }

    fn suffix(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        }
    }

    fn write(&self, suffix: &str, values: &[&str], last: Option<(&str, &str)>, value: impl Display, out: &mut String) {
        debug_assert_eq!(self.labels.len(), values.len(), "{}", self.name);
        out.push_str(self.name);
        out.push_str(suffix);
        let mut separator = '{';
        for (label, value) in self.labels.iter().zip(values).map(|(l, v)| (*l, *v)).chain(last) {
            out.push(separator);
            out.push_str(label);
            out.push_str("=\"");
            escape(value, out);
            out.push('"');
            separator = ',';
        }
        if separator == ',' {
            out.push('}');
        }
        writeln!(out, " {value}").expect(INFALLIBLE);
    }
}

/// A label's value: backslash, quote and line feed are escaped.
fn escape(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_written_as_it_is_described() {
        let check = |family: Family, values: &[&str], series: &str, text: &str| {
            let mut out = String::new();
            family.announce(&mut out);
            family.sample(values, 7, &mut out);
            assert_eq!((family.series().join(" ").as_str(), out.as_str()), (series, text));
        };
        check(
            Family::counter("a_bytes", &["b", "c"], "Help.").in_unit("bytes"),
            &["x", "\"\\\n"],
            "a_bytes_total{b,c}",
            "# TYPE a_bytes counter\n# UNIT a_bytes bytes\n# HELP a_bytes Help.\n\
             a_bytes_total{b=\"x\",c=\"\\\"\\\\\\n\"} 7\n",
        );
        check(
            Family::gauge("a", &[], "Help."),
            &[],
            "a",
            "# TYPE a gauge\n# HELP a Help.\na 7\n",
        );
        assert_eq!(
            Family::histogram("a", &["b"], "Help.").series(),
            ["a_bucket{b,le}", "a_count{b}", "a_sum{b}"]
        );
    }
}
