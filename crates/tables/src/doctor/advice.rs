//! Indexes that would help a question: the columns with one value first, then one column with a range, or those of the
//! order; and where few others are shown, these too, so that the rows themselves need not be read.
//!
//! That is a guess which the schema allows. Whether the database would use it, only the database can say.

use super::part::{Lookup, Part, lookup, order_columns, parts};
use crate::api::Api;
use crate::query::{Item, Read};
use crate::schema::{Engine, Kind, Relation, Type};

/// Columns that are put into an index only to be shown, at the most: each makes every write of the table dearer.
const MOST_COVERED: usize = 3;
/// Columns of an index, at the most.
const MOST_COLUMNS: usize = 5;
/// Characters of an index's name. PostgreSQL takes 63.
const LONGEST_NAME: usize = 60;

/// An index that there is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The table.
    pub relation: String,
    /// The columns that it would be sorted by.
    pub columns: Vec<String>,
    /// Columns that it would hold beside.
    pub covered: Vec<String>,
    /// The statement that makes it, as an operator would run it: on PostgreSQL without stopping writes.
    pub statement: String,
    /// The same without what can't be said of an index that is only imagined.
    pub imagined: String,
}

/// Indexes that could help a question, the more promising first.
pub fn candidates(api: &Api, read: &Read) -> Vec<Candidate> {
    let engine = api.schema().engine();
    let mut found: Vec<Candidate> = Vec::new();
    for part in parts(api, read) {
        for candidate in of_part(engine, &part) {
            if !found.iter().any(|known| known.statement == candidate.statement) {
                found.push(candidate);
            }
        }
    }
    found
}

fn of_part(engine: Engine, part: &Part<'_>) -> Vec<Candidate> {
    let relation = &*part.resource.relation;
    if relation.kind == Kind::View {
        return Vec::new();
    }
    let mut equal: Vec<usize> = part.joined.to_vec();
    let mut range = None;
    for (column, lookup) in part.conditions.iter().filter_map(|condition| lookup(condition)) {
        match lookup {
            Lookup::Equal if !equal.contains(&column) => equal.push(column),
            Lookup::Range if range.is_none() => range = Some(column),
            _ => {}
        }
    }
    // What tells rows apart best comes first: keys, references, then what has many values.
    equal.sort_by_key(|column| !is_telling(relation, *column));
    let order = order_columns(part.order).filter(|columns| !columns.is_empty());
    let mut lists: Vec<Vec<usize>> = Vec::new();
    let mut offer = |more: &[usize]| {
        let mut columns = equal.clone();
        columns.extend(more.iter().filter(|column| !equal.contains(column)));
        columns.truncate(MOST_COLUMNS);
        let fits = columns
            .iter()
            .all(|column| is_sortable(&relation.columns[*column].kind));
        if !columns.is_empty() && fits && !lists.contains(&columns) && !begins(relation, &columns) {
            lists.push(columns);
        }
    };
    match (range, &order) {
        (Some(range), Some(order)) => {
            offer(&[range]);
            offer(order);
        }
        (Some(range), None) => offer(&[range]),
        (None, Some(order)) => offer(order),
        (None, None) => offer(&[]),
    }
    let mut found: Vec<Candidate> = lists
        .iter()
        .map(|columns| candidate(engine, relation, columns, &[]))
        .collect();
    if let Some(columns) = lists.first() {
        let covered = covered(part, columns);
        if !covered.is_empty() {
            found.push(candidate(engine, relation, columns, &covered));
        }
    }
    found
}

