//! Indexes that are there and of no use: those whose work another one does, and those that nobody uses. Each of them
//! makes every write of its table dearer.

use crate::schema::{Index, Relation};

/// What is to be said of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub index: String,
    /// Its columns; an expression is `(…)`.
    pub columns: Vec<String>,
    /// The index, or the primary key, that does all that it does.
    pub redundant_with: Option<String>,
    /// How often the database says that it was used, where it counts that.
    pub scans: Option<u64>,
    /// Its bytes, where the database knows.
    pub bytes: Option<u64>,
    /// Whether it keeps a promise of the data (a key), whatever it is used for.
    pub is_needed: bool,
}

/// What is to be said of each index of a table.
pub fn findings(relation: &Relation) -> Vec<Finding> {
    let name = |column: &Option<usize>| match column {
        Some(place) => relation.columns[*place].name.as_str().to_owned(),
        None => "(…)".to_owned(),
    };
    let findings = relation.indexes.iter().enumerate();
    let findings = findings.map(|(place, index)| Finding {
        index: index.name.as_str().to_owned(),
        columns: index.columns.iter().map(name).collect(),
        redundant_with: redundant_with(relation, place),
        scans: index.scans,
        bytes: index.bytes,
        is_needed: index.unique || index.primary,
    });
    findings.collect()
}

/// What does all that this index does. Of two that are equal the later one is redundant.
fn redundant_with(relation: &Relation, place: usize) -> Option<String> {
    let index = &relation.indexes[place];
    let is_plain = !index.unique && !index.primary && !index.partial && &*index.method == "btree";
    let columns = index
        .columns
        .iter()
        .copied()
        .collect::<Option<Vec<usize>>>()
        .filter(|_| is_plain)?;
    if relation.primary_key.starts_with(&columns) && index.included.is_empty() {
        return Some("the primary key".to_owned());
    }
    let others = relation.indexes.iter().enumerate().filter(|(other, _)| *other != place);
    others
        .filter(|(other, by)| does_all(by, index) && (by.columns.len() > columns.len() || by.unique || *other < place))
        .map(|(_, by)| by.name.as_str().to_owned())
        .next()
}

fn does_all(by: &Index, index: &Index) -> bool {
    let holds = |column: &usize| by.included.contains(column) || by.columns.contains(&Some(*column));
    !by.partial
        && by.method == index.method
        && by.columns.starts_with(&index.columns)
        && index.included.iter().all(holds)
}
