//! Header fields as an ordered list over one block of text.
//!
//! The text of a received head is copied once, whole; a field is a pair of spans into it, and the well-known names
//! are recognised while it is parsed. Forwarding a message therefore copies bytes and looks nothing up.

mod known;

use std::ops::Range;

pub use known::{Known, Name};

/// The most fields that a list may hold, whatever a configuration says.
pub const MAX_FIELDS: usize = 1000;

/// An ordered list of header or trailer fields. Names keep the case that they were received in and are compared
/// without it. Values are bytes without CR, LF or NUL: the list can't be made to hold a line break.
#[derive(Clone, Default)]
pub struct Headers {
    text: Vec<u8>,
    fields: Vec<Field>,
    /// One bit for each [`Known`] name that is in the list.
    present: u64,
    /// Whether a received name, unknown as it stands, has an underscore.
    underscored: bool,
}

/// What stands between name and value, and behind the value, in a line of a head.
const SEPARATOR: &[u8] = b": ";
const LINE_END: &[u8] = b"\r\n";

#[derive(Clone, Copy)]
struct Field {
    name_at: u32,
    value_at: u32,
    value_len: u32,
    name_len: u16,
    known: Option<Known>,
    /// Whether the text holds it as a line of a head: name, colon, one space, value, line break.
    is_line: bool,
}

impl Headers {
    /// An empty list that holds no memory yet.
    pub const fn new() -> Headers {
        Headers {
            text: Vec::new(),
            fields: Vec::new(),
            present: 0,
            underscored: false,
        }
    }

    /// An empty list with room for `fields` fields of `bytes` bytes in all.
    pub fn with_capacity(fields: usize, bytes: usize) -> Headers {
        Headers {
            text: Vec::with_capacity(bytes),
            fields: Vec::with_capacity(fields),
            present: 0,
            underscored: false,
        }
    }

    /// Makes room for `fields` more fields of `bytes` bytes in all.
    pub fn reserve(&mut self, fields: usize, bytes: usize) {
        self.fields.reserve(fields);
        self.text.reserve(bytes);
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether a field of that name is there.
    pub fn contains<'n>(&self, name: impl Into<Name<'n>>) -> bool {
        self.get(name).is_some()
    }