/// The columns that are shown and not sorted by, where they are few.
fn covered(part: &Part<'_>, columns: &[usize]) -> Vec<usize> {
    let mut covered = Vec::new();
    for item in part.items {
        match item {
            Item::Field { field, .. } if columns.contains(&field.column) || covered.contains(&field.column) => {}
            Item::Field { field, .. } => covered.push(field.column),
            Item::Aggregate { field: Some(field), .. } if !columns.contains(&field.column) => {
                covered.push(field.column);
            }
            Item::Aggregate { .. } | Item::Origin { .. } => {}
            // How rows are related is found by further columns.
            Item::Embed(_) => return Vec::new(),
        }
    }
    let key = &part.resource.relation.primary_key;
    let kinds = &part.resource.relation.columns;
    covered.retain(|column| !key.contains(column));
    let fits = covered.len() <= MOST_COVERED && covered.iter().all(|column| is_sortable(&kinds[*column].kind));
    if fits { covered } else { Vec::new() }
}

fn is_telling(relation: &Relation, column: usize) -> bool {
    let is_key = relation.primary_key.contains(&column) || relation.unique.iter().any(|key| key.contains(&column));
    is_key || !matches!(relation.columns[column].kind, Type::Boolean | Type::Enumeration(_))
}

/// Whether an index begins with these columns already.
fn begins(relation: &Relation, columns: &[usize]) -> bool {
    let has = |index: &[Option<usize>]| {
        index.len() >= columns.len() && index.iter().zip(columns).all(|(has, wanted)| *has == Some(*wanted))
    };
    relation.primary_key.starts_with(columns)
        || relation
            .indexes
            .iter()
            .any(|index| !index.partial && &*index.method == "btree" && has(&index.columns))
}

fn is_sortable(kind: &Type) -> bool {
    !matches!(
        kind,
        Type::Json { .. }
            | Type::Array(_)
            | Type::Range
            | Type::SearchVector
            | Type::Composite
            | Type::Other
            | Type::Bytes
    )
}

fn candidate(engine: Engine, relation: &Relation, columns: &[usize], covered: &[usize]) -> Candidate {
    let names = |places: &[usize]| -> Vec<String> {
        let name = |place: &usize| relation.columns[*place].name.as_str().to_owned();
        places.iter().map(name).collect()
    };
    let quoted = |places: &[usize]| {
        let quoted = |place: &usize| {
            let column = &relation.columns[*place];
            let is_long = matches!(column.kind, Type::Text) && column.max_length.is_none_or(|length| length > 768);
            // A text without a limit can only be indexed by how it begins.
            let prefix = if engine.is_mysql_like() && is_long { "(64)" } else { "" };
            format!("{}{prefix}", column.name.quoted())
        };
        places.iter().map(quoted).collect::<Vec<_>>().join(", ")
    };
    let (sorted, included) = match engine {
        _ if covered.is_empty() => (quoted(columns), String::new()),
        Engine::Postgres => (quoted(columns), format!(" INCLUDE ({})", quoted(covered))),
        // Others hold beside only what they sort by too.
        _ => (quoted(&[columns, covered].concat()), String::new()),
    };
    let quote = if engine.is_mysql_like() { '`' } else { '"' };
    let name = name(relation, columns, !covered.is_empty());
    let table = match engine {
        Engine::Sqlite => relation.name.quoted().to_owned(),
        _ => format!("{}.{}", relation.namespace.quoted(), relation.name.quoted()),
    };
    let imagined = format!("CREATE INDEX {quote}{name}{quote} ON {table} ({sorted}){included}");
    let statement = match engine {
        Engine::Postgres => imagined.replacen("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1),
        _ => imagined.clone(),
    };
    Candidate {
        relation: relation.name.as_str().to_owned(),
        columns: names(columns),
        covered: names(covered),
        statement,
        imagined,
    }
}

/// A name of letters, digits and `_` only.
fn name(relation: &Relation, columns: &[usize], covers: bool) -> String {
    let mut name = relation.name.as_str().to_owned();
    for column in columns {
        name.push('_');
        name.push_str(relation.columns[*column].name.as_str());
    }
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() {
            character
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(plain).take(LONGEST_NAME - 8).collect();
    format!("{name}{}", if covers { "_cov_idx" } else { "_idx" })
}
