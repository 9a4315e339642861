//! Data for flows: rows of named values, and which flow gets which.

mod csv;
mod json;

use std::sync::atomic::{AtomicUsize, Ordering};

use super::source::popular;
use super::value::{Kind, Seen};
use crate::request::Unfit;

/// The largest text of a set, in bytes.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The most rows of a set.
pub const MOST_ROWS: usize = 1_000_000;
/// The most columns of a set.
pub const MOST_COLUMNS: usize = 200;
/// The most values of a set: each takes eight bytes beside its text, however short that is.
const MOST_VALUES: usize = 16_000_000;

/// Rows of named values.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    columns: Vec<String>,
    /// The texts of all values, one after the other.
    text: String,
    /// Where each value ends in the text, row by row.
    values: Vec<End>,
}

/// Where a value ends.
#[derive(Clone, Copy, Debug)]
struct End {
    at: u32,
    kind: Kind,
}

/// Rows under a name, and in which order flows get them.
#[derive(Debug)]
pub struct DataSet {
    name: String,
    rows: Rows,
    order: Order,
    /// Which row is next. All threads count it, for a row that is somebody's must be nobody else's.
    next: AtomicUsize,
    /// Its place among the sets of a scope.
    pub(crate) place: usize,
}

/// In which order flows get rows. A flow keeps its row to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the first to the last, and then from the first again.
    #[default]
    InTurn,
    /// By chance, each as likely as the others.
    Random,
    /// By chance, the first ones more often than the others: row n about 1/n as often as the first (Zipf's law).
    Popular,
    /// From the first to the last, and then none: a flow that wants one more fails.
    Once,
}

impl Rows {
    /// Reads comma-separated values (RFC 4180), of which the first line names the columns.
    ///
    /// # Errors
    /// Says in which line what is wrong.
    pub fn from_csv(text: &[u8]) -> Result<Rows, String> {
        csv::read(as_text(text)?)
    }

    /// Reads a list of objects of JSON. All must have the keys of the first one.
    ///
    /// # Errors
    /// Says which of them is wrong, and how.
    pub fn from_json(text: &[u8]) -> Result<Rows, String> {
        json::read(as_text(text)?)
    }

    /// Reads objects of JSON, one a line. All must have the keys of the first one.
    ///
    /// # Errors
    /// Says in which line what is wrong.
    pub fn from_json_lines(text: &[u8]) -> Result<Rows, String> {
        json::read_lines(as_text(text)?)
    }

    /// Rows that stand in memory. All must have the keys of the first one.
    ///
    /// # Errors
    /// Says which of them is wrong, and how.
    pub fn from_objects<'r>(
        rows: impl IntoIterator<Item = &'r serde_json::Map<String, serde_json::Value>>,
    ) -> Result<Rows, String> {
        let mut read = Rows::default();
        for (index, row) in rows.into_iter().enumerate() {
            json::push(&mut read, row).map_err(|message| format!("row {}: {message}", index + 1))?;
        }
        Ok(read)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.columns.len()).unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The text of a value, where there is such a row and column.
    pub fn get(&self, row: usize, column: usize) -> Option<&str> {
        (row < self.len() && column < self.columns.len()).then(|| self.seen(row, column).text)
    }

    fn seen(&self, row: usize, column: usize) -> Seen<'_> {
        let index = row * self.columns.len() + column;
        let start = index.checked_sub(1).map_or(0, |before| self.values[before].at);
        let end = self.values[index];
        Seen {
            text: &self.text[start as usize..end.at as usize],
            kind: end.kind,
        }
    }

    /// Names the columns.
    fn name_columns(&mut self, columns: Vec<String>) -> Result<(), String> {
        if columns.len() > MOST_COLUMNS {
            return Err(format!(
                "there are {} columns; there can be {MOST_COLUMNS}",
                columns.len()
            ));
        }
        for (index, column) in columns.iter().enumerate() {
            if column.trim() != column || column.is_empty() || column.contains(['{', '}', '\n', '\r']) {
                return Err(format!(
                    "`{column}` names no column: a name isn't empty, and has no brace, no line break and no space at its ends"
                ));
            }
            if columns[..index].contains(column) {
                return Err(format!("two columns are named `{column}`"));
            }
        }
        self.columns = columns;
        Ok(())
    }

    /// Adds a value to the last row, or the first one to the next row.
    fn push(&mut self, text: &str, kind: Kind) -> Result<(), String> {
        if self.len() >= MOST_ROWS {
            return Err(format!("there are more than {MOST_ROWS} rows"));
        }
        if self.values.len() >= MOST_VALUES {
            return Err(format!("there are more than {MOST_VALUES} values"));
        }
        self.text.push_str(text);
        match u32::try_from(self.text.len()) {
            Ok(at) if self.text.len() <= MOST_BYTES => {
                self.values.push(End { at, kind });
                Ok(())
            }
            _ => Err(too_large()),
        }
    }
}

