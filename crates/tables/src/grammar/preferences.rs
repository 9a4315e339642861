//! What the client prefers (RFC 7240).

use portcullis_core::{Error, Headers, Known, Result, codes};

use crate::query::Count;

/// The preferences that tables know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// `return`: what the answer to a change shows.
    pub returns: Option<Return>,
    /// `count`: whether the answer tells how many rows there are in all.
    pub count: Option<Count>,
    /// `resolution`: what happens to a new row whose key is there already.
    pub resolution: Option<Resolution>,
    /// `missing=default` (true) or `missing=null`: what a column gets that only some of the new rows have.
    pub missing_default: Option<bool>,
    /// `handling=strict` (true) or `handling=lenient`: whether a preference that means nothing is refused.
    pub strict: Option<bool>,
    /// `max-affected`: rows that may be changed. It holds with `handling=strict`.
    pub max_affected: Option<u64>,
    /// `tx=rollback` (true) or `tx=commit`: whether all of it is undone at the end.
    pub roll_back: Option<bool>,
    /// `timezone`: the zone that moments are told in. Letters, digits and `+-_/` only.
    pub time_zone: Option<String>,
}

/// What the answer to a change shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// Nothing.
    Minimal,
    /// Where the new row is.
    HeadersOnly,
    /// The rows.
    Representation,
}

/// What happens to a new row whose key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The row gets the new values.
    Merge,
    /// The row stays as it is.
    Ignore,
}

impl Preferences {
    /// Reads `Prefer`. What is not known is left alone, as the RFC asks (§2), unless `handling=strict` asks otherwise.
    ///
    /// # Errors
    /// `bad_request` for an unknown one with `handling=strict`.
    pub fn of(headers: &Headers) -> Result<Preferences> {
        let mut preferences = Preferences::default();
        let mut unknown: Vec<String> = Vec::new();
        for member in headers.list(Known::Prefer) {
            let member = member.split(|byte| *byte == b';').next().unwrap_or_default();
            let member = String::from_utf8_lossy(member);
            let member = member.trim();
            if !member.is_empty() && !preferences.take(member) && unknown.len() < 8 {
                unknown.push(super::shown(member).into_owned());
            }
        }
        if preferences.strict == Some(true) && !unknown.is_empty() {
            let detail = format!(
                "`Prefer: handling=strict`, and these mean nothing here: {}",
                unknown.join(", ")
            );
            return Err(Error::new(&codes::BAD_REQUEST).with_detail(detail));
        }
        if preferences.strict != Some(true) {
            preferences.max_affected = None;
        }
        Ok(preferences)
    }