    /// The value of the first field of that name.
    pub fn get<'n>(&self, name: impl Into<Name<'n>>) -> Option<&[u8]> {
        let name = name.into();
        if !self.may_hold(name) {
            return None;
        }
        self.fields
            .iter()
            .find(|field| self.is_named(field, name))
            .map(|field| self.value_of(field))
    }

    /// The value of the first field of that name, where it is UTF-8.
    pub fn get_str<'n>(&self, name: impl Into<Name<'n>>) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The values of all fields of that name, in order.
    pub fn get_all<'s, 'n: 's>(&'s self, name: impl Into<Name<'n>>) -> impl Iterator<Item = &'s [u8]> + 's {
        let name = name.into();
        let fields: &[Field] = if self.may_hold(name) { &self.fields } else { &[] };
        fields
            .iter()
            .filter(move |field| self.is_named(field, name))
            .map(|field| self.value_of(field))
    }

    /// The members of a comma-separated list field over all its lines (RFC 9110 §5.6.1), trimmed, empty ones left out.
    /// Not for fields whose members may hold quoted commas.
    pub fn list<'s, 'n: 's>(&'s self, name: impl Into<Name<'n>>) -> impl Iterator<Item = &'s [u8]> + 's {
        self.get_all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|member| !member.is_empty())
    }

    /// All fields in order: name as received, value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields
            .iter()
            .map(|field| (self.name_of(field), self.value_of(field)))
    }

    /// All fields in order with the well-known name, where it is one.
    pub fn iter_known(&self) -> impl Iterator<Item = (Option<Known>, &str, &[u8])> {
        self.fields
            .iter()
            .map(|field| (field.known, self.name_of(field), self.value_of(field)))
    }

    /// As [`Headers::iter_known`], with names as bytes: for writers of binary protocols, who need no text.
    pub fn iter_bytes(&self) -> impl Iterator<Item = (Option<Known>, &[u8], &[u8])> {
        let fields = self.fields.iter();
        fields.map(|field| (field.known, name_bytes(&self.text, field), self.value_of(field)))
    }

    /// Appends all fields as lines of a head (RFC 9112 §5), but those for which a bit of `passed_over` is set. Fields that
    /// stand one after the other as they were received or added are copied in one piece.
    pub fn write_lines(&self, out: &mut Vec<u8>, passed_over: u64) {
        out.reserve(self.text.len() + 8 * self.fields.len());
        let mut run = 0..0;
        for field in &self.fields {
            if field.known.is_some_and(|known| passed_over & known.bit() != 0) {
                continue;
            }
            let start = field.name_at as usize;
            let end = (field.value_at + field.value_len) as usize + LINE_END.len();
            if field.is_line && start == run.end {
                run.end = end;
                continue;
            }
            out.extend_from_slice(&self.text[run]);
            run = 0..0;
            if field.is_line {
                run = start..end;
            } else {
                out.extend_from_slice(name_bytes(&self.text, field));
                out.extend_from_slice(SEPARATOR);
                out.extend_from_slice(self.value_of(field));
                out.extend_from_slice(LINE_END);
            }
        }
        out.extend_from_slice(&self.text[run]);
    }

    /// Adds a field at the end. `name` must be a token. A CR, LF or NUL in `value` becomes a space
    /// (RFC 9110 §5.5), so that no value can start a new line.
    pub fn append<'n>(&mut self, name: impl Into<Name<'n>>, value: impl AsRef<[u8]>) {
        let name = name.into();
        debug_assert!(
            is_token(name.as_str().as_bytes()),
            "not a field name: {:?}",
            name.as_str()
        );
        let (name_text, value) = (name.as_str().as_bytes(), value.as_ref());
        self.text
            .reserve(name_text.len() + SEPARATOR.len() + value.len() + LINE_END.len());
        let name_at = self.text.len();
        self.text.extend_from_slice(name_text);
        self.text.extend_from_slice(SEPARATOR);
        let value_at = self.text.len();
        self.text.extend_from_slice(value);
        for byte in &mut self.text[value_at..] {
            if matches!(byte, b'\r' | b'\n' | 0) {
                *byte = b' ';
            }
        }
        let value_len = self.text.len() - value_at;
        self.text.extend_from_slice(LINE_END);
        self.push(
            name.known(),
            name_at..name_at + name_text.len(),
            value_at..value_at + value_len,
            true,
        );
    }

    /// Replaces all fields of that name by one at the end.
    pub fn set<'n>(&mut self, name: impl Into<Name<'n>>, value: impl AsRef<[u8]>) {
        let name = name.into();
        self.remove(name);
        self.append(name, value);
    }

    /// Removes all fields of that name; whether there were any.
    pub fn remove<'n>(&mut self, name: impl Into<Name<'n>>) -> bool {
        let name = name.into();
        if !self.may_hold(name) {
            return false;
        }
        let before = self.fields.len();
        let text = &self.text;
        self.fields.retain(|field| !named(text, field, name));
        if let Some(known) = name.known() {
            self.present &= !known.bit();
        }
        self.fields.len() != before
    }

    /// Keeps the fields for which `keep` answers true.
    pub fn retain(&mut self, mut keep: impl FnMut(Option<Known>, &str, &[u8]) -> bool) {
        let text = &self.text;
        self.fields
            .retain(|field| keep(field.known, name_in(text, field), value_in(text, field)));
        self.present = self
            .fields
            .iter()
            .filter_map(|field| field.known)
            .fold(0, |set, known| set | known.bit());
    }

    /// Adds all fields of another list at the end.
    pub fn extend(&mut self, other: &Headers) {
        for (known, name, value) in other.iter_known() {
            self.append(known.map_or(Name::Other(name), |known| Name::Cased(known, name)), value);
        }
    }

    /// Removes received fields whose names would be well-known ones if their underscores were hyphens. Many servers take
    /// the one for the other (RFC 3875 §4.1.18 makes both the same variable), so that `X_Consumer` could pass for ours.
    pub fn remove_lookalikes(&mut self) {
        if !std::mem::take(&mut self.underscored) {
            return;
        }
        self.retain(|known, name, _| {
            known.is_some() || !name.contains('_') || Known::from_name(name.replace('_', "-").as_bytes()).is_none()
        });
    }

    /// Starts a list over the text of a received head; [`Headers::push_span`] then names its fields. For parsers.
    pub fn over(text: &[u8], fields: usize) -> Headers {
        // Room for what a gateway adds: forwarding fields, a request id.
        let mut copy = Vec::with_capacity(text.len() + 384);
        copy.extend_from_slice(text);
        Headers {
            text: copy,
            fields: Vec::with_capacity(fields + 10),
            present: 0,
            underscored: false,
        }
    }

    /// Adds a field that lies in the text given to [`Headers::over`]. The parser that calls this has checked that the
    /// name is a token and the value holds no control character but tab; both spans must lie within the text.
    pub fn push_span(&mut self, name: Range<usize>, value: Range<usize>) {
        let known = Known::from_name(&self.text[name.clone()]);
        self.underscored |= known.is_none() && self.text[name.clone()].contains(&b'_');
        let is_line = self.text.get(name.end..value.start) == Some(SEPARATOR)
            && self.text.get(value.end..value.end + LINE_END.len()) == Some(LINE_END);
        self.push(known, name, value, is_line);
    }

    /// Adds a received field at the end, for the readers of binary protocols, who have no text to lay spans over. The
    /// reader that calls this has checked that the name is a token and the value holds no control character but tab.
    pub fn append_received(&mut self, name: &str, value: &[u8]) {
        let known = Known::from_name(name.as_bytes());
        self.underscored |= known.is_none() && name.contains('_');
        let name_at = self.text.len();
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(SEPARATOR);
        let value_at = self.text.len();
        self.text.extend_from_slice(value);
        self.text.extend_from_slice(LINE_END);
        let name = name_at..name_at + name.len();
        self.push(known, name, value_at..value_at + value.len(), true);
    }

    /// Whether there is a field for which a bit of `names` is set; see [`Known::bit`].
    pub fn any_of(&self, names: u64) -> bool {
        self.present & names != 0
    }

    fn push(&mut self, known: Option<Known>, name: Range<usize>, value: Range<usize>, is_line: bool) {
        assert!(
            u32::try_from(self.text.len()).is_ok(),
            "a head is limited to far less than 4 GiB"
        );
        self.fields.push(Field {
            name_at: offset(name.start),
            value_at: offset(value.start),
            value_len: offset(value.len()),
            name_len: u16::try_from(name.len()).expect("a field name is limited to less than 64 KiB"),
            known,
            is_line,
        });
        if let Some(known) = known {
            self.present |= known.bit();
        }
    }

    fn may_hold(&self, name: Name<'_>) -> bool {
        name.known().is_none_or(|known| self.present & known.bit() != 0)
    }

    fn is_named(&self, field: &Field, name: Name<'_>) -> bool {
        named(&self.text, field, name)
    }

    fn name_of(&self, field: &Field) -> &str {
        name_in(&self.text, field)
    }

    fn value_of(&self, field: &Field) -> &[u8] {
        value_in(&self.text, field)
    }
}

