//! Texts as values of a type. What the database would refuse is refused here, so that it never becomes an error of the
//! database, and what passes is bound as what the column holds, so that no comparison mixes types.

mod array;
mod time;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::shown;
use crate::schema::{Engine, Type};
use crate::value::Value;

/// Digits of a decimal's exponent that are let through: a larger one makes a number of as many digits.
const MAX_EXPONENT: u32 = 400;

/// The text as a value of that type, in the form that the engine takes.
///
/// # Errors
/// What is wrong with it, for the client.
pub fn literal(kind: &Type, text: &str, engine: Engine) -> Result<Value, String> {
    // PostgreSQL ignores blanks around everything but texts.
    let bare = text.trim_matches([' ', '\t']);
    let as_text = |text: Option<String>| text.map(Value::Text);
    let value = match kind {
        Type::Boolean => boolean(bare).map(Value::Boolean),
        Type::Integer { bytes, unsigned } => integer(bare, *bytes, *unsigned).or_else(|| {
            // SQLite's columns hold what they are given, so that comparing with a fraction makes sense there.
            (engine == Engine::Sqlite).then(|| real(bare)).flatten()
        }),
        Type::Real => real(bare),
        Type::Decimal => as_text(decimal(bare)),
        Type::Numeric | Type::Any => integer(bare, 8, false)
            .or_else(|| real(bare))
            .or_else(|| Some(Value::Text(text.to_owned()))),
        Type::Text | Type::SearchVector | Type::Other => as_text(without_nul(text)),
        Type::Bytes => bytes(bare).map(Value::Bytes),
        Type::Uuid => as_text(uuid(bare, engine)),
        Type::Date => as_text(time::date(bare, engine)),
        Type::Time => as_text(time::time(bare)),
        Type::Timestamp => as_text(time::timestamp(bare, engine)),
        Type::Moment => as_text(time::moment(bare, engine)),
        Type::Interval => as_text(interval(bare)),
        Type::Json { .. } => json(bare).map(Value::Json),
        Type::Enumeration(words) => as_text(words.iter().find(|word| *word == text).cloned()),
        Type::Array(item) => array::parse(item, bare, engine).map(Value::List),
        Type::Range => as_text(range(bare)),
        Type::Composite => None,
    };
    value.ok_or_else(|| match kind {
        Type::Enumeration(words) => {
            let suggestion = crate::schema::did_you_mean(text, words.iter().map(String::as_str));
            format!("`{}` is not one of its words{suggestion}", shown(text))
        }
        _ => format!("`{}` is not {}", shown(text), kind.description()),
    })
}

/// PostgreSQL takes no text that holds a NUL, and no other engine has any use for it.
fn without_nul(text: &str) -> Option<String> {
    (!text.contains('\0')).then(|| text.to_owned())
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn integer(text: &str, bytes: u8, unsigned: bool) -> Option<Value> {
    let number: i128 = text.parse().ok()?;
    let bits = u32::from(bytes.min(8)) * 8;
    let (least, most) = if unsigned {
        (0, (1_i128 << bits) - 1)
    } else {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    };
    if number < least || number > most {
        return None;
    }
    Some(i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer))
}

fn real(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(Value::Real(number))
}

/// Digits, with a point among them and an exponent behind.
fn decimal(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = |text: &str| {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        digits(unsigned) && unsigned.parse::<u32>().is_ok_and(|exponent| exponent <= MAX_EXPONENT)
    };
    let good =
        digits(whole) && digits(fraction) && whole.len() + fraction.len() > 0 && exponent.is_none_or(is_exponent);
    good.then(|| text.to_owned())
}

/// Base64 (RFC 4648 §4), or PostgreSQL's own form: `\x` and hexadecimal digits.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let Some(digits) = text.strip_prefix("\\x") else {
        return STANDARD.decode(text).ok();
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}

/// Engines with a type of their own get it as they write it. SQLite compares texts, so that there it stays as it is.
fn uuid(text: &str, engine: Engine) -> Option<String> {
    let digits: String = text.chars().filter(|character| *character != '-').collect();
    let hyphens: Vec<usize> = text.match_indices('-').map(|(place, _)| place).collect();
    let placed = hyphens.is_empty() || hyphens == [8, 13, 18, 23];
    if digits.len() != 32 || !placed || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    if engine == Engine::Sqlite {
        return Some(text.to_owned());
    }
    let digits = digits.to_ascii_lowercase();
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    Some(parts.join("-"))
}

/// PostgreSQL has many forms: `1 day 02:00:00`, `P1DT2H`, `@ 1 minute ago`. Only their letters are checked.
fn interval(text: &str) -> Option<String> {
    let is_one = |character: char| character.is_ascii_alphanumeric() || " .:+-@,".contains(character);
    (!text.is_empty() && text.len() <= 64 && text.chars().all(is_one)).then(|| text.to_owned())
}

