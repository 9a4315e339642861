//! What a question gives, by the meaning of its words alone: no SQL, no engine.

use std::cmp::Ordering;

use portcullis_tables::api::{Api, Join};
use portcullis_tables::query::{
    Aggregate, Comparison, Embed, Field, Filter, Having, Is, Item, Nulls, Order, OrderBy, Quantifier, Read, Test,
};
use portcullis_tables::value::Value;
use serde_json::{Map, Value as Json, json};

use super::town;

type Row = Vec<Value>;

pub(super) struct Evaluator<'a> {
    api: &'a Api,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(api: &'a Api) -> Evaluator<'a> {
        Evaluator { api }
    }

    /// The rows of a question, as JSON.
    pub(super) fn rows(&self, read: &Read) -> Vec<Json> {
        self.shown(read, town::rows(&self.api.resources()[read.resource].name))
    }

    fn shown(&self, read: &Read, rows: &[Row]) -> Vec<Json> {
        let mut kept: Vec<&Row> = rows.iter().filter(|row| self.is_meant(read, row)).collect();
        let shown = if read.items.iter().any(|item| matches!(item, Item::Aggregate { .. })) {
            self.groups(read, &kept)
        } else {
            kept.sort_by(|one, other| self.order(read, one, other));
            kept.iter().map(|row| Json::Object(self.show(read, row))).collect()
        };
        let offset = usize::try_from(read.window.offset).unwrap();
        let limit = read
            .window
            .limit
            .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        shown.into_iter().skip(offset).take(limit).collect()
    }

    /// Whether the row passes filters, and has the related rows that it must have.
    fn is_meant(&self, read: &Read, row: &Row) -> bool {
        let inner = read.items.iter().all(|item| match item {
            Item::Embed(embed) if embed.inner => !self.related(read, embed, row).is_empty(),
            _ => true,
        });
        inner
            && read
                .filter
                .iter()
                .all(|filter| self.holds(read, filter, row) == Some(true))
    }

    /// The related rows that are meant, without order and window.
    fn related(&self, read: &Read, embed: &Embed, row: &Row) -> Vec<Row> {
        let relationship = &self.api.resources()[read.resource].relationships[embed.relationship];
        let Join::Direct { here, there } = &relationship.join else {
            panic!("no table is between here");
        };
        let target = &self.api.resources()[relationship.target].name;
        let joined = |other: &Row| {
            here.iter()
                .zip(there)
                .all(|(here, there)| equal(&row[*here], &other[*there]) == Some(true))
        };
        let rows = town::rows(target).iter();
        rows.filter(|other| joined(other) && self.is_meant(&embed.read, other))
            .cloned()
            .collect()
    }

    fn show(&self, read: &Read, row: &Row) -> Map<String, Json> {
        let mut members = Map::new();
        for item in &read.items {
            match item {
                Item::Field { field, name, .. } => {
                    members.insert(name.to_string(), as_json(&row[field.column]));
                }
                Item::Embed(embed) if embed.is_shown() => self.show_related(read, embed, row, &mut members),
                Item::Embed(_) => {}
                other => panic!("{other:?} is not asked here"),
            }
        }
        members
    }

    fn show_related(&self, read: &Read, embed: &Embed, row: &Row, members: &mut Map<String, Json>) {
        let relationship = &self.api.resources()[read.resource].relationships[embed.relationship];
        let rows = self.shown(&embed.read, &self.related(read, embed, row));
        if embed.spread {
            let first = rows.first().and_then(Json::as_object).cloned();
            for item in &embed.read.items {
                if let Item::Field { name, .. } = item {
                    let value = first.as_ref().map_or(Json::Null, |first| first[&**name].clone());
                    members.insert(name.to_string(), value);
                }
            }
        } else if relationship.to_one {
            members.insert(embed.name.to_string(), rows.into_iter().next().unwrap_or_default());
        } else {
            members.insert(embed.name.to_string(), Json::Array(rows));
        }
    }

    /// `None` is unknown.
    fn holds(&self, read: &Read, filter: &Filter, row: &Row) -> Option<bool> {
        match filter {
            Filter::And(all) => all.iter().map(|one| self.holds(read, one, row)).fold(Some(true), and),
            Filter::Or(all) => {
                let none = all.iter().map(|one| self.holds(read, one, row).map(|truth| !truth));
                none.fold(Some(true), and).map(|truth| !truth)
            }
            Filter::Not(one) => self.holds(read, one, row).map(|truth| !truth),
            Filter::Test { field, test } => passes(&row[field.column], test),
            Filter::Embedded { item, present } => {
                let Item::Embed(embed) = &read.items[*item] else {
                    panic!("no embed at {item}");
                };
                Some(self.related(read, embed, row).is_empty() != *present)
            }
            Filter::Keys { .. } => panic!("no request says this"),
        }
    }

    fn order(&self, read: &Read, one: &Row, other: &Row) -> Ordering {
        let field = |term: &Order| match &term.by {
            OrderBy::Field(field) => field.column,
            by => panic!("{by:?} is not asked here"),
        };
        let terms = read
            .order
            .iter()
            .map(|term| placed(&one[field(term)], &other[field(term)], term));
        let key = &self.api.resources()[read.resource].relation.primary_key;
        let keys = key
            .iter()
            .map(|column| compared(&one[*column], &other[*column]).unwrap());
        terms.chain(keys).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// One row for each group, or one where there is nothing to group by.
    fn groups(&self, read: &Read, rows: &[&Row]) -> Vec<Json> {
        let by: Vec<&Field> = read
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Field { field, .. } => Some(field),
                _ => None,
            })
            .collect();
        let mut groups: Vec<(Row, Vec<&Row>)> = Vec::new();
        for row in rows {
            let key: Row = by.iter().map(|field| row[field.column].clone()).collect();
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((key, vec![row])),
            }
        }
        if by.is_empty() && groups.is_empty() {
            groups.push((Vec::new(), Vec::new()));
        }
        let mut found: Vec<Row> = groups
            .iter()
            .map(|(key, rows)| {
                let mut key = key.iter();
                let each = read.items.iter().map(|item| match item {
                    Item::Aggregate { function, field, .. } => computed(*function, field.as_ref(), rows),
                    _ => key.next().unwrap().clone(),
                });
                each.collect()
            })
            .filter(|row| {
                read.having
                    .as_ref()
                    .is_none_or(|having| group_holds(having, row) == Some(true))
            })
            .collect();
        found.sort_by(|one, other| {
            let place = |term: &Order| match &term.by {
                OrderBy::Item(place) => *place,
                OrderBy::Field(field) => {
                    let is_it = |item: &Item| matches!(item, Item::Field { field: known, .. } if known == field);
                    read.items.iter().position(is_it).unwrap()
                }
                by => panic!("{by:?} is not asked here"),
            };
            let mut terms = read
                .order
                .iter()
                .map(|term| placed(&one[place(term)], &other[place(term)], term));
            terms.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        let object = |row: &Row| {
            let members = read
                .items
                .iter()
                .zip(row)
                .map(|(item, value)| (name_of(item), as_json(value)));
            Json::Object(members.collect())
        };
        found.iter().map(object).collect()
    }
}

