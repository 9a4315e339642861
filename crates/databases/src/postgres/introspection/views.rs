//! References of views: a view that shows the columns of a key as they are refers, and is referred to, as its table.

use std::collections::HashMap;

use portcullis_tables::schema::FoundForeignKey;
use tokio_postgres::{Error, Row};

use super::relations::{Relations, reference};

/// References that are made for views, at the most: with many views of many tables each could refer to each.
const MAX_KEYS: usize = 20_000;
/// Views upon views upon tables that are followed.
const MAX_DEPTH: usize = 16;

/// For the columns of a view, by the place of a relation's column: the place in the view.
type Shown = HashMap<(usize, usize), usize>;

/// Adds references of views, and references to views.
pub(super) fn add_keys(relations: &mut Relations, rows: &[Row]) -> Result<(), Error> {
    let mut origins: HashMap<(usize, usize), (usize, usize)> = HashMap::new();
    for row in rows {
        let (oid, action): (u32, &str) = (row.try_get(0)?, row.try_get(1)?);
        let Some(view) = relations.places.get(&oid).copied() else {
            continue;
        };
        for (number, table, column) in targets(action) {
            let from = relations.column_at(oid, number);
            let to = relations
                .places
                .get(&table)
                .copied()
                .zip(relations.column_at(table, column));
            if let (Some(from), Some(to)) = (from, to) {
                origins.insert((view, from), to);
            }
        }
    }
    if origins.is_empty() {
        return Ok(());
    }
    let mut shown: HashMap<usize, Shown> = HashMap::new();
    // By table, the views that show columns of it.
    let mut views_of: HashMap<usize, Vec<usize>> = HashMap::new();
    for ((view, column), origin) in &origins {
        let mut at = *origin;
        for _ in 0..MAX_DEPTH {
            match origins.get(&at) {
                Some(deeper) => at = *deeper,
                None => break,
            }
        }
        // Of a column that is shown twice it is always the first that stands for it.
        let first = shown.entry(*view).or_default().entry(at).or_insert(*column);
        *first = (*first).min(*column);
        views_of.entry(at.0).or_default().push(*view);
    }
    for views in views_of.values_mut() {
        views.sort_unstable();
        views.dedup();
    }
    let added = references(relations, &shown, &views_of);
    for (place, key) in added {
        relations.found[place].foreign_keys.push(key);
    }
    Ok(())
}

/// Each reference between tables again, for the views of either side.
fn references(
    relations: &Relations,
    shown: &HashMap<usize, Shown>,
    views_of: &HashMap<usize, Vec<usize>>,
) -> Vec<(usize, FoundForeignKey)> {
    let found = &relations.found;
    let names: HashMap<(&str, &str), usize> = found
        .iter()
        .enumerate()
        .map(|(place, relation)| ((relation.namespace.as_str(), relation.name.as_str()), place))
        .collect();
    // The columns of a table as a view has them, where it has all of them.
    let through = |view: usize, table: usize, columns: &[usize]| -> Option<Vec<usize>> {
        let shown = shown.get(&view)?;
        columns
            .iter()
            .map(|column| shown.get(&(table, *column)).copied())
            .collect()
    };
    let mut added = Vec::new();
    for (table, relation) in found.iter().enumerate() {
        for key in &relation.foreign_keys {
            let Some(target) = names.get(&(key.namespace.as_str(), key.relation.as_str())).copied() else {
                continue;
            };
            let place = |name: &String| found[target].columns.iter().position(|column| column.name == *name);
            let Some(referred) = key.referred.iter().map(place).collect::<Option<Vec<_>>>() else {
                continue;
            };
            let none = Vec::new();
            let from = views_of.get(&table).unwrap_or(&none);
            let to = views_of.get(&target).unwrap_or(&none);
            let mut sources = vec![(table, key.columns.clone())];
            sources.extend(
                from.iter()
                    .filter_map(|view| Some((*view, through(*view, table, &key.columns)?))),
            );
            let mut targets = vec![(target, referred.clone())];
            targets.extend(
                to.iter()
                    .filter_map(|view| Some((*view, through(*view, target, &referred)?))),
            );
            for (source, columns) in &sources {
                for (target_place, referred) in &targets {
                    if *source == table && *target_place == target {
                        continue;
                    }
                    if added.len() >= MAX_KEYS {
                        return added;
                    }
                    let there = &found[*target_place];
                    added.push((*source, reference(key.name.clone(), columns.clone(), there, referred)));
                }
            }
        }
    }
    added
}

/// Of a view's rule, as the server writes its tree: for each column that is one of another relation as it is, the number
/// of the column, the relation and its column's number.
fn targets(action: &str) -> Vec<(i16, u32, i16)> {
    let mut found = Vec::new();
    let bytes = action.as_bytes();
    let mut depth = 0_usize;
    // Where the last brace of that depth was closed, and whether an entry of the outermost query is open.
    let (mut after, mut in_entry) = (0, false);
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            // What would be taken for a brace is escaped in names and constants.
            b'\\' => at += 1,
            b'{' => {
                depth += 1;
                if depth == 2 {
                    in_entry = bytes[at..].starts_with(b"{TARGETENTRY");
                    after = at;
                }
            }
            b'}' => {
                if depth == 2 && in_entry {
                    found.extend(action.get(after..at).and_then(origin));
                }
                depth = depth.saturating_sub(1);
                after = at;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The fields at the end of an entry, behind its expression.
fn origin(text: &str) -> Option<(i16, u32, i16)> {
    let number = |name: &str| {
        let (_, after) = text.rsplit_once(name)?;
        after.split_whitespace().next()
    };
    let (column, table) = (number(":resno ")?.parse().ok()?, number(":resorigtbl ")?.parse().ok()?);
    (table != 0).then_some(())?;
    Some((column, table, number(":resorigcol ")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_outermost_columns_that_stand_for_others_count() {
        let action = "({QUERY :commandType 1 :rtable ({RTE :subquery {QUERY :targetList ({TARGETENTRY :expr {VAR :x 1} \
                      :resno 7 :resname a :ressortgroupref 0 :resorigtbl 99 :resorigcol 9 :resjunk false}) }}) \
                      :targetList ({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname i\\}d :ressortgroupref 0 \
                      :resorigtbl 16385 :resorigcol 2 :resjunk false} {TARGETENTRY :expr {OPEXPR :args ({VAR :a 1})} \
                      :resno 2 :resname sum :ressortgroupref 0 :resorigtbl 0 :resorigcol 0 :resjunk false}) :override 0})";
        assert_eq!(targets(action), [(1, 16385, 2)]);
        for broken in [
            "",
            "}}}{{{",
            "({QUERY :targetList ({TARGETENTRY :resno x}",
            "\\",
            "{{TARGETENTRY}",
        ] {
            assert_eq!(targets(broken), []);
        }
    }
}
