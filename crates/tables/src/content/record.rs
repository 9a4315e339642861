//! Texts that hold several: lines of comma-separated values (RFC 4180), forms, lists in parameters.

use std::borrow::Cow;

/// What stands for NULL in a field without quotes, beside nothing at all: PostgREST's word.
pub(super) const NULL: &[u8] = b"NULL";

/// The records of a text of comma-separated values. Lines end with CRLF or LF.
pub(super) struct Records<'t> {
    rest: &'t str,
    line: usize,
    next_line: usize,
}

impl<'t> Records<'t> {
    pub(super) fn new(text: &'t str) -> Records<'t> {
        Records {
            rest: text,
            line: 0,
            next_line: 1,
        }
    }

    /// The line at which the last record begins, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The next record: its fields, of which `None` is NULL. Empty lines are passed over.
    ///
    /// # Errors
    /// What is wrong with the quotes, and where.
    pub(super) fn next_record(&mut self) -> Result<Option<Vec<Option<Cow<'t, str>>>>, String> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let Some(rest) = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n')) else {
                break;
            };
            self.rest = rest;
            self.next_line += 1;
        }
        self.line = self.next_line;
        let mut fields = Vec::new();
        loop {
            fields.push(self.field()?);
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            let line_break = if self.rest.starts_with("\r\n") {
                2
            } else {
                usize::from(!self.rest.is_empty())
            };
            self.rest = &self.rest[line_break..];
            self.next_line += 1;
            return Ok(Some(fields));
        }
    }

    fn field(&mut self) -> Result<Option<Cow<'t, str>>, String> {
        if let Some(quoted) = self.rest.strip_prefix('"') {
            let (field, rest) =
                unquote(quoted, '"').ok_or_else(|| format!("line {}: a quote without its end", self.line))?;
            if !(rest.is_empty() || rest.starts_with([',', '\n']) || rest.starts_with("\r\n")) {
                return Err(format!("line {}: text behind a quoted field", self.line));
            }
            self.next_line += field.matches('\n').count();
            self.rest = rest;
            return Ok(Some(field));
        }
        let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(end);
        self.rest = rest;
        let is_last = !rest.starts_with(',');
        // Of CRLF, the first half is still here; before a comma it is a character like others.
        let field = if is_last {
            field.strip_suffix('\r').unwrap_or(field)
        } else {
            field
        };
        if field.contains('"') {
            return Err(format!("line {}: a quote inside of a field without quotes", self.line));
        }
        Ok((!field.is_empty() && field.as_bytes() != NULL).then_some(Cow::Borrowed(field)))
    }
}

/// The text up to the closing quote, with doubled ones as one, and what stands behind. `None` without a closing one.
fn unquote(text: &str, quote: char) -> Option<(Cow<'_, str>, &str)> {
    let doubled: String = [quote, quote].iter().collect();
    let mut from = 0;
    loop {
        let at = from + text[from..].find(quote)?;
        if text[at + 1..].starts_with(quote) {
            from = at + 2;
            continue;
        }
        let field = &text[..at];
        let field = if field.contains(quote) {
            Cow::Owned(field.replace(&doubled, &quote.to_string()))
        } else {
            Cow::Borrowed(field)
        };
        return Some((field, &text[at + 1..]));
    }
}

/// The members of a list with commas between. One with a comma in it stands in double quotes, where `\` takes the next
/// character as it is. `None` where a quote has no end.
pub(super) fn split_list(list: &str) -> Option<Vec<String>> {
    let mut members = vec![String::new()];
    let mut characters = list.chars();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let member = members.last_mut().expect("there is one from the start");
        match character {
            '\\' if quoted => member.push(characters.next()?),
            '"' => quoted = !quoted,
            ',' if !quoted => members.push(String::new()),
            other => member.push(other),
        }
    }
    (!quoted).then_some(members)
}

/// The fields of a form (WHATWG URL, `application/x-www-form-urlencoded`). `None` where it is not UTF-8.
pub(super) fn form(body: &[u8]) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            Some((decode(&pair[..at])?, decode(pair.get(at + 1..).unwrap_or_default())?))
        })
        .collect()
}

fn decode(text: &[u8]) -> Option<Cow<'_, str>> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return std::str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let code = match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        at += if code.is_some() { 3 } else { 1 };
        decoded.push(code.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn records(text: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        let mut records = Records::new(text);
        let mut all = Vec::new();
        while let Some(fields) = records.next_record()? {
            all.push(fields.into_iter().map(|field| field.map(Cow::into_owned)).collect());
        }
        Ok(all)
    }

    #[test]
    fn records_are_read() {
        let some = |text: &str| Some(text.to_owned());
        for (text, expected) in [
            ("", vec![]),
            (
                "a,b\r\n1,2\r\n",
                vec![vec![some("a"), some("b")], vec![some("1"), some("2")]],
            ),
            ("a\n\n\r\nb", vec![vec![some("a")], vec![some("b")]]),
            (
                "a,,NULL,\"\",\"NULL\"\n",
                vec![vec![some("a"), None, None, some(""), some("NULL")]],
            ),
            ("\"a,\"\"b\"\"\r\nc\",d", vec![vec![some("a,\"b\"\r\nc"), some("d")]]),
            ("a,\n", vec![vec![some("a"), None]]),
            ("a\rb\r\n", vec![vec![some("a\rb")]]),
        ] {
            assert_eq!(records(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn quotes_stand_where_they_may() {
        for (text, wrong) in [
            ("a\n\"b", "line 2: a quote without its end"),
            ("\"a\"b", "line 1: text behind a quoted field"),
            ("\"a\nb\"\nc\"d\"", "line 3: a quote inside of a field without quotes"),
        ] {
            assert_eq!(records(text).unwrap_err(), wrong);
        }
    }

    #[test]
    fn lists_and_forms_are_split() {
        assert_eq!(split_list(r#"a,"b,c","d\"e""#).unwrap(), ["a", "b,c", "d\"e"]);
        assert_eq!(split_list("\"a"), None);
        let fields = form(b"a=1&b+c=%C3%BC%2&&d").unwrap();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(fields, [("a", "1"), ("b c", "\u{fc}%2"), ("d", "")]);
        assert_eq!(form(b"a=%ff"), None);
    }
}