fn name_of(item: &Item) -> String {
    match item {
        Item::Field { name, .. } | Item::Aggregate { name, .. } | Item::Origin { name } => name.to_string(),
        Item::Embed(embed) => embed.name.to_string(),
    }
}

fn computed(function: Aggregate, field: Option<&Field>, rows: &[&Row]) -> Value {
    let values = rows
        .iter()
        .filter_map(|row| match field.map(|field| &row[field.column]) {
            None => Some(Value::Integer(1)),
            Some(Value::Null) => None,
            Some(value) => Some(value.clone()),
        });
    let numbers: Vec<f64> = values.map(|value| number(&value).unwrap()).collect();
    let count = numbers.len();
    let sum: f64 = numbers.iter().sum();
    let found = match function {
        Aggregate::Count => return Value::Integer(i64::try_from(count).unwrap()),
        _ if numbers.is_empty() => return Value::Null,
        Aggregate::Sum => sum,
        Aggregate::Average => sum / f64::from(u32::try_from(count).unwrap()),
        Aggregate::Minimum => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        Aggregate::Maximum => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    Value::Real(found)
}

fn group_holds(having: &Having, row: &Row) -> Option<bool> {
    match having {
        Having::And(all) => all.iter().map(|one| group_holds(one, row)).fold(Some(true), and),
        Having::Or(all) => {
            let none = all.iter().map(|one| group_holds(one, row).map(|truth| !truth));
            none.fold(Some(true), and).map(|truth| !truth)
        }
        Having::Not(one) => group_holds(one, row).map(|truth| !truth),
        Having::Test(item, comparison, value) => compares(&row[*item], *comparison, value),
    }
}

fn passes(value: &Value, test: &Test) -> Option<bool> {
    let quantified = |quantifier: Quantifier, each: &mut dyn Iterator<Item = Option<bool>>| match quantifier {
        Quantifier::All => each.fold(Some(true), and),
        Quantifier::Any => each
            .map(|truth| truth.map(|truth| !truth))
            .fold(Some(true), and)
            .map(|truth| !truth),
    };
    match test {
        Test::Compare(comparison, other) => compares(value, *comparison, other),
        Test::Quantified(comparison, quantifier, others) => quantified(
            *quantifier,
            &mut others.iter().map(|other| compares(value, *comparison, other)),
        ),
        Test::Like { insensitive, pattern } => like(value, pattern, *insensitive),
        Test::QuantifiedLike {
            insensitive,
            quantifier,
            patterns,
        } => quantified(
            *quantifier,
            &mut patterns.iter().map(|pattern| like(value, pattern, *insensitive)),
        ),
        Test::In(others) => quantified(
            Quantifier::Any,
            &mut others.iter().map(|other| compares(value, Comparison::Equal, other)),
        ),
        Test::Is(is) => Some(match is {
            Is::Null | Is::Unknown => *value == Value::Null,
            Is::NotNull => *value != Value::Null,
            Is::True => *value == Value::Boolean(true),
            Is::False => *value == Value::Boolean(false),
        }),
        Test::Distinct(other) => Some(match (value, other) {
            (Value::Null, Value::Null) => false,
            (value, other) => equal(value, other) != Some(true),
        }),
        other => panic!("{other:?} is not asked here"),
    }
}

fn compares(value: &Value, comparison: Comparison, other: &Value) -> Option<bool> {
    let order = compared(value, other)?;
    Some(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
    })
}

