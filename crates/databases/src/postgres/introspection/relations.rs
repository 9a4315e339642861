//! Tables and views, with their columns, keys and indexes.

use std::collections::HashMap;

use portcullis_tables::schema::{FoundColumn, FoundForeignKey, FoundIndex, FoundRelation, Kind, Volatile};
use tokio_postgres::{Error, Row};

use super::types::Types;

/// The relations that were found, and what their parts are called in the catalogs.
pub(super) struct Relations {
    pub(super) found: Vec<FoundRelation>,
    /// The place of each relation, by its object identifier.
    pub(super) places: HashMap<u32, usize>,
    /// Columns by the object identifiers of their relations, composite types among them.
    columns: HashMap<u32, Columns>,
}

#[derive(Default)]
pub(super) struct Columns {
    found: Vec<FoundColumn>,
    /// The number of each column, in the same order. It is not the column's place where columns were dropped.
    numbers: Vec<i16>,
}

impl Relations {
    pub(super) fn new(relations: &[Row], columns: &[Row], types: &Types) -> Result<Relations, Error> {
        let mut by_relation: HashMap<u32, Columns> = HashMap::with_capacity(relations.len());
        for row in columns {
            let columns = by_relation.entry(row.try_get(0)?).or_default();
            columns.numbers.push(row.try_get(1)?);
            columns.found.push(column(row, types)?);
        }
        let mut found = Vec::with_capacity(relations.len());
        let mut places = HashMap::with_capacity(relations.len());
        for row in relations {
            let oid: u32 = row.try_get(0)?;
            places.insert(oid, found.len());
            let columns = by_relation
                .get(&oid)
                .map(|columns| columns.found.clone())
                .unwrap_or_default();
            found.push(relation(row, columns)?);
        }
        Ok(Relations {
            found,
            places,
            columns: by_relation,
        })
    }

    /// Primary keys, and references between tables.
    pub(super) fn add_keys(&mut self, rows: &[Row]) -> Result<(), Error> {
        for row in rows {
            let oid: u32 = row.try_get(0)?;
            let Some(place) = self.places.get(&oid).copied() else {
                continue;
            };
            let Some(columns) = self.columns_at(oid, &row.try_get::<_, Vec<i16>>(3)?) else {
                continue;
            };
            if row.try_get::<_, &str>(2)? == "p" {
                self.found[place].primary_key = columns;
                continue;
            }
            let target: u32 = row.try_get(4)?;
            let numbers = row.try_get::<_, Option<Vec<i16>>>(5)?.unwrap_or_default();
            let (Some(there), Some(referred)) = (self.places.get(&target), self.columns_at(target, &numbers)) else {
                // It refers into a namespace that isn't looked at.
                continue;
            };
            let key = reference(row.try_get(1)?, columns, &self.found[*there], &referred);
            self.found[place].foreign_keys.push(key);
        }
        Ok(())
    }

    /// Indexes, and the unique keys that they make.
    pub(super) fn add_indexes(&mut self, rows: &[Row]) -> Result<(), Error> {
        for row in rows {
            let oid: u32 = row.try_get(0)?;
            let Some(place) = self.places.get(&oid).copied() else {
                continue;
            };
            let numbers: Vec<i16> = row.try_get(3)?;
            let sorted = usize::try_from(row.try_get::<_, i16>(4)?)
                .unwrap_or(0)
                .min(numbers.len());
            let (keys, included) = numbers.split_at(sorted);
            let index = FoundIndex {
                name: row.try_get(1)?,
                columns: keys.iter().map(|number| self.column_at(oid, *number)).collect(),
                included: included
                    .iter()
                    .filter_map(|number| self.column_at(oid, *number))
                    .collect(),
                unique: row.try_get(5)?,
                primary: row.try_get(6)?,
                partial: row.try_get(8)?,
                method: row.try_get(2)?,
                scans: Volatile(row.try_get::<_, i64>(10)?.try_into().ok()),
                bytes: Volatile(row.try_get::<_, i64>(9)?.try_into().ok()),
            };
            // A deferrable key is checked at the end of a transaction only: until then it is none.
            let at_once: bool = row.try_get(7)?;
            if index.unique && !index.primary && !index.partial && at_once {
                self.found[place]
                    .unique
                    .extend(index.columns.iter().copied().collect::<Option<Vec<_>>>());
            }
            self.found[place].indexes.push(index);
        }
        Ok(())
    }

    /// The columns of a relation or composite type.
    pub(super) fn columns_of(&self, oid: u32) -> Vec<FoundColumn> {
        self.columns
            .get(&oid)
            .map(|columns| columns.found.clone())
            .unwrap_or_default()
    }

    /// The place of a column by its number.
    pub(super) fn column_at(&self, oid: u32, number: i16) -> Option<usize> {
        // Numbers ascend, in the order of the columns.
        self.columns.get(&oid)?.numbers.binary_search(&number).ok()
    }

    pub(super) fn finish(self) -> Vec<FoundRelation> {
        self.found
    }

    fn columns_at(&self, oid: u32, numbers: &[i16]) -> Option<Vec<usize>> {
        numbers.iter().map(|number| self.column_at(oid, *number)).collect()
    }
}

fn relation(row: &Row, columns: Vec<FoundColumn>) -> Result<FoundRelation, Error> {
    let kind = match row.try_get::<_, &str>(3)? {
        "r" | "p" => Kind::Table,
        _ => Kind::View,
    };
    Ok(FoundRelation {
        columns,
        comment: row.try_get(4)?,
        estimated_rows: Volatile(estimate(row.try_get(5)?)),
        writable: row.try_get(6)?,
        ..FoundRelation::new(row.try_get(1)?, row.try_get(2)?, kind)
    })
}

/// A foreign key to these columns of another relation.
pub(super) fn reference(
    name: String,
    columns: Vec<usize>,
    there: &FoundRelation,
    referred: &[usize],
) -> FoundForeignKey {
    FoundForeignKey {
        name,
        columns,
        namespace: there.namespace.clone(),
        relation: there.name.clone(),
        referred: referred
            .iter()
            .map(|column| there.columns[*column].name.clone())
            .collect(),
    }
}

/// Rows that the planner believes in; it says -1 of a table that it has never looked at.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates"
)]
fn estimate(rows: f64) -> Option<u64> {
    (rows >= 0.0).then_some(rows as u64)
}

fn column(row: &Row, types: &Types) -> Result<FoundColumn, Error> {
    let resolved = types.resolve(row.try_get(3)?, row.try_get(5)?);
    let not_null: bool = row.try_get(6)?;
    let default: Option<String> = row.try_get(7)?;
    let identity: &str = row.try_get(8)?;
    let computed = !row.try_get::<_, &str>(9)?.is_empty();
    let default = match identity {
        _ if computed => None,
        "a" => Some("generated always as identity".to_owned()),
        "d" => Some("generated by default as identity".to_owned()),
        _ => default.or(resolved.default),
    };
    Ok(FoundColumn {
        name: row.try_get(2)?,
        kind: resolved.kind,
        declared: row.try_get(4)?,
        nullable: !not_null && !resolved.not_null,
        default,
        // A value for a column that is always an identity is refused, as for a computed one.
        generated: computed || identity == "a",
        max_length: resolved.max_length,
        comment: row.try_get(10)?,
    })
}
