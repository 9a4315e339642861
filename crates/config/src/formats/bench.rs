//! What stands in the file of a load test, and objectives wherever they do.

use super::{Checked, address, http};

/// The longest text of an objective.
const LONGEST_OBJECTIVE: usize = 200;

/// A target of requests: an address without a path.
pub(super) fn target(text: &str) -> Checked {
    if text.starts_with("unix:") {
        return Err("load goes by the network; write `http://host:port` or `https://host:port`".to_owned());
    }
    // The message doesn't repeat them: logs of pipelines are read by many.
    if text.contains('@') {
        return Err(
            "a user and a password have no place in a target; requests have them as the field `Authorization`"
                .to_owned(),
        );
    }
    address::target(text)
}

/// Fields that a request may have here: `Host` too, for a target may serve several.
pub(super) fn field_name(text: &str) -> Checked {
    match text.eq_ignore_ascii_case("host") {
        true => Ok(text.to_owned()),
        false => http::editable_field_name(text),
    }
}

/// Method and path, `GET /items`.
pub(super) fn request(text: &str) -> Checked {
    let wrong = || format!("`{text}` must be a method and a path, such as `GET /items?page=2`");
    let (method, path) = text.split_once(' ').ok_or_else(wrong)?;
    http::method(method)?;
    let path = path.trim_start();
    if method == "CONNECT" {
        return Err("CONNECT asks for a tunnel and not for an answer".to_owned());
    }
    if !path.starts_with('/') && !path.starts_with("{{") {
        return Err(wrong());
    }
    if path.contains(|c: char| c.is_control()) {
        return Err(format!(
            "`{text}` must have no control character; write it percent-encoded"
        ));
    }
    Ok(format!("{method} {path}"))
}

/// A place in JSON (RFC 6901, section 3).
pub(super) fn pointer(text: &str) -> Checked {
    let is_escaped = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if (text.is_empty() || text.starts_with('/')) && is_escaped && !text.contains('\0') {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is no JSON Pointer, such as `/items/0/id`; within a name, `~` is written `~0` and `/` is `~1` (RFC 6901)"
    ))
}

/// What must hold of requests: `p99 < 50ms`. The load tester reads the same again, and judges by it.
pub(super) fn objective(text: &str) -> Checked {
    let wrong = || format!("`{text}` is no objective, such as `p99 < 50ms`, `errors < 0.1%` or `rate >= 400/s`");
    if text.len() > LONGEST_OBJECTIVE {
        return Err(wrong());
    }
    let at = text.find(['<', '>', '≤', '≥']).ok_or_else(wrong)?;
    let (measure, rest) = text.split_at(at);
    let bound = ["<=", ">=", "≤", "≥", "<", ">"]
        .iter()
        .find_map(|sign| rest.strip_prefix(sign));
    let (measure, bound) = (measure.trim(), bound.ok_or_else(wrong)?.trim());
    let fits = match measure {
        "mean" | "max" => is_time(bound),
        "errors" => is_part(bound),
        "rate" => is_rate(bound),
        _ if is_percentile(measure) => is_time(bound),
        _ if is_kind(measure) => is_part(bound),
        _ => {
            return Err(format!(
                "`{measure}` is nothing that is measured; there is `p50` to `p99.999`, `mean`, `max`, `errors`, `rate`, `status 5xx`, \
                 `status 503` and `failures.timeout`"
            ));
        }
    };
    match fits {
        true => Ok(text.trim().to_owned()),
        false => Err(format!(
            "`{bound}` is no bound of `{measure}`: times are `250us`, `50ms`, `1.5s` or `1m`, shares `0.1%`, rates `400/s`"
        )),
    }
}

