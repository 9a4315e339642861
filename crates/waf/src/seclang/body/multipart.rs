//! Forms with files (RFC 7578). What two readers could take apart differently is told in `MULTIPART_STRICT_ERROR`.

use crate::seclang::transaction::Transaction;
use crate::seclang::variable::Name;

/// How many parts a form may have.
const MOST_PARTS: usize = 500;

/// How many fields the head of a part may have, and how long one may be.
const MOST_FIELDS: usize = 16;
const LONGEST_FIELD: usize = 4 << 10;

/// One part of a form.
#[derive(Default)]
struct Part<'c> {
    name: Option<Vec<u8>>,
    filename: Option<Vec<u8>>,
    fields: Vec<Vec<u8>>,
    content: &'c [u8],
}

/// What is odd about a form.
#[derive(Default)]
struct Oddities {
    data_before: bool,
    data_after: bool,
    lf_line: bool,
    crlf_line: bool,
    folding: bool,
    invalid_folding: bool,
    invalid_quoting: bool,
    invalid_part: bool,
    missing_semicolon: bool,
    unmatched_boundary: bool,
    boundary_quoted: bool,
    boundary_white: bool,
}

/// Reads a body. An error says what is wrong with it.
pub(in crate::seclang) fn read(transaction: &mut Transaction, content: &[u8]) -> Result<(), String> {
    let mut odd = Oddities::default();
    let content_type = transaction.facts[Name::RequestHeaders as usize]
        .iter()
        .find(|fact| transaction.texts.get(fact.key).eq_ignore_ascii_case(b"content-type"))
        .map(|fact| transaction.texts.get(fact.text).to_vec())
        .unwrap_or_default();
    let outcome =
        boundary(&content_type, &mut odd).and_then(|boundary| parts(transaction, content, &boundary, &mut odd));
    if outcome.is_err() {
        odd.invalid_part = true;
    }
    odd.tell(transaction);
    outcome
}

impl Oddities {
    fn tell(&self, transaction: &mut Transaction) {
        let mixed = self.lf_line && self.crlf_line;
        let strict = self.data_before
            || self.data_after
            || self.lf_line
            || self.folding
            || self.invalid_folding
            || self.invalid_quoting
            || self.invalid_part
            || self.missing_semicolon
            || self.boundary_white;
        for (name, value) in [
            (Name::MultipartStrictError, strict),
            (Name::MultipartDataBefore, self.data_before),
            (Name::MultipartDataAfter, self.data_after),
            (Name::MultipartLfLine, self.lf_line),
            (Name::MultipartCrlfLfLines, mixed),
            (Name::MultipartHeaderFolding, self.folding),
            (Name::MultipartInvalidHeaderFolding, self.invalid_folding),
            (Name::MultipartInvalidQuoting, self.invalid_quoting),
            (Name::MultipartInvalidPart, self.invalid_part),
            (Name::MultipartMissingSemicolon, self.missing_semicolon),
            (Name::MultipartSemicolonMissing, self.missing_semicolon),
            (Name::MultipartUnmatchedBoundary, self.unmatched_boundary),
            (Name::MultipartBoundaryQuoted, self.boundary_quoted),
            (Name::MultipartBoundaryWhitespace, self.boundary_white),
        ] {
            transaction.single(name, if value { b"1" } else { b"0" });
        }
    }
}

