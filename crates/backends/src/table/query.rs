//! The query string, parsed into a tree in which columns are columns of the schema, operators are a closed set, and
//! everything else is a value.
//!
//! The grammar is PostgREST's: `column=operator.value`, `not.` before an operator, `select`, `order`, `limit` and
//! `offset`. Whatever is not understood is refused, since a filter that is silently dropped shows or deletes too much.

use std::borrow::Cow;

use portcullis_core::{Error, Result, codes};
use rusqlite::types::Value;

use super::content;
use super::percent;
use super::resource::Resource;
use super::schema::{Column, ValueType, did_you_mean};

/// Filters in one query.
const MAX_FILTERS: usize = 64;
/// Values in all `in` lists of one query together. SQLite binds 32,766 values to a statement at the most, and lists
/// are filled up to a power of two.
const MAX_LISTED: usize = 1000;
/// Bytes of one value.
const MAX_VALUE: usize = 4096;
/// Bytes of a pattern. Matching one is the only work that SQLite can't be stopped in, and it grows with the product of
/// the lengths of pattern and text.
const MAX_PATTERN: usize = 256;
/// Characters of the client's own text that an answer repeats.
const SHOWN: usize = 64;

/// What a query string asks for.
#[derive(Debug)]
pub(super) struct Query<'r> {
    /// All of them must hold.
    pub(super) filters: Vec<Filter<'r>>,
    /// The places, in the relation, of the columns that the answer shows.
    pub(super) select: Vec<usize>,
    /// The order of rows, before the tie-break.
    pub(super) order: Vec<Order<'r>>,
    /// Rows at the most.
    pub(super) limit: Option<u64>,
    /// Rows left out before the first.
    pub(super) offset: u64,
}

/// A condition on one column.
#[derive(Debug)]
pub(super) struct Filter<'r> {
    /// The column.
    pub(super) column: &'r Column,
    /// Whether the test must fail. A NULL neither passes nor fails a test, but for that of `is`.
    pub(super) negated: bool,
    /// The test.
    pub(super) test: Test,
}

/// What is asked of a value.
#[derive(Debug, PartialEq)]
pub(super) enum Test {
    /// `eq`, `neq`, `gt`, `gte`, `lt`, `lte`.
    Compare(Comparison, Value),
    /// `like`, as a pattern of GLOB, which tells capitals from small letters where SQLite's LIKE does not.
    Glob(String),
    /// `ilike`, as a pattern of LIKE with `\` as escape. Only ASCII letters are compared without case.
    Like(String),
    /// `in`.
    In(Vec<Value>),
    /// `is`.
    Is(Is),
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub(super) enum Is {
    Null,
    True,
    False,
}

/// One term of an order.
#[derive(Debug)]
pub(super) struct Order<'r> {
    pub(super) column: &'r Column,
    pub(super) direction: Direction,
    pub(super) nulls: Nulls,
}

/// Which way an order runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

/// Where NULLs stand in an order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Nulls {
    /// Before everything when ascending, after everything when descending.
    Smallest,
    First,
    Last,
}

/// The words before the first dot of a filter's value.
const OPERATORS: [&str; 10] = ["eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "in", "is"];
/// The parameters that are no columns; a column of such a name can't be filtered.
const PARAMETERS: [&str; 4] = ["select", "order", "limit", "offset"];

impl<'r> Query<'r> {
    /// Reads a query string.
    ///
    /// # Errors
    /// `bad_query`, naming the parameter.
    pub(super) fn parse(query: Option<&str>, resource: &'r Resource) -> Result<Query<'r>> {
        let mut parsed = Query {
            filters: Vec::new(),
            select: Vec::new(),
            order: Vec::new(),
            limit: None,
            offset: 0,
        };
        let mut seen: Vec<&'static str> = Vec::new();
        let mut listed = 0;
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if value.len() > MAX_VALUE && !value.contains("in.(") {
                return Err(refused(&name, &format!("the value is longer than {MAX_VALUE} bytes")));
            }
            if let Some(parameter) = PARAMETERS.into_iter().find(|parameter| *parameter == name) {
                if seen.contains(&parameter) {
                    return Err(refused(&name, "it stands there twice"));
                }
                seen.push(parameter);
                parsed.read_parameter(parameter, &value, resource)?;
                continue;
            }
            let column = resource
                .column(&name)
                .ok_or_else(|| unknown_column(&name, resource, &PARAMETERS))?;
            if parsed.filters.len() == MAX_FILTERS {
                return Err(refused(&name, &format!("there are more than {MAX_FILTERS} filters")));
            }
            let filter = parse_filter(column, &value).map_err(|problem| refused(&name, &problem))?;
            if let Test::In(values) = &filter.test {
                listed += values.len();
                if listed > MAX_LISTED {
                    return Err(refused(
                        &name,
                        &format!("there are more than {MAX_LISTED} values in lists"),
                    ));
                }
            }
            parsed.filters.push(filter);
        }
        if parsed.select.is_empty() {
            parsed.select = resource.visible().to_vec();
        }
        Ok(parsed)
    }

    /// Refuses parameters that mean nothing to a change, where dropping them would change more than was meant.
    ///
    /// # Errors
    /// `bad_query`.
    pub(super) fn without_window(self) -> Result<Query<'r>> {
        if self.order.is_empty() && self.limit.is_none() && self.offset == 0 {
            return Ok(self);
        }
        Err(Error::new(&codes::BAD_QUERY)
            .with_detail("`order`, `limit` and `offset` go with reading a collection only"))
    }

    /// Refuses filters, where the path or the content says which rows are meant.
    ///
    /// # Errors
    /// `bad_query`, naming the parameter.
    pub(super) fn without_filters(self) -> Result<Query<'r>> {
        match self.filters.first() {
            None => self.without_window(),
            Some(filter) => Err(refused(
                filter.column.name().as_str(),
                "a filter goes with a collection that is read, changed or deleted",
            )),
        }
    }

    fn read_parameter(&mut self, parameter: &'static str, value: &str, resource: &'r Resource) -> Result<()> {
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| refused(parameter, "it is not a whole number"))
        };
        match parameter {
            "select" => self.select = parse_select(value, resource)?,
            "order" => self.order = parse_order(value, resource)?,
            "limit" => self.limit = Some(number()?),
            _ => self.offset = number()?,
        }
        Ok(())
    }
}

