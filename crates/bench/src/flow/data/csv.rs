//! Comma-separated values as RFC 4180 has them, and nothing that is only like them: a quote that isn't closed would otherwise
//! swallow half of a file.

use super::Rows;
use crate::flow::value::Kind;

/// Reads a text. Lines end with CRLF or LF; empty lines are passed over.
pub(super) fn read(text: &str) -> Result<Rows, String> {
    let mut reader = Reader {
        rest: text,
        line: 1,
        field: String::new(),
    };
    let mut rows = Rows::default();
    let mut names = Vec::new();
    while let Some(line) = reader.begin_record() {
        let within = |message: String| format!("line {line}: {message}");
        let mut count = 0;
        loop {
            let is_last = reader.field().map_err(within)?;
            count += 1;
            if rows.columns.is_empty() {
                names.push(reader.field.clone());
            } else if count <= rows.columns.len() {
                rows.push(&reader.field, Kind::Text).map_err(within)?;
            }
            if is_last {
                break;
            }
        }
        if rows.columns.is_empty() {
            rows.name_columns(std::mem::take(&mut names)).map_err(within)?;
        } else if count != rows.columns.len() {
            let expected = rows.columns.len();
            return Err(within(format!(
                "there are {count} values; the first line names {expected} columns"
            )));
        }
    }
    if rows.columns.is_empty() {
        return Err("there is nothing; the first line names the columns".to_owned());
    }
    Ok(rows)
}

struct Reader<'t> {
    rest: &'t str,
    /// The line that is read, from 1.
    line: usize,
    /// The field that was read last.
    field: String,
}

impl Reader<'_> {
    /// The line in which the next record begins, where there is one.
    fn begin_record(&mut self) -> Option<usize> {
        while let Some(after) = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n')) {
            self.rest = after;
            self.line += 1;
        }
        (!self.rest.is_empty()).then_some(self.line)
    }

    /// Reads a field; whether it is the last one of its record.
    fn field(&mut self) -> Result<bool, String> {
        self.field.clear();
        match self.rest.strip_prefix('"') {
            Some(after) => self.quoted(after)?,
            None => self.plain()?,
        }
        if let Some(after) = self.rest.strip_prefix(',') {
            self.rest = after;
            return Ok(false);
        }
        let after = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n'));
        match after {
            Some(after) => {
                self.rest = after;
                self.line += 1;
            }
            None if self.rest.is_empty() => {}
            None => return Err("behind a quote that closes comes a comma or the end of the line".to_owned()),
        }
        Ok(true)
    }

    fn plain(&mut self) -> Result<(), String> {
        let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let is_line_end = self.rest[end..].starts_with('\n');
        let mut field = &self.rest[..end];
        if is_line_end {
            field = field.strip_suffix('\r').unwrap_or(field);
        }
        if field.contains('"') {
            return Err(
                "a value with quotes in it stands in quotes, and they are doubled: `\"5\"\" pipe\"`".to_owned(),
            );
        }
        if field.contains('\r') {
            return Err("a value with a line break in it stands in quotes".to_owned());
        }
        self.field.push_str(field);
        self.rest = &self.rest[field.len()..];
        Ok(())
    }

    /// Reads what stands behind a quote that opens, up to and with the one that closes.
    fn quoted(&mut self, mut rest: &str) -> Result<(), String> {
        loop {
            let Some((part, after)) = rest.split_once('"') else {
                return Err("a quote is not closed".to_owned());
            };
            self.field.push_str(part);
            match after.strip_prefix('"') {
                Some(after) => {
                    self.field.push('"');
                    rest = after;
                }
                None => {
                    self.line += self.field.matches('\n').count();
                    self.rest = &self.rest[self.rest.len() - after.len()..];
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::prop;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn check(text: &str, expected: Result<&[&[&str]], &str>) {
        match (read(text), expected) {
            (Ok(rows), Ok(expected)) => assert_eq!(table(&rows), expected, "{text:?}"),
            (Err(message), Err(part)) => assert!(message.contains(part), "{text:?}: {message}"),
            (rows, _) => panic!("{text:?}: {rows:?}"),
        }
    }

    /// All values, the names of the columns first.
    fn table(rows: &Rows) -> Vec<Vec<&str>> {
        let names = rows.columns().iter().map(String::as_str).collect();
        let values =
            (0..rows.len()).map(|row| (0..rows.columns().len()).map(|at| rows.get(row, at).unwrap()).collect());
        std::iter::once(names).chain(values).collect()
    }

    #[test]
    fn values_are_read_as_they_are_written() {
        check("id\n1\n", Ok(&[&["id"], &["1"]]));
        check(
            "id,name\r\n1,Ada\r\n2,Bo",
            Ok(&[&["id", "name"], &["1", "Ada"], &["2", "Bo"]]),
        );
        check("a,b\n,\n\n\" x \",\"\"\n", Ok(&[&["a", "b"], &["", ""], &[" x ", ""]]));
        check(
            "a,b\n\"1,5\",\"say \"\"hi\"\"\"\n\"two\r\nlines\",ü\n",
            Ok(&[&["a", "b"], &["1,5", "say \"hi\""], &["two\r\nlines", "ü"]]),
        );
        check("\"a\"\n\"\"\n", Ok(&[&["a"], &[""]]));
    }

    #[test]
    fn what_is_only_like_it_is_refused() {
        check("", Err("the first line names the columns"));
        check("\n\n", Err("the first line names the columns"));
        check(
            "a,b\n1\n",
            Err("line 2: there are 1 values; the first line names 2 columns"),
        );
        check("a,b\n1,2\n1,2,3\n", Err("line 3: there are 3 values"));
        check("a,b\n\"x\ny\",2\n1\n", Err("line 4: there are 1 values"));
        check("a,b\n1,\"2\n3,4\n", Err("line 2: a quote is not closed"));
        check("a\n5\" pipe\n", Err("line 2: a value with quotes"));
        check("a\n\"x\" y\n", Err("line 2: behind a quote"));
        check("a\nx\ry\n", Err("line 2: a value with a line break"));
        check("a,a\n", Err("line 1: two columns are named `a`"));
        check("a,\n", Err("line 1: `` names no column"));
        check("a, b\n", Err("line 1: ` b` names no column"));
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[a,\"\r\n ü]{0,60}") {
            if let Ok(rows) = read(&text) {
                prop_assert_eq!(rows.values.len(), rows.len() * rows.columns().len());
            }
        }

        #[test]
        fn what_is_written_is_read_back(values in prop::collection::vec(prop::collection::vec(".*", 3), 0..6)) {
            let mut text = "a,b,c\r\n".to_owned();
            for row in &values {
                let quoted: Vec<_> = row.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect();
                text.push_str(&quoted.join(","));
                text.push_str("\r\n");
            }
            let rows = read(&text).unwrap();
            prop_assert_eq!(rows.len(), values.len());
            prop_assert!(table(&rows)[1..].iter().eq(values.iter()));
        }
    }
}
