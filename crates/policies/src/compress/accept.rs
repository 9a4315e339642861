//! What of a request's `Accept-Encoding` decides on the encoding of its answer (RFC 9110 §12.5.3).

use portcullis_config::policy::compress::Encoding;
use portcullis_core::{Headers, Known};

use super::encoder::coding_name;

/// A weight of 1 (RFC 9110 §12.4.2), in thousandths.
const ONE: u16 = 1000;

/// The encoding for the answer: of the `offered` ones that which the client likes best; among equals the first. `None`
/// where the content has to go out as it is.
///
/// A client that sends no `Accept-Encoding` takes any by the letter of the standard; such clients are those that know
/// nothing of encodings, and get none. One that refuses every encoding and the plain content too gets the plain content:
/// the backend has already done what was asked for, and RFC 9110 §12.4.1 lets a server disregard a preference that it can't
/// meet.
pub(super) fn choose(headers: &Headers, offered: &[Encoding]) -> Option<Encoding> {
    if !headers.contains(Known::AcceptEncoding) {
        return None;
    }
    let any = weight_of(headers, |name| name == b"*");
    let plain = weight_of(headers, |name| name.eq_ignore_ascii_case(b"identity"));
    let mut best = None;
    // Whoever names the plain content says how much it is wanted; otherwise everything else is wanted more.
    let mut least = plain.unwrap_or(0).max(1);
    for encoding in offered {
        let weight = weight_of(headers, |name| is_name_of(*encoding, name))
            .or(any)
            .unwrap_or(0);
        if weight > least || (weight == least && best.is_none()) {
            best = Some(*encoding);
            least = weight;
        }
    }
    best
}

/// The weight of the first member whose name is meant. A member with a broken weight says nothing.
fn weight_of(headers: &Headers, is_meant: impl Fn(&[u8]) -> bool) -> Option<u16> {
    headers.list(Known::AcceptEncoding).find_map(|member| {
        let mut parts = member.splitn(2, |byte| *byte == b';');
        let name = parts.next().unwrap_or_default().trim_ascii();
        if !is_meant(name) {
            return None;
        }
        parts
            .next()
            .map_or(Some(ONE), |parameter| weight(parameter.trim_ascii()))
    })
}

/// `gzip` has an older name that means the same (RFC 9110 §8.4.1.3).
fn is_name_of(encoding: Encoding, name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(coding_name(encoding).as_bytes())
        || (encoding == Encoding::Gzip && name.eq_ignore_ascii_case(b"x-gzip"))
}

/// The thousandths of `q=0.5`: a digit 0 or 1, and at most three after the point.
fn weight(parameter: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', whole @ (b'0' | b'1'), rest @ ..] = parameter else {
        return None;
    };
    let digits = match rest {
        [] => rest,
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut value = u16::from(*whole - b'0');
    for at in 0..3 {
        let digit = digits.get(at).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u16::from(digit - b'0');
    }
    (value <= ONE).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Encoding] = &[Encoding::Zstd, Encoding::Br, Encoding::Gzip];

    fn check(lines: &[&str], expected: Option<Encoding>) {
        let mut headers = Headers::new();
        for line in lines {
            headers.append(Known::AcceptEncoding, line);
        }
        assert_eq!(choose(&headers, ALL), expected, "{lines:?}");
    }

    #[test]
    fn the_first_of_those_that_are_liked_equally_is_taken() {
        check(&["gzip, deflate, br, zstd"], Some(Encoding::Zstd));
        check(&["gzip, deflate, br"], Some(Encoding::Br));
        check(&["gzip", "BR"], Some(Encoding::Br));
        check(&["GZip"], Some(Encoding::Gzip));
        check(&["x-gzip"], Some(Encoding::Gzip));
        check(&["*"], Some(Encoding::Zstd));
        check(&["br;q=0.5, *;q=0.5"], Some(Encoding::Zstd));
    }

    #[test]
    fn what_the_client_likes_better_goes_first() {
        check(&["zstd;q=0.1, br;q=0.9, gzip;q=0.8"], Some(Encoding::Br));
        check(&["zstd;q=0.999,gzip"], Some(Encoding::Gzip));
        check(&["zstd ; q=0.2 , gzip;Q=1.000"], Some(Encoding::Gzip));
        check(&["*;q=0.3, gzip"], Some(Encoding::Gzip));
        check(&["zstd;q=0, br;q=0, *"], Some(Encoding::Gzip));
        check(&["gzip, identity;q=0.5"], Some(Encoding::Gzip));
        check(&["gzip;q=0.5, identity;q=0.5"], Some(Encoding::Gzip));
        check(&["gzip;q=0.001"], Some(Encoding::Gzip));
        check(&["identity;q=0, gzip"], Some(Encoding::Gzip));
    }

    #[test]
    fn the_plain_content_is_what_is_left() {
        check(&[], None);
        check(&[""], None);
        check(&["deflate, compress"], None);
        check(&["identity"], None);
        check(&["gzip;q=0"], None);
        check(&["*;q=0"], None);
        check(&["gzip;q=0, *;q=0"], None);
        check(&["gzip;q=0.5, identity"], None);
        check(&["gzip;q=0.5, identity;q=0.6"], None);
        // Nothing that the client takes can be made: RFC 9110 §12.4.1.
        check(&["identity;q=0"], None);
        check(&["identity;q=0, deflate"], None);
    }

    #[test]
    fn a_broken_weight_says_nothing() {
        for weight in [
            "q=2", "q=1.001", "q=0.1234", "q=-1", "q=.5", "q=0,5", "q", "w=1", "q=0.a", "q=1;x",
        ] {
            check(&[&format!("gzip;{weight}")], None);
        }
    }
}