    /// The value of `Preference-Applied`: of those names, what was asked for. Nothing where none was.
    pub fn applied(&self, names: &[&str]) -> Option<String> {
        let told: Vec<String> = names
            .iter()
            .filter_map(|name| Some(format!("{name}={}", self.value(name)?)))
            .collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    /// Takes a preference; false where it means nothing. Of two of one name the first holds (§2).
    fn take(&mut self, member: &str) -> bool {
        let (name, value) = member.split_once('=').unwrap_or((member, ""));
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim();
        let value = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(value);
        match (name.as_str(), value) {
            ("return", "minimal") => first(&mut self.returns, Return::Minimal),
            ("return", "headers-only") => first(&mut self.returns, Return::HeadersOnly),
            ("return", "representation") => first(&mut self.returns, Return::Representation),
            ("count", "exact") => first(&mut self.count, Count::Exact),
            ("count", "planned") => first(&mut self.count, Count::Planned),
            ("count", "estimated") => first(&mut self.count, Count::Estimated),
            ("resolution", "merge-duplicates") => first(&mut self.resolution, Resolution::Merge),
            ("resolution", "ignore-duplicates") => first(&mut self.resolution, Resolution::Ignore),
            ("missing", "default") => first(&mut self.missing_default, true),
            ("missing", "null") => first(&mut self.missing_default, false),
            ("handling", "strict") => first(&mut self.strict, true),
            ("handling", "lenient") => first(&mut self.strict, false),
            ("tx", "rollback") => first(&mut self.roll_back, true),
            ("tx", "commit") => first(&mut self.roll_back, false),
            ("max-affected", number) => match number.parse() {
                Ok(number) => first(&mut self.max_affected, number),
                Err(_) => return false,
            },
            ("timezone", zone) if is_zone(zone) => first(&mut self.time_zone, zone.to_owned()),
            _ => return false,
        }
        true
    }

    fn value(&self, name: &str) -> Option<String> {
        let either = |truth: Option<bool>, yes: &str, no: &str| Some(if truth? { yes } else { no }.to_owned());
        match name {
            "return" => self.returns.map(|returns| {
                let word = match returns {
                    Return::Minimal => "minimal",
                    Return::HeadersOnly => "headers-only",
                    Return::Representation => "representation",
                };
                word.to_owned()
            }),
            "count" => self.count.map(|count| {
                let word = match count {
                    Count::Exact => "exact",
                    Count::Planned => "planned",
                    Count::Estimated => "estimated",
                };
                word.to_owned()
            }),
            "resolution" => self.resolution.map(|resolution| {
                let word = match resolution {
                    Resolution::Merge => "merge-duplicates",
                    Resolution::Ignore => "ignore-duplicates",
                };
                word.to_owned()
            }),
            "missing" => either(self.missing_default, "default", "null"),
            "handling" => either(self.strict, "strict", "lenient"),
            "tx" => either(self.roll_back, "rollback", "commit"),
            "max-affected" => self.max_affected.map(|number| number.to_string()),
            "timezone" => self.time_zone.clone(),
            _ => None,
        }
    }
}

fn first<T>(place: &mut Option<T>, value: T) {
    if place.is_none() {
        *place = Some(value);
    }
}

fn is_zone(zone: &str) -> bool {
    let is_one = |byte: u8| byte.is_ascii_alphanumeric() || b"+-_/".contains(&byte);
    (1..=64).contains(&zone.len()) && zone.bytes().all(is_one)
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Headers, Known};

    use super::{Preferences, Resolution, Return};
    use crate::query::Count;

    fn of(fields: &[&str]) -> Option<Preferences> {
        let mut headers = Headers::new();
        for field in fields {
            headers.append(Known::Prefer, field);
        }
        Preferences::of(&headers).ok()
    }

    #[test]
    fn known_preferences_are_found_among_others() {
        let preferences = of(&[
            "respond-async, count=exact;foo=bar",
            "return=\"representation\", return=minimal, Missing=default",
            "resolution=merge-duplicates,tx=rollback,timezone=Europe/Paris",
        ]);
        let expected = Preferences {
            returns: Some(Return::Representation),
            count: Some(Count::Exact),
            resolution: Some(Resolution::Merge),
            missing_default: Some(true),
            roll_back: Some(true),
            time_zone: Some("Europe/Paris".to_owned()),
            ..Preferences::default()
        };
        assert_eq!(preferences.as_ref(), Some(&expected));
        let applied = expected.applied(&["return", "count", "max-affected", "tx"]);
        assert_eq!(
            applied.as_deref(),
            Some("return=representation, count=exact, tx=rollback")
        );
        assert_eq!(of(&[]).and_then(|preferences| preferences.applied(&["return"])), None);
    }

    #[test]
    fn strict_handling_refuses_what_means_nothing() {
        assert!(of(&["handling=strict, respond-async"]).is_none());
        assert!(of(&["count=all, handling=strict"]).is_none());
        assert!(of(&["timezone=x;'--, handling=strict"]).is_some());
        assert!(of(&["timezone=\"x'\", handling=strict"]).is_none());
        assert!(of(&["handling=lenient, respond-async, max-affected=x"]).is_some());
        let most = |field| of(&[field]).and_then(|preferences| preferences.max_affected);
        assert_eq!(most("handling=strict, max-affected=5"), Some(5));
        assert_eq!(most("max-affected=5"), None);
    }
}
