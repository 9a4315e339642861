//! Which form an answer has (RFC 9110 §12.5.1).

use std::cmp::Reverse;

use portcullis_core::{Error, Headers, Known, Result, codes};
use portcullis_tables::content::Format;

/// A form that answers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Rows.
    Rows(Format),
    /// How the database would find them.
    Plan,
}

/// The forms, each with the media types that ask for it, the first being the one that it is sent as. The first form is
/// what a client gets that takes any.
const FORMS: [(Form, &[&str]); 6] = [
    (
        Form::Rows(Format::Json),
        &[
            "application/json",
            "application/vnd.pgrst.array+json",
            "application/vnd.pgrst.array",
        ],
    ),
    (
        Form::Rows(Format::JsonObject),
        &["application/vnd.pgrst.object+json", "application/vnd.pgrst.object"],
    ),
    (
        Form::Rows(Format::NdJson),
        &["application/x-ndjson", "application/ndjson"],
    ),
    (Form::Rows(Format::Csv), &["text/csv; charset=utf-8", "text/csv"]),
    (Form::Rows(Format::Xml), &["application/xml", "text/xml"]),
    (Form::Plan, &["application/vnd.portcullis.plan+json"]),
];

impl Form {
    /// The form that the client likes most.
    ///
    /// # Errors
    /// `not_acceptable` where there is none that it takes.
    pub(super) fn of(headers: &Headers) -> Result<Form> {
        if !headers.contains(Known::Accept) {
            return Ok(FORMS[0].0);
        }
        let ranges: Vec<Range> = headers.list(Known::Accept).enumerate().filter_map(Range::of).collect();
        if ranges.is_empty() {
            return Ok(FORMS[0].0);
        }
        // What counts for a form is the most precise range that takes it (RFC 9110 §12.5.1). Of forms that are liked alike
        // it is the one that is named more precisely, then the one that is named first.
        let liked = FORMS.iter().filter_map(|(form, types)| {
            let by = |range: &&Range| {
                range
                    .precision(*form, types)
                    .map(|precision| (precision, Reverse(range.place)))
            };
            let range = ranges.iter().filter(|range| by(range).is_some()).max_by_key(by)?;
            (range.weight > 0).then_some((range.weight, by(&range), *form))
        });
        let best = liked.reduce(|best, next| {
            if (next.0, next.1) > (best.0, best.1) {
                next
            } else {
                best
            }
        });
        match best {
            Some((_, _, form)) => Ok(form),
            None => Err(Error::new(&codes::NOT_ACCEPTABLE).with_detail(
                "there is application/json, application/vnd.pgrst.object+json, application/x-ndjson, text/csv and \
                 application/xml",
            )),
        }
    }

    /// Its media type.
    pub(super) fn media_type(self) -> &'static str {
        let of_form = FORMS.iter().find(|(form, _)| *form == self);
        of_form.map_or("application/json", |(_, types)| types[0])
    }
}

/// Whether a description is wanted as a page and not as JSON: where HTML is named, and liked more.
///
/// # Errors
/// `not_acceptable` where neither is taken.
pub(super) fn wants_page(headers: &Headers) -> Result<bool> {
    if !headers.contains(Known::Accept) {
        return Ok(false);
    }
    let (mut page, mut json) = (0, 0);
    for member in headers.list(Known::Accept) {
        let Ok(member) = std::str::from_utf8(member) else {
            continue;
        };
        let mut parts = member.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(weight_of).unwrap_or(1000);
        match range.as_str() {
            "text/html" | "text/*" => page = page.max(weight),
            "application/json" | "application/*" | "*/*" => json = json.max(weight),
            _ => {}
        }
    }
    if page == 0 && json == 0 {
        return Err(Error::new(&codes::NOT_ACCEPTABLE).with_detail("there is application/json and text/html"));
    }
    // Browsers name HTML and take anything.
    Ok(page > 0 && page >= json)
}