/// A place within the text of a list, whose length has been checked.
#[allow(clippy::cast_possible_truncation, reason = "the text is shorter than 4 GiB")]
fn offset(at: usize) -> u32 {
    at as u32
}

fn named(text: &[u8], field: &Field, name: Name<'_>) -> bool {
    match name.known() {
        Some(known) => field.known == Some(known),
        None => field.known.is_none() && name_bytes(text, field).eq_ignore_ascii_case(name.as_str().as_bytes()),
    }
}

fn name_bytes<'t>(text: &'t [u8], field: &Field) -> &'t [u8] {
    let at = field.name_at as usize;
    &text[at..at + usize::from(field.name_len)]
}

fn name_in<'t>(text: &'t [u8], field: &Field) -> &'t str {
    std::str::from_utf8(name_bytes(text, field)).expect("a field name is a token, and so ASCII")
}

fn value_in<'t>(text: &'t [u8], field: &Field) -> &'t [u8] {
    let at = field.value_at as usize;
    &text[at..at + field.value_len as usize]
}

/// Whether the bytes are a token (RFC 9110 §5.6.2): what a field name and a method are made of.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

impl std::fmt::Debug for Headers {
    /// Names only: values may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_kept_with_it() {
        let mut headers = Headers::new();
        headers.append("X-Two", "1");
        headers.append("cOnTeNt-TyPe", "text/plain");
        headers.append("x-two", "2");
        assert_eq!(headers.get_all("X-TWO").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(headers.get_str(Known::ContentType), Some("text/plain"));
        assert_eq!(
            headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["X-Two", "cOnTeNt-TyPe", "x-two"]
        );
    }