/// The boundary that a media type names (RFC 2046 §5.1.1).
fn boundary(content_type: &[u8], odd: &mut Oddities) -> Result<Vec<u8>, String> {
    let lower = content_type.to_ascii_lowercase();
    let is_parameter = |at: &usize| {
        let before = lower[..*at].last();
        let behind = lower[*at + b"boundary".len()..].trim_ascii_start();
        before.is_none_or(|byte| b"; \t,".contains(byte)) && behind.starts_with(b"=")
    };
    let mut places = memchr::memmem::find_iter(&lower, b"boundary").filter(is_parameter);
    let at = places.next().ok_or("the media type names no boundary")?;
    if places.next().is_some() {
        return Err("the media type names several boundaries".to_owned());
    }
    let before = &content_type[..at];
    odd.missing_semicolon = before.trim_ascii_end().last() != Some(&b';');
    let rest = &content_type[at + b"boundary".len()..];
    let value = rest
        .trim_ascii_start()
        .strip_prefix(b"=")
        .ok_or("the media type names no boundary")?;
    odd.boundary_white = !rest.starts_with(b"=") || value.first().is_some_and(u8::is_ascii_whitespace);
    let value = value.trim_ascii();
    let value = match value.strip_prefix(b"\"") {
        Some(quoted) => {
            odd.boundary_quoted = true;
            let end = memchr::memchr(b'"', quoted).ok_or("the boundary's quotes are not closed")?;
            &quoted[..end]
        }
        None => {
            let end = value.iter().position(|byte| matches!(byte, b';' | b',' | b' ' | b'\t'));
            &value[..end.unwrap_or(value.len())]
        }
    };
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    if value.is_empty() || value.len() > 70 || !value.iter().all(allowed) {
        return Err("the boundary is malformed".to_owned());
    }
    Ok(value.to_vec())
}

fn parts(transaction: &mut Transaction, content: &[u8], boundary: &[u8], odd: &mut Oddities) -> Result<(), String> {
    let delimiter = [b"--", boundary].concat();
    let finder = memchr::memmem::Finder::new(&delimiter);
    // Delimiters stand at the beginning of lines.
    let mut places = finder
        .find_iter(content)
        .filter(|at| *at == 0 || content[at - 1] == b'\n')
        .peekable();
    let first = *places.peek().ok_or("the boundary occurs nowhere")?;
    odd.data_before = first > 0;
    let mut size_of_files = 0usize;
    let mut count = 0;
    while let Some(at) = places.next() {
        let behind = &content[at + delimiter.len()..];
        if let Some(epilogue) = behind.strip_prefix(b"--") {
            odd.data_after = !epilogue.trim_ascii().is_empty();
            transaction.single(Name::FilesCombinedSize, size_of_files.to_string().as_bytes());
            return Ok(());
        }
        let line_end = memchr::memchr(b'\n', behind).ok_or("the form ends behind a boundary")?;
        match &behind[..line_end] {
            b"" => odd.lf_line = true,
            b"\r" => odd.crlf_line = true,
            _ => odd.unmatched_boundary = true,
        }
        let end = places.peek().copied().ok_or("the form is not closed")?;
        let start = at + delimiter.len() + line_end + 1;
        if end < start {
            return Err("a part has no head".to_owned());
        }
        let part = &content[start..end];
        let part = part.strip_suffix(b"\n").unwrap_or(part);
        let part = part.strip_suffix(b"\r").unwrap_or(part);
        count += 1;
        if count > MOST_PARTS {
            transaction.exceed("the form has more parts than rules may look at");
            return Err("too many parts".to_owned());
        }
        let part = read_part(part, odd)?;
        size_of_files += tell_part(transaction, &part)?;
    }
    Err("the form is not closed".to_owned())
}

/// Makes variables of a part; the size of its file.
fn tell_part(transaction: &mut Transaction, part: &Part<'_>) -> Result<usize, String> {
    let name = part.name.as_deref().ok_or("a part has no name")?;
    for field in &part.fields {
        transaction.named(Name::MultipartPartHeaders, name, field);
    }
    transaction.named(Name::MultipartName, name, name);
    match &part.filename {
        Some(filename) => {
            transaction.named(Name::Files, name, filename);
            transaction.named(Name::FilesNames, name, name);
            transaction.named(Name::MultipartFilename, name, filename);
            transaction.named(Name::FilesSizes, name, part.content.len().to_string().as_bytes());
            Ok(part.content.len())
        }
        None if transaction.argument(Name::ArgsPost, name, part.content) => Ok(0),
        None => Err("too many arguments".to_owned()),
    }
}

