//! RSA keys: which of them are strong enough, and their parts.

use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents,
};

use crate::algorithm::{Algorithm, Algorithms};
use crate::key::Verifier;
use crate::refusal::Problem;

/// The fewest bits of a modulus (RFC 7518 §3.3).
const FEWEST_BITS: usize = 2048;
/// The most: what aws-lc verifies by, so that nobody's key keeps a worker for long.
const MOST_BITS: usize = 8192;
/// The most bytes of an exponent: verifying takes as long as it has bits.
const LONGEST_EXPONENT: usize = 4;

/// What verifies by this modulus and exponent, by each of the algorithms.
pub(crate) fn verifiers(n: &[u8], e: &[u8], algorithms: Algorithms) -> Result<Vec<(Algorithm, Verifier)>, Problem> {
    check_strength(n, e)?;
    let verifiers = algorithms.iter().filter_map(|algorithm| {
        let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters(algorithm)?);
        Some(key.map(|key| (algorithm, Verifier::Public(key))))
    });
    verifiers
        .collect::<Result<_, _>>()
        .map_err(|_: aws_lc_rs::error::KeyRejected| Problem::Member("n"))
}

/// Modulus and exponent of a key that aws-lc has written, as the DER of RFC 8017 §A.1.1.
pub(crate) fn parts(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (0x30, sequence, []) = element(der)? else {
        return None;
    };
    let (0x02, n, rest) = element(sequence)? else {
        return None;
    };
    let (0x02, e, []) = element(rest)? else {
        return None;
    };
    Some((unsigned(n), unsigned(e)))
}

/// The parts of a key that has been parsed, whichever way it was written.
pub(crate) fn parts_of(key: &ParsedPublicKey) -> Option<(Vec<u8>, Vec<u8>)> {
    let key = aws_lc_rs::signature::RsaSubjectPublicKey::from_der(key.as_ref()).ok()?;
    let (n, e) = parts(key.as_ref())?;
    Some((n.to_vec(), e.to_vec()))
}

fn parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn check_strength(n: &[u8], e: &[u8]) -> Result<(), Problem> {
    let (Some(first), Some(last)) = (n.first(), n.last()) else {
        return Err(Problem::Member("n"));
    };
    // RFC 7518 §2: the fewest bytes that hold the number.
    if *first == 0 || last % 2 == 0 {
        return Err(Problem::Member("n"));
    }
    let zeros = usize::try_from(first.leading_zeros()).unwrap_or(0);
    let bits = n.len() * 8 - zeros;
    if bits < FEWEST_BITS {
        return Err(Problem::Weak("an RSA key must have 2048 bits at least"));
    }
    if bits > MOST_BITS {
        return Err(Problem::Member("n"));
    }
    if e.is_empty() || e.len() > LONGEST_EXPONENT || e[0] == 0 {
        return Err(Problem::Member("e"));
    }
    let exponent = e.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if exponent < 3 || exponent.is_multiple_of(2) {
        return Err(Problem::Weak("the exponent must be odd and 3 at least"));
    }
    if has_roca_structure(n) {
        return Err(Problem::Weak(
            "it was made by hardware whose keys can be factored (CVE-2017-15361)",
        ));
    }
    Ok(())
}

/// Whether the modulus has the structure of keys that a well-known chip made (Nemec et al., "The Return of Coppersmith's
/// Attack", 2017): both primes were powers of 65537 modulo a product of small primes, and so is what they make.
/// Of honest keys one in about 2²⁷ looks like that.
fn has_roca_structure(n: &[u8]) -> bool {
    const LARGEST: u32 = 167;
    let is_prime = |p: u32| (2..p).take_while(|d| d * d <= p).all(|d| !p.is_multiple_of(d));
    (3..=LARGEST).filter(|p| is_prime(*p)).all(|p| {
        let remainder = n.iter().fold(0, |value, byte| (value * 256 + u32::from(*byte)) % p);
        let generator = 65_537 % p;
        let mut power = 1;
        (0..p).any(|_| {
            power = power * generator % p;
            power == remainder
        })
    })
}

/// The first element of DER: its tag, its content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, short], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
        if length.len() > 4 {
            return None;
        }
        let length = length.iter().fold(0, |value, byte| value << 8 | usize::from(*byte));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// An INTEGER has a zero in front where its first bit would make it negative.
fn unsigned(integer: &[u8]) -> &[u8] {
    integer.strip_prefix(&[0]).unwrap_or(integer)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::signer;

    #[test]
    fn weak_keys_are_refused() {
        let (n, e) = signer::rsa_parts();
        assert!(verifiers(&n, &e, Algorithm::Rs256.into()).is_ok());
        let mut short = n[..n.len() - 1].to_vec();
        *short.last_mut().unwrap() |= 1;
        assert!(matches!(check_strength(&short, &e), Err(Problem::Weak(_))));
        let long = [n.as_slice(); 5].concat();
        assert_eq!(check_strength(&long, &e), Err(Problem::Member("n")));
        for e in [&[1][..], &[2], &[1, 0, 0]] {
            assert!(matches!(check_strength(&n, e), Err(Problem::Weak(_))), "{e:?}");
        }
        for e in [&[][..], &[0], &[0, 3], &[1, 0, 0, 0, 1]] {
            assert_eq!(check_strength(&n, e), Err(Problem::Member("e")), "{e:?}");
        }
        let mut even = n.clone();
        *even.last_mut().unwrap() &= 0xfe;
        assert_eq!(check_strength(&even, &e), Err(Problem::Member("n")));
        let padded = [&[0], n.as_slice()].concat();
        assert_eq!(check_strength(&padded, &e), Err(Problem::Member("n")));
        assert_eq!(check_strength(&[], &e), Err(Problem::Member("n")));
    }

    #[test]
    fn the_chips_structure_is_found() {
        assert!(!has_roca_structure(&signer::rsa_parts().0));
        // Powers of 65537 are powers of 65537 modulo any prime; these are small enough to be written down.
        for power in 1..=3 {
            assert!(has_roca_structure(&65_537_u64.pow(power).to_be_bytes()));
        }
        assert!(!has_roca_structure(&(65_537_u64.pow(3) + 2).to_be_bytes()));
    }

    #[test]
    fn der_is_read_within_its_bounds() {
        assert_eq!(parts(&[0x30, 7, 2, 2, 0, 0x81, 2, 1, 3]), Some((&[0x81][..], &[3][..])));
        for der in [
            &[][..],
            &[0x30],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x89],
            &[0x30, 3, 2, 1, 1],
            &[0x31, 6, 2, 1, 1, 2, 1, 3],
            &[0x30, 6, 2, 1, 1, 2, 1, 3, 0],
        ] {
            assert_eq!(parts(der), None, "{der:?}");
        }
    }
}