impl DataSet {
    /// Rows under a name.
    ///
    /// # Errors
    /// When there is no row.
    pub fn new(name: &str, rows: Rows, order: Order) -> Result<DataSet, String> {
        if rows.is_empty() {
            return Err("there is no row".to_owned());
        }
        Ok(DataSet {
            name: name.to_owned(),
            rows,
            order,
            next: AtomicUsize::new(0),
            place: 0,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its columns.
    pub fn columns(&self) -> &[String] {
        self.rows.columns()
    }

    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.rows.columns.iter().position(|column| column == name)
    }

    pub(crate) fn value(&self, row: usize, column: usize) -> Seen<'_> {
        self.rows.seen(row, column)
    }

    /// The row of a flow that starts.
    pub(crate) fn next(&self, chance: &mut fastrand::Rng) -> Result<usize, Unfit> {
        let count = self.rows.len();
        match self.order {
            Order::InTurn => Ok(self.next.fetch_add(1, Ordering::Relaxed) % count),
            Order::Random => Ok(chance.usize(..count)),
            Order::Popular => {
                let row = popular(chance, count as u64 - 1);
                Ok(usize::try_from(row).unwrap_or(count - 1))
            }
            Order::Once => {
                let next = self.next.fetch_add(1, Ordering::Relaxed);
                let used_up = || Unfit(format!("the data `{}` is used up: it has {count} rows", self.name));
                (next < count).then_some(next).ok_or_else(used_up)
            }
        }
    }
}

/// The text of a file, without the mark with which some programs begin one.
fn as_text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > MOST_BYTES {
        return Err(too_large());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        format!("line {line} is not UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn too_large() -> String {
    format!("there are more than {MOST_BYTES} bytes")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn set(order: Order) -> DataSet {
        DataSet::new("user", Rows::from_csv(b"id\na\nb\nc\n").unwrap(), order).unwrap()
    }

    #[test]
    fn rows_come_in_their_order() {
        let mut chance = fastrand::Rng::with_seed(1);
        let in_turn = set(Order::InTurn);
        let rows: Vec<_> = (0..5).map(|_| in_turn.next(&mut chance).unwrap()).collect();
        assert_eq!(rows, [0, 1, 2, 0, 1]);
        let once = set(Order::Once);
        let rows: Vec<_> = (0..3).map(|_| once.next(&mut chance).unwrap()).collect();
        assert_eq!(rows, [0, 1, 2]);
        assert!(
            once.next(&mut chance)
                .unwrap_err()
                .0
                .contains("`user` is used up: it has 3 rows")
        );
        for order in [Order::Random, Order::Popular] {
            let set = set(order);
            let mut counts = [0; 3];
            for _ in 0..1000 {
                counts[set.next(&mut chance).unwrap()] += 1;
            }
            assert!(counts.iter().all(|count| *count > 100), "{order:?} {counts:?}");
        }
    }

    #[test]
    fn what_is_no_text_or_too_large_is_refused() {
        assert_eq!(Rows::from_csv(b"a\n1\n\xff\n").unwrap_err(), "line 3 is not UTF-8");
        assert!(
            Rows::from_csv(&vec![b'a'; MOST_BYTES + 1])
                .unwrap_err()
                .contains("bytes")
        );
        let many = format!("a\n{}", "1\n".repeat(MOST_ROWS + 1));
        assert!(
            Rows::from_csv(many.as_bytes())
                .unwrap_err()
                .contains("more than 1000000 rows")
        );
        let wide = ["c"; MOST_COLUMNS + 1].join(",");
        assert!(Rows::from_csv(wide.as_bytes()).unwrap_err().contains("201 columns"));
        assert!(DataSet::new("a", Rows::default(), Order::Once).is_err());
    }
}
