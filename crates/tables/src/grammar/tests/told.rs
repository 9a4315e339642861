//! A resolved query as a line of text.

use crate::api::Api;
use crate::query::{Aggregate, Count, Embed, Field, Filter, Having, Is, Item, Nulls, OrderBy, Read, Step, Test};
use crate::schema::Relation;
use crate::value::Value;

/// A read on one line: items, then what else there is of filter, rule, order, window.
pub(super) fn tell(api: &Api, read: &Read) -> String {
    let resource = &api.resources()[read.resource];
    let relation = &resource.relation;
    let mut line: Vec<String> = vec![
        read.items
            .iter()
            .map(|item| tell_item(api, read, item))
            .collect::<Vec<_>>()
            .join(","),
    ];
    if let Some(filter) = &read.filter {
        line.push(format!("where {}", tell_filter(relation, &read.items, filter)));
    }
    if let Some(rule) = &read.rule {
        line.push(format!("rule {}", tell_filter(relation, &[], rule)));
    }
    if let Some(having) = &read.having {
        line.push(format!("having {}", tell_having(&read.items, having)));
    }
    if !read.order.is_empty() {
        let terms: Vec<String> = read
            .order
            .iter()
            .map(|term| {
                let by = match &term.by {
                    OrderBy::Field(field) => tell_field(relation, field),
                    OrderBy::Embedded(place, field) => match &read.items[*place] {
                        Item::Embed(embed) => {
                            let inner = &api.resources()[embed.read.resource].relation;
                            format!("{}.{}", embed.name, tell_field(inner, field))
                        }
                        other => panic!("{other:?} is no embed"),
                    },
                    OrderBy::Item(place) => format!("#{}", name_of(&read.items[*place])),
                };
                let direction = if term.descending { " desc" } else { "" };
                let nulls = match term.nulls {
                    Nulls::Largest => "",
                    Nulls::First => " first",
                    Nulls::Last => " last",
                };
                format!("{by}{direction}{nulls}")
            })
            .collect();
        line.push(format!("order {}", terms.join(",")));
    }
    match read.window.limit {
        Some(1000) => {}
        Some(limit) => line.push(format!("limit {limit}")),
        None => line.push("unlimited".to_owned()),
    }
    if read.window.offset > 0 {
        line.push(format!("offset {}", read.window.offset));
    }
    if let Some(cursor) = &read.window.cursor {
        let side = if cursor.before { "before" } else { "after" };
        line.push(format!("{side} {}", tell_values(&cursor.values)));
    }
    if let Some(union) = &read.union {
        let distinct = if union.distinct { "distinct" } else { "all" };
        let members: Vec<String> = union
            .members
            .iter()
            .map(|member| format!("{}({})", api.resources()[member.resource].name, tell(api, member)))
            .collect();
        line.push(format!("union {distinct} {}", members.join(" ")));
    }
    assert_eq!(read.count, None::<Count>);
    line.join("; ").trim_start_matches("; ").to_owned()
}

fn tell_item(api: &Api, read: &Read, item: &Item) -> String {
    let resource = &api.resources()[read.resource];
    let relation = &resource.relation;
    let cast = |cast: &Option<crate::schema::Cast>| cast.map_or_else(String::new, |cast| format!("::{cast:?}"));
    match item {
        Item::Field { field, name, cast: to } => {
            let text = format!("{}{}", tell_field(relation, field), cast(to));
            if text == **name { text } else { format!("{name}={text}") }
        }
        Item::Aggregate {
            function,
            field,
            inner_cast,
            cast: to,
            name,
        } => {
            let function = match function {
                Aggregate::Count => "count",
                Aggregate::Sum => "sum",
                Aggregate::Average => "avg",
                Aggregate::Minimum => "min",
                Aggregate::Maximum => "max",
            };
            let of = field
                .as_ref()
                .map_or_else(|| "*".to_owned(), |field| tell_field(relation, field));
            format!("{name}={function}({of}{}){}", cast(inner_cast), cast(to))
        }
        Item::Embed(embed) => tell_embed(api, read, embed),
        Item::Origin { name } => format!("{name}=$resource"),
    }
}

fn tell_embed(api: &Api, read: &Read, embed: &Embed) -> String {
    let related = &api.resources()[read.resource].relationships[embed.relationship];
    let spread = if embed.spread { "..." } else { "" };
    let count = if related.to_one { '1' } else { '*' };
    let inner = if embed.inner { "!" } else { "" };
    let through = match &related.join {
        crate::api::Join::Direct { .. } => String::new(),
        crate::api::Join::Through { between, .. } => format!(" by {}", api.resources()[*between].name),
    };
    let inside = tell(api, &embed.read)
        .replace("; unlimited", "")
        .replace("unlimited", "");
    format!(
        "{spread}{}<{count}{inner} {}{through}>({inside})",
        embed.name, related.constraint
    )
}