fn parse_select(value: &str, resource: &Resource) -> Result<Vec<usize>> {
    if value == "*" {
        return Ok(resource.visible().to_vec());
    }
    let mut select = Vec::new();
    for name in value.split(',') {
        let place = resource
            .place(name)
            .ok_or_else(|| unknown_column(name, resource, &[]))?;
        if select.contains(&place) {
            return Err(refused("select", &format!("`{}` stands there twice", shown(name))));
        }
        select.push(place);
    }
    Ok(select)
}

fn parse_order<'r>(value: &str, resource: &'r Resource) -> Result<Vec<Order<'r>>> {
    let mut order: Vec<Order<'r>> = Vec::new();
    for term in value.split(',') {
        // A column's name may itself hold dots, so the words are taken off the end.
        let (mut rest, mut nulls, mut direction) = (term, Nulls::Smallest, Direction::Ascending);
        for (word, meaning) in [(".nullsfirst", Nulls::First), (".nullslast", Nulls::Last)] {
            if let Some(before) = rest.strip_suffix(word) {
                (rest, nulls) = (before, meaning);
            }
        }
        for (word, meaning) in [(".asc", Direction::Ascending), (".desc", Direction::Descending)] {
            if let Some(before) = rest.strip_suffix(word) {
                (rest, direction) = (before, meaning);
                break;
            }
        }
        let column = resource
            .column(rest)
            .ok_or_else(|| unknown_column(rest, resource, &[]))?;
        if order.iter().any(|earlier| earlier.column.name() == column.name()) {
            return Err(refused("order", &format!("`{}` stands there twice", shown(rest))));
        }
        order.push(Order {
            column,
            direction,
            nulls,
        });
    }
    Ok(order)
}

fn parse_filter<'r>(column: &'r Column, text: &str) -> std::result::Result<Filter<'r>, String> {
    let (negated, text) = text.strip_prefix("not.").map_or((false, text), |rest| (true, rest));
    let (word, operand) = text.split_once('.').unwrap_or((text, ""));
    let Some(operator) = OPERATORS
        .into_iter()
        .find(|known| *known == word && text.len() > word.len())
    else {
        let known = OPERATORS.join(", ");
        let suggestion = did_you_mean(word, OPERATORS.into_iter());
        return Err(format!(
            "`{}` is not one of the operators {known}, with a dot and a value{suggestion}",
            shown(word)
        ));
    };
    if matches!(operator, "like" | "ilike") && operand.len() > MAX_PATTERN {
        return Err(format!("the pattern is longer than {MAX_PATTERN} bytes"));
    }
    let compare = |comparison| Ok(Test::Compare(comparison, parse_value(column, operand)?));
    let test = match operator {
        "eq" => compare(Comparison::Equal),
        "neq" => compare(Comparison::NotEqual),
        "gt" => compare(Comparison::Greater),
        "gte" => compare(Comparison::GreaterOrEqual),
        "lt" => compare(Comparison::Less),
        "lte" => compare(Comparison::LessOrEqual),
        "like" => Ok(Test::Glob(glob_pattern(operand))),
        "ilike" => Ok(Test::Like(like_pattern(operand))),
        "in" => parse_list(operand)?
            .iter()
            .map(|item| parse_value(column, item))
            .collect::<std::result::Result<_, _>>()
            .map(Test::In),
        _ => match operand {
            "null" => Ok(Test::Is(Is::Null)),
            "true" => Ok(Test::Is(Is::True)),
            "false" => Ok(Test::Is(Is::False)),
            _ => Err("`is` takes null, true or false".to_owned()),
        },
    }?;
    Ok(Filter { column, negated, test })
}

