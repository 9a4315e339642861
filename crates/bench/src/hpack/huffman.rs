//! The code of RFC 7541 appendix B. It is canonical: codes of one length follow each other in the order of what they stand for, so that
//! the lengths alone say which they are.

use super::Malformed;

/// How many bits each byte takes; the last is what stands for the end, which never occurs whole.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// The longest code.
const LONGEST: usize = 30;

/// The end, as it is counted among bytes.
const END: u16 = 256;

/// The codes of one length: the first of them, how many there are, and where in [`Codes::meaning`] they begin.
#[derive(Clone, Copy)]
struct Length {
    first: u32,
    count: u32,
    place: usize,
}

struct Codes {
    lengths: [Length; LONGEST + 1],
    /// What codes stand for, in their order.
    meaning: [u16; 257],
}

static CODES: Codes = codes();

const fn codes() -> Codes {
    let mut codes = Codes {
        lengths: [Length {
            first: 0,
            count: 0,
            place: 0,
        }; LONGEST + 1],
        meaning: [0; 257],
    };
    let (mut length, mut first, mut place) = (1, 0, 0);
    while length <= LONGEST {
        first <<= 1;
        codes.lengths[length].first = first;
        codes.lengths[length].place = place;
        let mut symbol = 0;
        while symbol <= END {
            if LENGTHS[symbol as usize] as usize == length {
                codes.meaning[place] = symbol;
                codes.lengths[length].count += 1;
                (first, place) = (first + 1, place + 1);
            }
            symbol += 1;
        }
        length += 1;
    }
    codes
}

/// Decodes a text behind what is in `out`.
///
/// # Errors
/// When it is none: the end within it, or bits behind the last code that aren't the beginning of the end (RFC 7541 §5.2).
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (mut code, mut length) = (0u32, 0usize);
    for byte in text {
        for shift in (0..8).rev() {
            code = code << 1 | u32::from(byte >> shift & 1);
            length += 1;
            let Length { first, count, place } = *CODES.lengths.get(length).ok_or(Malformed)?;
            // Codes that are shorter are smaller at any length, so that `code` is never below the first.
            if let Some(nth) = code.checked_sub(first).filter(|nth| *nth < count) {
                let meaning = CODES.meaning[place + nth as usize];
                out.push(u8::try_from(meaning).map_err(|_| Malformed)?);
                (code, length) = (0, 0);
            }
        }
    }
    // The rest is at most seven bits, all of them ones.
    if length < 8 && code == (1 << length) - 1 {
        Ok(())
    } else {
        Err(Malformed)
    }
}