fn name_of(item: &Item) -> &str {
    match item {
        Item::Field { name, .. } | Item::Aggregate { name, .. } | Item::Origin { name } => name,
        Item::Embed(embed) => &embed.name,
    }
}

fn tell_field(relation: &Relation, field: &Field) -> String {
    let mut text = relation.columns[field.column].name.as_str().to_owned();
    for (place, step) in field.path.iter().enumerate() {
        let last = place + 1 == field.path.len();
        text.push_str(if last && field.as_text { "->>" } else { "->" });
        match step {
            Step::Member(name) => text.push_str(name),
            Step::Item(index) => text.push_str(&index.to_string()),
        }
    }
    text
}

pub(super) fn tell_filter(relation: &Relation, items: &[Item], filter: &Filter) -> String {
    let all = |filters: &[Filter], between: &str| {
        let parts: Vec<String> = filters
            .iter()
            .map(|filter| tell_filter(relation, items, filter))
            .collect();
        format!("({})", parts.join(between))
    };
    match filter {
        Filter::And(filters) => all(filters, " & "),
        Filter::Or(filters) => all(filters, " | "),
        Filter::Not(filter) => format!("!{}", tell_filter(relation, items, filter)),
        Filter::Test { field, test } => format!("{} {}", tell_field(relation, field), tell_test(test)),
        Filter::Embedded { item, present } => {
            format!("{} {}", if *present { "has" } else { "lacks" }, name_of(&items[*item]))
        }
        other => format!("{other:?}"),
    }
}

fn tell_test(test: &Test) -> String {
    let case = |insensitive: &bool| if *insensitive { "i" } else { "" };
    match test {
        Test::Compare(comparison, value) => format!("{comparison:?} {}", tell_value(value)),
        Test::Quantified(comparison, quantifier, values) => {
            format!("{comparison:?} {quantifier:?} {}", tell_values(values))
        }
        Test::Like { insensitive, pattern } => format!("{}like {pattern}", case(insensitive)),
        Test::QuantifiedLike {
            insensitive,
            quantifier,
            patterns,
        } => format!("{}like {quantifier:?} {}", case(insensitive), patterns.join("|")),
        Test::Match {
            insensitive,
            patterns,
            quantifier,
        } => format!("{}match {quantifier:?} {}", case(insensitive), patterns.join("|")),
        Test::In(values) => format!("in {}", tell_values(values)),
        Test::Is(is) => {
            let word = match is {
                Is::Null => "null",
                Is::NotNull => "not null",
                Is::True => "true",
                Is::False => "false",
                Is::Unknown => "unknown",
            };
            format!("is {word}")
        }
        Test::Distinct(value) => format!("isdistinct {}", tell_value(value)),
        Test::Search(search) => format!(
            "{:?}({}) {}",
            search.form,
            search.language.as_deref().unwrap_or(""),
            search.words
        ),
        Test::Contain(containment, value) => format!("{containment:?} {}", tell_value(value)),
        Test::Range(test, value) => format!("{test:?} {}", tell_value(value)),
    }
}

fn tell_having(items: &[Item], having: &Having) -> String {
    let all = |parts: &[Having], between: &str| {
        let parts: Vec<String> = parts.iter().map(|part| tell_having(items, part)).collect();
        format!("({})", parts.join(between))
    };
    match having {
        Having::And(parts) => all(parts, " & "),
        Having::Or(parts) => all(parts, " | "),
        Having::Not(part) => format!("!{}", tell_having(items, part)),
        Having::Test(place, comparison, value) => {
            format!("#{} {comparison:?} {}", name_of(&items[*place]), tell_value(value))
        }
    }
}

fn tell_values(values: &[Value]) -> String {
    format!("[{}]", values.iter().map(tell_value).collect::<Vec<_>>().join(","))
}

/// A number bare, a text in quotes, JSON in backquotes.
fn tell_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:?}"),
        Value::Text(text) => format!("'{text}'"),
        Value::Json(text) => format!("`{text}`"),
        Value::Bytes(bytes) => format!("{bytes:?}"),
        Value::List(values) => tell_values(values),
        other => format!("{other:?}"),
    }
}