/// One of the ranges of media types that a client takes.
struct Range<'a> {
    range: &'a str,
    weight: u32,
    /// Where it stands among the others.
    place: usize,
}

impl<'a> Range<'a> {
    fn of((place, member): (usize, &'a [u8])) -> Option<Range<'a>> {
        let mut parts = std::str::from_utf8(member).ok()?.split(';').map(str::trim);
        Some(Range {
            range: parts.next().unwrap_or_default(),
            weight: parts.find_map(weight_of).unwrap_or(1000),
            place,
        })
    }

    /// How precisely it names a form, where it does. A single row and a plan are what nobody gets without naming them.
    fn precision(&self, form: Form, types: &[&str]) -> Option<u8> {
        if types.iter().any(|known| known.eq_ignore_ascii_case(self.range)) {
            return Some(2);
        }
        if matches!(form, Form::Plan | Form::Rows(Format::JsonObject)) {
            return None;
        }
        match self.range.strip_suffix('*')? {
            "*/" => Some(0),
            prefix if prefix.ends_with('/') => {
                let begins = |known: &&str| {
                    known
                        .get(..prefix.len())
                        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
                };
                types.iter().any(begins).then_some(1)
            }
            _ => None,
        }
    }
}

/// The weight that a parameter says, in thousandths (RFC 9110 §12.4.2).
fn weight_of(parameter: &str) -> Option<u32> {
    let (name, value) = parameter.split_once('=')?;
    if !name.eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = fraction
            .as_bytes()
            .get(place)
            .map_or(Some(0), |byte| char::from(*byte).to_digit(10))?;
        thousandths = thousandths * 10 + digit;
    }
    Some((whole * 1000 + thousandths).min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &str) -> Option<Form> {
        let mut headers = Headers::new();
        headers.append(Known::Accept, accept);
        Form::of(&headers).ok()
    }

    #[test]
    fn the_form_is_the_one_that_is_liked_most() {
        let rows = |format| Some(Form::Rows(format));
        for (accept, expected) in [
            ("", rows(Format::Json)),
            ("*/*", rows(Format::Json)),
            ("application/json", rows(Format::Json)),
            ("APPLICATION/JSON; charset=utf-8", rows(Format::Json)),
            ("text/csv", rows(Format::Csv)),
            ("text/html, application/xml;q=0.9, */*;q=0.8", rows(Format::Xml)),
            ("text/csv;q=0.5, application/x-ndjson;q=0.7", rows(Format::NdJson)),
            ("*/*, text/csv", rows(Format::Csv)),
            ("application/vnd.pgrst.object+json", rows(Format::JsonObject)),
            ("application/vnd.pgrst.object+json;nulls=keep", rows(Format::JsonObject)),
            ("application/vnd.portcullis.plan+json", Some(Form::Plan)),
            ("image/png", None),
            ("application/json;q=0", None),
            ("application/json;q=0, text/*;q=0.001", rows(Format::Csv)),
            ("application/json;q=0, */*", rows(Format::NdJson)),
            ("*/*, application/json;q=0", rows(Format::NdJson)),
            ("application/*;q=0, */*;q=0.5", rows(Format::Csv)),
            ("text/*, text/csv;q=0", rows(Format::Xml)),
            ("application/json;q=0.1, */*;q=0.2", rows(Format::NdJson)),
            ("application/xml, text/csv", rows(Format::Xml)),
            ("application/json;q=0, *", None),
        ] {
            assert_eq!(of(accept), expected, "{accept}");
        }
        assert_eq!(Form::of(&Headers::new()).ok(), Some(Form::Rows(Format::Json)));
    }

    #[test]
    fn weights_that_are_none_are_the_whole() {
        for (parameter, weight) in [
            ("q=0.5", Some(500)),
            ("Q=1", Some(1000)),
            ("q=1.5", Some(1000)),
            ("q=2", None),
            ("q=x", None),
            ("q=0.x", None),
            ("level=1", None),
        ] {
            assert_eq!(weight_of(parameter), weight, "{parameter}");
        }
    }
}