    #[test]
    fn set_and_remove_touch_every_field_of_the_name() {
        let mut headers = Headers::new();
        headers.append(Known::Via, "1.0 a");
        headers.append("x", "1");
        headers.append(Known::Via, "1.1 b");
        headers.set(Known::Via, "1.1 c");
        assert_eq!(headers.get_all(Known::Via).collect::<Vec<_>>(), [b"1.1 c"]);
        assert!(headers.remove("X"));
        assert!(!headers.remove("X"));
        assert!(headers.remove("via"));
        assert!(!headers.contains(Known::Via));
        assert!(headers.is_empty());
    }

    #[test]
    fn a_value_cannot_start_a_line() {
        let mut headers = Headers::new();
        headers.append("x", "a\r\nSet-Cookie: b\0");
        assert_eq!(headers.get("x"), Some(&b"a  Set-Cookie: b "[..]));
    }

    #[test]
    fn lines_are_written_whole_whatever_their_form_was() {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\nX-Odd:  b \r\nVia: 1.0 c\r\nX-Tight:d\r\n\r\n";
        let mut headers = Headers::over(text, 4);
        let spans = [("Host", "a"), ("X-Odd", "b"), ("Via", "1.0 c"), ("X-Tight", "d")];
        let mut from = "GET / HTTP/1.1\r\n".len();
        for (name, value) in spans {
            let find = |word: &str, from: usize| {
                from + text[from..]
                    .windows(word.len())
                    .position(|it| it == word.as_bytes())
                    .expect("it is there")
            };
            let name_at = find(name, from);
            let value_at = find(value, name_at + name.len());
            headers.push_span(name_at..name_at + name.len(), value_at..value_at + value.len());
            from = value_at + value.len();
        }
        headers.append("X-New", "e");
        headers.append(Known::Date, "f");
        let written = |passed_over: u64| {
            let mut out = Vec::new();
            headers.write_lines(&mut out, passed_over);
            String::from_utf8(out).expect("it is text")
        };
        let odd = "X-Odd: b\r\n";
        let rest = "X-Tight: d\r\nX-New: e\r\n";
        assert_eq!(written(0), format!("Host: a\r\n{odd}Via: 1.0 c\r\n{rest}Date: f\r\n"));
        assert_eq!(
            written(Known::Via.bit() | Known::Date.bit()),
            format!("Host: a\r\n{odd}{rest}")
        );
        assert_eq!(
            written(Known::Host.bit()),
            format!("{odd}Via: 1.0 c\r\n{rest}Date: f\r\n")
        );
    }

    #[test]
    fn lookalikes_are_removed() {
        let text = b"x_consumer: a\r\nContent_Length: 1\r\nmy_own: b\r\n";
        let mut headers = Headers::over(text, 3);
        for (name, value) in [(0..10, 12..13), (15..29, 31..32), (34..40, 42..43)] {
            headers.push_span(name, value);
        }
        headers.remove_lookalikes();
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("my_own", &b"b"[..])]);
        headers.append_received("x_request_id", b"c");
        headers.append_received("x_other", b"d");
        headers.remove_lookalikes();
        assert_eq!(
            headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["my_own", "x_other"]
        );
    }

    #[test]
    fn lists_are_split_over_lines() {
        let mut headers = Headers::new();
        headers.append(Known::Connection, "close, , x-a");
        headers.append(Known::Connection, "Upgrade");
        assert_eq!(
            headers.list(Known::Connection).collect::<Vec<_>>(),
            [&b"close"[..], b"x-a", b"Upgrade"]
        );
    }

    #[test]
    fn retain_forgets_what_it_dropped() {
        let mut headers = Headers::new();
        headers.append(Known::Te, "trailers");
        headers.append("x", "1");
        headers.retain(|known, _, _| known.is_none());
        assert!(!headers.contains(Known::Te));
        assert_eq!(headers.len(), 1);
    }
}