fn json(text: &str) -> Option<String> {
    serde_json::from_str::<serde_json::Value>(text).ok()?;
    // jsonb has no place for it (and json can't be searched where it has one).
    (!text.contains("\\u0000")).then(|| text.to_owned())
}

/// `[1,5)`, `empty`, and several of them in braces. The bounds are the database's to read.
fn range(text: &str) -> Option<String> {
    if text.eq_ignore_ascii_case("empty") {
        return Some(text.to_owned());
    }
    let bounded = text.starts_with(['[', '(']) && text.ends_with([']', ')']) && text.contains(',');
    let several = text.starts_with('{') && text.ends_with('}');
    (bounded || several).then(|| without_nul(text)).flatten()
}

#[cfg(test)]
mod tests {
    use super::literal;
    use crate::schema::{Engine, Type};

    fn check(kind: &Type, cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            let value = literal(kind, text, Engine::Postgres);
            let value = value.map_or_else(|_| "no".to_owned(), |value| format!("{value:?}"));
            assert_eq!(value, *expected, "{kind:?} {text}");
        }
    }

    #[test]
    fn integers_fit_their_bytes() {
        let kind = |bytes, unsigned| Type::Integer { bytes, unsigned };
        check(
            &kind(1, false),
            &[("127", "Integer(127)"), ("128", "no"), ("-128", "Integer(-128)")],
        );
        check(&kind(2, false), &[(" 32767 ", "Integer(32767)"), ("32768", "no")]);
        check(
            &kind(3, true),
            &[("16777215", "Integer(16777215)"), ("16777216", "no"), ("-1", "no")],
        );
        check(
            &kind(4, false),
            &[
                ("2147483647", "Integer(2147483647)"),
                ("2147483648", "no"),
                ("+7", "Integer(7)"),
            ],
        );
        check(
            &kind(8, true),
            &[
                ("18446744073709551615", "Text(\"18446744073709551615\")"),
                ("18446744073709551616", "no"),
            ],
        );
        check(
            &kind(8, false),
            &[
                ("9223372036854775808", "no"),
                ("1.5", "no"),
                ("", "no"),
                ("0x1", "no"),
                ("null", "no"),
            ],
        );
        let fraction = literal(&kind(8, false), "1.5", Engine::Sqlite);
        assert_eq!(format!("{fraction:?}"), "Ok(Real(1.5))");
    }

    #[test]
    fn numbers_are_finite() {
        check(
            &Type::Real,
            &[
                ("1e3", "Real(1000.0)"),
                ("inf", "no"),
                ("NaN", "no"),
                ("1e999", "no"),
                ("x", "no"),
            ],
        );
        check(
            &Type::Decimal,
            &[
                ("12.30", "Text(\"12.30\")"),
                ("-.5", "Text(\"-.5\")"),
                ("5.", "Text(\"5.\")"),
                ("1e10", "Text(\"1e10\")"),
                ("1e401", "no"),
                ("1e", "no"),
                (".", "no"),
                ("", "no"),
                ("1,5", "no"),
                ("--1", "no"),
                ("NaN", "no"),
            ],
        );
        check(
            &Type::Any,
            &[("7", "Integer(7)"), ("7.5", "Real(7.5)"), ("seven", "Text(\"seven\")")],
        );
    }

    #[test]
    fn everything_else_has_its_form() {
        check(
            &Type::Boolean,
            &[("TRUE", "Boolean(true)"), ("off", "Boolean(false)"), ("maybe", "no")],
        );
        check(
            &Type::Bytes,
            &[
                ("aGk=", "Bytes([104, 105])"),
                ("\\x6869", "Bytes([104, 105])"),
                ("\\x6", "no"),
                ("%", "no"),
            ],
        );
        check(
            &Type::Uuid,
            &[
                (
                    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                    "Text(\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\")",
                ),
                (
                    "a0eebc999c0b4ef8bb6d6bb9bd380a11",
                    "Text(\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\")",
                ),
                ("a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11", "no"),
                ("x", "no"),
                ("ééééééééééééééé", "no"),
            ],
        );
        check(
            &Type::Interval,
            &[("1 day 02:00", "Text(\"1 day 02:00\")"), ("1 day'", "no"), ("", "no")],
        );
        check(
            &Type::Json { binary: true },
            &[
                ("{\"a\":[1]}", "Json(\"{\\\"a\\\":[1]}\")"),
                ("{a}", "no"),
                ("\"\\u0000\"", "no"),
            ],
        );
        check(
            &Type::Range,
            &[
                ("[1,5)", "Text(\"[1,5)\")"),
                ("empty", "Text(\"empty\")"),
                ("1,5", "no"),
                ("[1", "no"),
            ],
        );
        check(
            &Type::Enumeration(vec!["new".into()]),
            &[("new", "Text(\"new\")"), ("New", "no"), ("new ", "no")],
        );
        check(
            &Type::Text,
            &[(" a ", "Text(\" a \")"), ("", "Text(\"\")"), ("a\0b", "no")],
        );
        check(&Type::Composite, &[("(1,2)", "no")]);
    }
}
