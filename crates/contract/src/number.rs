//! What numbers are worth, whatever they are held as.

use std::cmp::Ordering;

use serde_json::Number;

/// The order of two numbers by their value; integers beside fractions are compared exactly.
pub(crate) fn compare(left: &Number, right: &Number) -> Ordering {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        // At least one has a fraction or is beyond what an integer here holds: there doubles are as exact as the other.
        _ => double(left).total_cmp(&double(right)),
    }
}

/// The value as an integer, where it is one of less than 2^100. `1.0` is one, as JSON Schema wants it.
pub(crate) fn whole(number: &Number) -> Option<i128> {
    if let Some(integer) = number.as_i128() {
        return Some(integer);
    }
    let value = double(number);
    if value.fract() != 0.0 || value.abs() >= 2f64.powi(100) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "it is whole and of less than 2^100")]
    Some(value as i128)
}

/// Whether the value is an integer of any size.
pub(crate) fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || double(number).fract() == 0.0
}

/// Whether the value is a multiple of another one that is above zero, by the decimal digits of both: a tenth is no
/// double, and who writes `multipleOf: 0.1` means a tenth.
pub(crate) fn is_multiple(value: &Number, of: &Number) -> bool {
    let (Some(value), Some(of)) = (Decimal::of(value), Decimal::of(of)) else {
        return false;
    };
    if value.digits == 0 {
        return true;
    }
    if of.digits == 0 {
        return false;
    }
    match value.exponent.checked_sub(of.exponent) {
        Some(shift) if shift >= 0 => {
            // value = v·10^shift units of `of`: (v mod o)·(10^shift mod o) mod o, all within 128 bits.
            let modulus = of.digits;
            (value.digits % modulus * power_of_ten(shift.unsigned_abs(), modulus)).is_multiple_of(modulus)
        }
        Some(shift) => {
            let scale = 10u128.checked_pow(shift.unsigned_abs());
            let divisor = scale.and_then(|scale| of.digits.checked_mul(scale));
            divisor.is_some_and(|divisor| value.digits.is_multiple_of(divisor))
        }
        None => false,
    }
}

fn double(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

/// 10^exponent modulo a number of at most 64 bits.
fn power_of_ten(mut exponent: u32, modulus: u128) -> u128 {
    let mut result = 1 % modulus;
    let mut base = 10 % modulus;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * base % modulus;
        }
        base = base * base % modulus;
        exponent >>= 1;
    }
    result
}

/// An absolute value as digits times a power of ten; at most 64 bits of digits.
struct Decimal {
    digits: u128,
    exponent: i32,
}

impl Decimal {
    /// A double has at most 17 significant digits in its shortest form, an integer at most 20.
    fn of(number: &Number) -> Option<Decimal> {
        let text = match number.as_f64() {
            Some(value) if number.is_f64() => format!("{value:e}"),
            _ => number.to_string(),
        };
        let text = text.trim_start_matches('-');
        let (mantissa, exponent) = match text.split_once('e') {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: u64 = format!("{before}{after}").parse().ok()?;
        Some(Decimal {
            digits: u128::from(digits),
            exponent: exponent.checked_sub(i32::try_from(after.len()).ok()?)?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_are_ordered_by_their_value() {
        for (left, right, order) in [
            ("1", "1.0", Ordering::Equal),
            ("-1", "0.5", Ordering::Less),
            ("18446744073709551615", "18446744073709551614", Ordering::Greater),
            ("9007199254740993", "9007199254740992.0", Ordering::Greater),
            ("1e300", "18446744073709551615", Ordering::Greater),
            ("-0.0", "0", Ordering::Equal),
            ("0.1", "0.2", Ordering::Less),
        ] {
            assert_eq!(compare(&number(left), &number(right)), order, "{left} {right}");
        }
    }

    #[test]
    fn multiples_are_those_of_the_written_digits() {
        for (value, of, expected) in [
            ("10", "2", true),
            ("7", "2", false),
            ("4.5", "1.5", true),
            ("35", "1.5", false),
            ("0.0075", "0.0001", true),
            ("0.00751", "0.0001", false),
            ("4.02", "0.01", true),
            ("12391239123", "1e-8", true),
            ("1e308", "0.123456789", false),
            ("1e308", "0.5", true),
            ("0", "0.3", true),
            ("1e-300", "1e300", false),
            ("-9", "3", true),
        ] {
            assert_eq!(is_multiple(&number(value), &number(of)), expected, "{value} {of}");
        }
    }
}