fn is_percentile(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('p') else {
        return false;
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_short = whole.len() <= 3 && fraction.len() <= 3 && is_number(digits);
    is_short
        && digits
            .parse()
            .is_ok_and(|percent: f64| percent > 0.0 && percent < 100.0)
}

/// `status 503`, `status 5xx` or `failures.timeout`.
fn is_kind(text: &str) -> bool {
    const FAILURES: [&str; 8] = [
        "connect", "tls", "timeout", "reset", "protocol", "status", "check", "missed",
    ];
    if let Some(kind) = text.strip_prefix("failures.") {
        return FAILURES.contains(&kind);
    }
    let Some(status) = text.strip_prefix("status ").map(str::trim) else {
        return false;
    };
    let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    status.starts_with(['1', '2', '3', '4', '5']) && (is_status || status[1..] == *"xx")
}

/// A time of ten minutes at the most, in which the load tester's histograms end.
fn is_time(text: &str) -> bool {
    const UNITS: [(&str, f64); 5] = [("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0)];
    let unit = UNITS
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let Some((number, seconds)) = unit.map(|(number, seconds)| (number.trim_end(), seconds)) else {
        return false;
    };
    is_number(number) && number.parse::<f64>().is_ok_and(|number| number * seconds <= 600.0)
}

/// A share or a number of all requests.
fn is_part(text: &str) -> bool {
    match text.strip_suffix('%') {
        Some(number) => {
            let number = number.trim_end();
            is_number(number) && number.parse::<f64>().is_ok_and(|number| number <= 100.0)
        }
        None => !text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

fn is_rate(text: &str) -> bool {
    let number = text.strip_suffix("/s").unwrap_or(text).trim_end();
    is_number(number.strip_suffix('k').unwrap_or(number))
}

/// Digits, and perhaps a point and more digits.
fn is_number(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits =
        |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole, 12) && are_digits(fraction, 9)
}

#[cfg(test)]
mod tests {
    use super::super::check;

    fn table(format: &str, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(check(format, text).as_deref(), Ok(*text), "{format}");
        }
        for text in bad {
            assert!(check(format, text).is_err(), "{format}: {text}");
        }
    }

    #[test]
    fn what_a_load_test_asks() {
        table(
            "bench-target",
            &["http://127.0.0.1:8080", "https://example.com"],
            &["unix:/run/a", "ftp://a", "http://a/path", ""],
        );
        table(
            "bench-request",
            &["GET /", "POST /items/{{item.id}}?a=b", "GET {{next as link}}"],
            &["/", "get /", "GET", "GET items", "CONNECT /", "GET /\n", ""],
        );
        table(
            "bench-field-name",
            &["Host", "X-A"],
            &["Content-Length", "connection", "X Y"],
        );
        table("json-pointer", &["", "/a/0", "/a~1b~0"], &["a", "/a~", "/a~2", "#/a"]);
    }

    #[test]
    fn a_password_in_a_target_is_not_told() {
        let told = check("bench-target", "http://me:hunter2@example.com").expect_err("it has a password");
        assert!(told.contains("Authorization") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn objectives_compare_what_is_measured_with_what_bounds_it() {
        table(
            "objective",
            &[
                "p99 < 50ms",
                "p99.9<=1.5s",
                "p50 < 250us",
                "mean ≤ 2 ms",
                "max < 10m",
                "errors < 0.1%",
                "errors < 1",
                "rate >= 4k/s",
                "rate > 400",
                "status 5xx < 0.01%",
                "status 503 < 10",
                "failures.timeout <= 0",
            ],
            &[
                "",
                "p99",
                "p99 = 5ms",
                "p99 < 5",
                "p99 < 11m",
                "p100 < 5ms",
                "p0 < 5ms",
                "q99 < 5ms",
                "errors < 101%",
                "errors < 1ms",
                "rate > 5ms",
                "status 600 < 1",
                "status 6xx < 1",
                "status < 1",
                "failures.never < 1",
                "orders: p99 < 5ms",
                "p99 < 5ms < 6ms",
                "p99 < -5ms",
            ],
        );
    }
}