fn read_part<'c>(text: &'c [u8], odd: &mut Oddities) -> Result<Part<'c>, String> {
    let mut part = Part::default();
    let mut rest = text;
    loop {
        let (line, behind) = match memchr::memchr(b'\n', rest) {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            // A part whose head isn't closed by an empty line has no content.
            None => (rest, &b""[..]),
        };
        let had_line_end = rest.len() > line.len();
        let stripped = line.strip_suffix(b"\r");
        odd.lf_line |= had_line_end && stripped.is_none();
        odd.crlf_line |= stripped.is_some();
        let line = stripped.unwrap_or(line);
        rest = behind;
        if line.is_empty() {
            break;
        }
        if line.len() > LONGEST_FIELD || part.fields.len() >= MOST_FIELDS {
            return Err("the head of a part is too large".to_owned());
        }
        match (line.first(), part.fields.last_mut()) {
            (Some(b' ' | b'\t'), Some(field)) => {
                odd.folding = true;
                field.extend_from_slice(line);
            }
            (Some(b' ' | b'\t'), None) => odd.invalid_folding = true,
            _ => part.fields.push(line.to_vec()),
        }
    }
    part.content = rest;
    for field in &part.fields {
        let colon = memchr::memchr(b':', field).ok_or("a field in the head of a part has no colon")?;
        if field[..colon].trim_ascii().eq_ignore_ascii_case(b"content-disposition") {
            let (name, filename) = disposition(&field[colon + 1..], odd)?;
            if part.name.is_some() {
                return Err("a part has two dispositions".to_owned());
            }
            part.name = name;
            part.filename = filename;
        }
    }
    Ok(part)
}

/// The name and the file name of a disposition (RFC 7578 §4.2).
#[allow(clippy::type_complexity, reason = "two names, each of which may be missing")]
fn disposition(value: &[u8], odd: &mut Oddities) -> Result<(Option<Vec<u8>>, Option<Vec<u8>>), String> {
    let (mut name, mut filename) = (None, None);
    let start = memchr::memchr(b';', value).unwrap_or(value.len());
    if !value[..start].trim_ascii().eq_ignore_ascii_case(b"form-data") {
        return Err("the disposition of a part is not form-data".to_owned());
    }
    let mut rest = value[start..].trim_ascii_start();
    while let Some(behind) = rest.strip_prefix(b";") {
        let behind = behind.trim_ascii_start();
        let Some(equals) = memchr::memchr(b'=', behind) else {
            break;
        };
        let parameter = behind[..equals].trim_ascii().to_ascii_lowercase();
        let (text, after) = parameter_value(behind[equals + 1..].trim_ascii_start(), odd)?;
        let slot = match &parameter[..] {
            b"name" => &mut name,
            b"filename" | b"filename*" => &mut filename,
            _ => {
                rest = after.trim_ascii_start();
                continue;
            }
        };
        if slot.replace(text).is_some() && parameter != b"filename*" {
            return Err("a disposition names a part twice".to_owned());
        }
        rest = after.trim_ascii_start();
    }
    odd.missing_semicolon |= !rest.trim_ascii().is_empty();
    Ok((name, filename))
}

fn parameter_value<'v>(text: &'v [u8], odd: &mut Oddities) -> Result<(Vec<u8>, &'v [u8]), String> {
    let Some(quote @ (b'"' | b'\'')) = text.first().copied() else {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        return Ok((text[..end].trim_ascii_end().to_vec(), &text[end..]));
    };
    odd.invalid_quoting |= quote == b'\'';
    let mut value = Vec::new();
    let mut bytes = text[1..].iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                // Browsers of old wrote paths with backslashes: only a quote is escaped by one.
                Some((_, escaped)) if *escaped == quote || *escaped == b'\\' => value.push(*escaped),
                Some((_, other)) => value.extend([b'\\', *other]),
                None => break,
            },
            byte if *byte == quote => return Ok((value, &text[at + 2..])),
            byte => value.push(*byte),
        }
    }
    Err("the quotes of a parameter are not closed".to_owned())
}