fn equal(one: &Value, other: &Value) -> Option<bool> {
    compared(one, other).map(Ordering::is_eq)
}

/// `None` where one of them is NULL.
fn compared(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Text(one), Value::Text(other)) => Some(one.as_bytes().cmp(other.as_bytes())),
        (one, other) => number(one)?.partial_cmp(&number(other)?),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => None,
        Value::Boolean(truth) => Some(f64::from(u8::from(*truth))),
        Value::Integer(number) => Some(f64::from(i32::try_from(*number).unwrap())),
        Value::Real(number) => Some(*number),
        Value::Text(text) => Some(text.parse().unwrap()),
        other => panic!("{other:?} is no number"),
    }
}

/// Where two values stand to each other in an order: NULL is the largest, where the term does not say otherwise.
fn placed(one: &Value, other: &Value, term: &Order) -> Ordering {
    let first = match term.nulls {
        Nulls::Largest => term.descending,
        Nulls::First => true,
        Nulls::Last => false,
    };
    match (*one == Value::Null, *other == Value::Null) {
        (true, true) => Ordering::Equal,
        (true, false) if first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) if first => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let order = compared(one, other).unwrap();
            if term.descending { order.reverse() } else { order }
        }
    }
}

fn like(value: &Value, pattern: &str, insensitive: bool) -> Option<bool> {
    let Value::Text(text) = value else {
        return None;
    };
    let folded = |text: &str| -> Vec<char> {
        if insensitive {
            text.to_lowercase().chars().collect()
        } else {
            text.chars().collect()
        }
    };
    Some(matches(&folded(text), &folded(pattern)))
}

fn matches(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|from| matches(&text[from..], rest)),
        ['_', rest @ ..] => !text.is_empty() && matches(&text[1..], rest),
        ['\\', letter, rest @ ..] | [letter, rest @ ..] => text.first() == Some(letter) && matches(&text[1..], rest),
    }
}

fn and(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn as_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(truth) => json!(truth),
        Value::Integer(number) => json!(number),
        Value::Real(number) => json!(number),
        Value::Text(text) => json!(text),
        other => panic!("{other:?} is in no row"),
    }
}