/// Reads a value as what the column holds, so that a comparison never mixes types.
pub(super) fn parse_value(column: &Column, text: &str) -> std::result::Result<Value, String> {
    let integer = || text.parse::<i64>().ok().map(Value::Integer);
    let real = || {
        text.parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::Real)
    };
    let plain = || Some(Value::Text(text.to_owned()));
    let value = match column.value_type() {
        ValueType::Text => plain(),
        ValueType::Integer => integer().or_else(real),
        ValueType::Real => real(),
        ValueType::Numeric | ValueType::Any => integer().or_else(real).or_else(plain),
        ValueType::Blob => content::decode_base64(text).map(Value::Blob),
        ValueType::Boolean => match text {
            "true" | "1" => Some(Value::Integer(1)),
            "false" | "0" => Some(Value::Integer(0)),
            _ => None,
        },
    };
    value.ok_or_else(|| format!("`{}` is not {}", shown(text), column.value_type().description()))
}

/// Reads `(a,b,"c,d")`: inside quotes, a backslash takes the next character as it is.
fn parse_list(text: &str) -> std::result::Result<Vec<String>, String> {
    let malformed = || "`in` takes a list: in.(a,b,\"c,d\")".to_owned();
    let inner = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(malformed)?;
    let mut items = Vec::new();
    if inner.is_empty() {
        return Ok(items);
    }
    let mut characters = inner.chars().peekable();
    loop {
        let mut item = String::new();
        if characters.next_if_eq(&'"').is_some() {
            loop {
                match characters.next().ok_or_else(malformed)? {
                    '"' => break,
                    '\\' => item.push(characters.next().ok_or_else(malformed)?),
                    character => item.push(character),
                }
            }
        } else {
            while let Some(character) = characters.next_if(|character| *character != ',') {
                item.push(character);
            }
        }
        if item.len() > MAX_VALUE {
            return Err(format!("a value is longer than {MAX_VALUE} bytes"));
        }
        items.push(item);
        match characters.next() {
            None => return Ok(items),
            Some(',') => {}
            Some(_) => return Err(malformed()),
        }
    }
}

/// A pattern in which `*` and `%` stand for any text, `_` for any character, and `\` takes the next one as it is, as a
/// pattern of GLOB.
fn glob_pattern(text: &str) -> String {
    let mut pattern = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '*' | '%' => {
                pattern.push('*');
                continue;
            }
            '_' => {
                pattern.push('?');
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if matches!(literal, '*' | '?' | '[') {
            pattern.extend(['[', literal, ']']);
        } else {
            pattern.push(literal);
        }
    }
    pattern
}

/// The same as a pattern of LIKE with `\` as escape.
fn like_pattern(text: &str) -> String {
    let mut pattern = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => pattern.push('%'),
            '\\' => match characters.next().unwrap_or('\\') {
                literal @ ('%' | '_' | '\\') => pattern.extend(['\\', literal]),
                literal => pattern.push(literal),
            },
            other => pattern.push(other),
        }
    }
    pattern
}

fn decoded(text: &str) -> Result<Cow<'_, str>> {
    percent::decode_form(text).ok_or_else(|| refused(text, "its percent-encoding is broken, or does not encode UTF-8"))
}

fn unknown_column(name: &str, resource: &Resource, parameters: &[&'static str]) -> Error {
    let known = resource
        .columns()
        .map(|column| column.name().as_str())
        .chain(parameters.iter().copied());
    let suggestion = did_you_mean(name, known);
    Error::new(&codes::BAD_QUERY).with_detail(format!("there is no column `{}`{suggestion}", shown(name)))
}

fn refused(parameter: &str, problem: &str) -> Error {
    Error::new(&codes::BAD_QUERY).with_detail(format!("`{}`: {problem}", shown(parameter)))
}

/// As much of the client's own text as an answer repeats.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_at_commas_outside_of_quotes() {
        for (text, expected) in [
            ("()", Some(vec![])),
            ("(a)", Some(vec!["a"])),
            ("(a,b)", Some(vec!["a", "b"])),
            ("(a,)", Some(vec!["a", ""])),
            (r#"("a,b","c\"d",e)"#, Some(vec!["a,b", "c\"d", "e"])),
            (r#"("a"b)"#, None),
            (r#"("a)"#, None),
            ("a,b", None),
            ("(", None),
            ("", None),
        ] {
            assert_eq!(
                parse_list(text).ok(),
                expected.map(|items| items.into_iter().map(str::to_owned).collect()),
                "{text}"
            );
        }
    }

    #[test]
    fn patterns_keep_what_is_special_to_the_other_language() {
        for (text, glob, like) in [
            ("a*", "a*", "a%"),
            ("a%_", "a*?", "a%_"),
            ("a?[b]", "a[?][[]b]", "a?[b]"),
            (r"\*\%\_\\", r"[*]%_\", r"*\%\_\\"),
            (r"x\", r"x\", r"x\\"),
        ] {
            assert_eq!(
                (glob_pattern(text).as_str(), like_pattern(text).as_str()),
                (glob, like),
                "{text}"
            );
        }
    }
}
