//! Expressions as text that reads as the same expression again.

use std::fmt::{self, Display, Formatter, Write};

use super::{Expression, Form, Literal, Unary};

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.form {
            Form::Literal(literal) => literal.fmt(f),
            Form::Name { name, absolute } => write!(f, "{}{name}", if *absolute { "." } else { "" }),
            Form::Select { of, field } => {
                member(of, f)?;
                let plain =
                    !field.contains(['.', '-', '/', ' ']) && !field.starts_with(|first: char| first.is_ascii_digit());
                let is_word = matches!(field.as_str(), "true" | "false" | "null" | "in");
                if plain && !is_word {
                    write!(f, ".{field}")
                } else {
                    write!(f, ".`{field}`")
                }
            }
            Form::Index { of, index } => {
                member(of, f)?;
                write!(f, "[{index}]")
            }
            Form::Call {
                of,
                function,
                arguments,
            } => {
                if let Some(of) = of {
                    member(of, f)?;
                    f.write_char('.')?;
                }
                write!(f, "{function}(")?;
                separated(arguments, ", ", f, Display::fmt)?;
                f.write_char(')')
            }
            Form::List(elements) => {
                f.write_char('[')?;
                separated(elements, ", ", f, Display::fmt)?;
                f.write_char(']')
            }
            Form::Map(entries) => {
                f.write_char('{')?;
                separated(entries, ", ", f, |(key, value), f| write!(f, "{key}: {value}"))?;
                f.write_char('}')
            }
            Form::Unary { operator, operand } => {
                f.write_str(operator.symbol())?;
                // A minus sign before a number would become a part of it.
                let is_number = matches!(
                    operand.form,
                    Form::Literal(Literal::Int(_) | Literal::Uint(_) | Literal::Double(_))
                );
                within(
                    operand,
                    *operator == Unary::Negate && begins_with_number(operand) || is_number || operand.tightness() < 6,
                    f,
                )
            }
            Form::Binary { operator, left, right } => {
                within(left, left.tightness() < operator.tightness(), f)?;
                write!(f, " {} ", operator.symbol())?;
                within(right, right.tightness() <= operator.tightness(), f)
            }
            Form::Logical { operator, operands } => {
                let tightness = self.tightness();
                separated(operands, &format!(" {} ", operator.symbol()), f, |operand, f| {
                    within(operand, operand.tightness() <= tightness, f)
                })
            }
            Form::Conditional {
                condition,
                then,
                otherwise,
            } => {
                within(condition, condition.tightness() == 0, f)?;
                f.write_str(" ? ")?;
                within(then, then.tightness() == 0, f)?;
                write!(f, " : {otherwise}")
            }
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Null => f.write_str("null"),
            Literal::Bool(value) => value.fmt(f),
            Literal::Int(value) => value.fmt(f),
            Literal::Uint(value) => write!(f, "{value}u"),
            Literal::Double(value) => write!(f, "{value:?}"),
            Literal::String(text) => {
                f.write_char('"')?;
                for character in text.chars() {
                    match character {
                        '"' | '\\' => write!(f, "\\{character}")?,
                        '\n' => f.write_str("\\n")?,
                        '\r' => f.write_str("\\r")?,
                        '\t' => f.write_str("\\t")?,
                        control if control.is_control() => write!(f, "\\U{:08x}", u32::from(control))?,
                        _ => f.write_char(character)?,
                    }
                }
                f.write_char('"')
            }
            Literal::Bytes(bytes) => {
                f.write_str("b\"")?;
                for byte in bytes {
                    match byte {
                        b'"' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                        b' '..=b'~' => f.write_char(char::from(*byte))?,
                        _ => write!(f, "\\x{byte:02x}")?,
                    }
                }
                f.write_char('"')
            }
        }
    }
}

/// Whether the text of an expression begins with the digits of a number.
fn begins_with_number(expression: &Expression) -> bool {
    match &expression.form {
        Form::Literal(Literal::Int(_) | Literal::Uint(_) | Literal::Double(_)) => true,
        Form::Select { of, .. } | Form::Index { of, .. } | Form::Call { of: Some(of), .. } => begins_with_number(of),
        _ => false,
    }
}

/// Writes what something is selected from.
fn member(of: &Expression, f: &mut Formatter<'_>) -> fmt::Result {
    within(of, of.tightness() < 7, f)
}

fn within(expression: &Expression, parentheses: bool, f: &mut Formatter<'_>) -> fmt::Result {
    if parentheses {
        write!(f, "({expression})")
    } else {
        expression.fmt(f)
    }
}

fn separated<T>(
    items: &[T],
    separator: &str,
    f: &mut Formatter<'_>,
    each: impl Fn(&T, &mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        each(item, f)?;
    }
    Ok(())
}
