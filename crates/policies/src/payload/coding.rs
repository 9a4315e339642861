//! Encodings of content undone, within a limit.

use std::io::{self, Read};

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use portcullis_core::{Headers, Known};

/// What is taken, as `Accept-Encoding` has it (RFC 9110 §12.5.3).
pub(super) const ACCEPTED: &str = "gzip, br, zstd";

/// How much is decoded in one step.
const STEP: usize = 16 * 1024;

/// The largest window of zstd that a decoder need have: 8 MiB (RFC 9659 §3).
const ZSTD_WINDOW_LOG: u32 = 23;

/// An encoding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Brotli,
    Zstd,
}

/// What a message says of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The content is as it is.
    Plain,
    /// It is encoded once, by something that is known.
    Encoded(Coding),
    /// It is encoded by something else, or several times: each time is a bomb's chance to grow.
    Other,
}

/// Why content was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undecoded {
    /// It is not what it is said to be, or not whole.
    Malformed,
    /// It becomes more than the limit.
    TooMuch,
}

/// The encoding that a message names (RFC 9110 §8.4).
pub(super) fn of(headers: &Headers) -> Said {
    let mut codings = headers
        .list(Known::ContentEncoding)
        .filter(|coding| !coding.eq_ignore_ascii_case(b"identity"));
    let Some(coding) = codings.next() else {
        return Said::Plain;
    };
    if codings.next().is_some() {
        return Said::Other;
    }
    let is = |name: &[u8]| coding.eq_ignore_ascii_case(name);
    match coding {
        _ if is(b"gzip") || is(b"x-gzip") => Said::Encoded(Coding::Gzip),
        _ if is(b"br") => Said::Encoded(Coding::Brotli),
        _ if is(b"zstd") => Said::Encoded(Coding::Zstd),
        _ => Said::Other,
    }
}

/// Decodes content that becomes at most `limit` bytes. No more than a step beyond it is ever held.
///
/// # Errors
/// When it is malformed, ends early, goes on behind its end, or becomes too much.
pub(super) fn decode(coding: Coding, content: &[u8], limit: u64) -> Result<Vec<u8>, Undecoded> {
    let mut out = Limited {
        content: Vec::new(),
        limit,
    };
    match coding {
        Coding::Gzip => out.read_all(flate2::read::MultiGzDecoder::new(content))?,
        Coding::Zstd => {
            let malformed = |_: io::Error| Undecoded::Malformed;
            let mut decoder = zstd::stream::read::Decoder::with_buffer(content).map_err(malformed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(malformed)?;
            out.read_all(decoder)?;
        }
        Coding::Brotli => brotli(content, &mut out)?,
    }
    Ok(out.content)
}

/// Brotli as RFC 7932 has it: the windows of up to a gibibyte that some added would take as much memory.
fn brotli(content: &[u8], out: &mut Limited) -> Result<(), Undecoded> {
    let alloc = StandardAlloc::default;
    let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
    let (mut left, mut at, mut total) = (content.len(), 0, 0);
    let mut step = vec![0; STEP];
    loop {
        let (mut room, mut written) = (step.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            content,
            &mut room,
            &mut written,
            &mut step,
            &mut total,
            &mut state,
        );
        out.add(&step[..written])?;
        match result {
            BrotliResult::ResultSuccess if left == 0 => return Ok(()),
            BrotliResult::NeedsMoreOutput => {}
            _ => return Err(Undecoded::Malformed),
        }
    }
}

/// Content that may become so long.
struct Limited {
    content: Vec<u8>,
    limit: u64,
}

impl Limited {
    fn add(&mut self, more: &[u8]) -> Result<(), Undecoded> {
        if (self.content.len() + more.len()) as u64 > self.limit {
            return Err(Undecoded::TooMuch);
        }
        self.content.extend_from_slice(more);
        Ok(())
    }

    fn read_all(&mut self, mut decoder: impl Read) -> Result<(), Undecoded> {
        let mut step = vec![0; STEP];
        loop {
            match decoder.read(&mut step) {
                Ok(0) => return Ok(()),
                Ok(count) => self.add(&step[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Undecoded::Malformed),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
pub(super) mod tests {
    use std::io::Write;

    use super::*;

    pub(in crate::payload) fn encoded(coding: Coding, content: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Brotli => {
                let mut out = Vec::new();
                let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 5, 22);
                encoder.write_all(content).unwrap();
                drop(encoder);
                out
            }
            Coding::Zstd => zstd::stream::encode_all(content, 19).unwrap(),
        }
    }

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

    #[test]
    fn content_is_decoded_up_to_its_limit() {
        for coding in ALL {
            for length in [0, 1, STEP - 1, STEP, STEP + 1, 100_000] {
                let content: Vec<u8> = (0..length).map(|nth| b'a' + u8::try_from(nth % 7).unwrap()).collect();
                let encoded = encoded(coding, &content);
                assert_eq!(
                    decode(coding, &encoded, length as u64).as_ref(),
                    Ok(&content),
                    "{coding:?}"
                );
                if length > 0 {
                    assert_eq!(
                        decode(coding, &encoded, length as u64 - 1),
                        Err(Undecoded::TooMuch),
                        "{coding:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn bombs_are_left_where_the_limit_is() {
        let zeros = vec![0; 10 << 20];
        for coding in ALL {
            let bomb = encoded(coding, &zeros);
            assert!(bomb.len() < 20_000, "{coding:?}: {}", bomb.len());
            assert_eq!(decode(coding, &bomb, 1 << 20), Err(Undecoded::TooMuch), "{coding:?}");
        }
        // Many small frames, each of which grows: they are one content.
        let frames = encoded(Coding::Zstd, &zeros).repeat(100);
        assert_eq!(decode(Coding::Zstd, &frames, 11 << 20), Err(Undecoded::TooMuch));
        let members = encoded(Coding::Gzip, &zeros).repeat(100);
        assert_eq!(decode(Coding::Gzip, &members, 11 << 20), Err(Undecoded::TooMuch));
    }

    #[test]
    fn what_is_broken_is_malformed() {
        for coding in ALL {
            let whole = encoded(
                coding,
                &b"It was the best of times, it was the worst of times.".repeat(50),
            );
            for end in [1, 3, whole.len() / 2, whole.len() - 1] {
                assert_eq!(
                    decode(coding, &whole[..end], 10_000),
                    Err(Undecoded::Malformed),
                    "{coding:?} {end}"
                );
            }
            let more = [&whole[..], b"more"].concat();
            assert_eq!(decode(coding, &more, 10_000), Err(Undecoded::Malformed), "{coding:?}");
            for other in [&b"{\"a\":1}"[..], b"\xff\xff\xff\xff\xff\xff"] {
                assert_eq!(decode(coding, other, 10_000), Err(Undecoded::Malformed), "{coding:?}");
            }
        }
        // A window of 128 MiB, which a frame of zstd may ask for.
        let window = b"\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00";
        assert_eq!(decode(Coding::Zstd, window, 10_000), Err(Undecoded::Malformed));
        // The large window of brotli, which RFC 7932 has not.
        assert_eq!(
            decode(Coding::Brotli, b"\x11\x1e\x03", 10_000),
            Err(Undecoded::Malformed)
        );
    }

    #[test]
    fn one_encoding_is_known_at_a_time() {
        let said = |fields: &[&str]| {
            let mut headers = Headers::new();
            fields
                .iter()
                .for_each(|field| headers.append(Known::ContentEncoding, field));
            of(&headers)
        };
        for (fields, expected) in [
            (&[][..], Said::Plain),
            (&["identity"], Said::Plain),
            (&[" , "], Said::Plain),
            (&["GZIP"], Said::Encoded(Coding::Gzip)),
            (&["x-gzip, identity"], Said::Encoded(Coding::Gzip)),
            (&["br"], Said::Encoded(Coding::Brotli)),
            (&["identity", "zstd"], Said::Encoded(Coding::Zstd)),
            (&["gzip, gzip"], Said::Other),
            (&["gzip", "br"], Said::Other),
            (&["deflate"], Said::Other),
            (&["compress"], Said::Other),
            (&["gzip;q=1"], Said::Other),
        ] {
            assert_eq!(said(fields), expected, "{fields:?}");
        }
    }
}
