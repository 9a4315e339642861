//! The three encodings behind one face: bytes in, bytes out, and what they cost.
//!
//! The windows are chosen so that a stream holds little memory, for a gate has many of them at a time; a larger window
//! would save a few bytes in a hundred of long content. What one stream holds, measured:
//!
//! | encoding | level | memory |
//! |---|---|---|
//! | `gzip` | any | 0.4 MiB |
//! | `br` | up to 4 / 5 / 6 | 1.6 / 2.6 / 3.6 MiB |
//! | `zstd` | up to 3 / 6 | 1.8 / 3.6 MiB |
//!
//! Content that is known to be small takes less: 10 KiB need 0.3 MiB for `zstd` and 0.7 MiB for `br`.

use std::io::{self, Write};

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use flate2::{Compress, Compression, FlushCompress, Status};
use portcullis_config::policy::compress::{CompressLevel, Encoding};
use zstd::stream::raw::{CParameter, InBuffer, Operation, OutBuffer};

/// The most bytes that are compressed before others have their turn: about a millisecond of the slowest encoding.
pub(super) const SLICE: usize = 32 * 1024;

/// The window of gzip: 32 KiB, the only one that every client knows.
const GZIP_WINDOW_BITS: u8 = 15;

/// The windows of the others: 256 KiB. RFC 9659 allows 8 MiB.
const WINDOW_BITS: u8 = 18;

/// The least room that an encoder is given to write into.
const ROOM: usize = 4 * 1024;

/// The registered name of an encoding (RFC 9110 §8.4.1, RFC 7932 §13, RFC 8878 §7.2).
pub(super) const fn coding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Zstd => "zstd",
        Encoding::Br => "br",
        Encoding::Gzip => "gzip",
    }
}

/// What one stream may hold in memory at the most, rounded up; see the table of this module.
pub(super) const fn memory_of(encoding: Encoding, level: CompressLevel) -> u64 {
    const HALF_MIB: u64 = 512 * 1024;
    match encoding {
        Encoding::Gzip => HALF_MIB,
        Encoding::Br if level.br <= 4 => 4 * HALF_MIB,
        Encoding::Zstd if level.zstd <= 3 => 4 * HALF_MIB,
        Encoding::Br | Encoding::Zstd => 8 * HALF_MIB,
    }
}

/// An encoder in the middle of its work. What it writes goes behind what `out` holds already.
pub(super) enum Encoder {
    Gzip(Compress),
    // Nobody but this type sees what the writer has written, so its buffer is taken after each step.
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::raw::Encoder<'static>),
}

impl Encoder {
    /// An encoder for content of that size, where it is known. It must be exactly that long then.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn new(encoding: Encoding, level: CompressLevel, size: Option<u64>) -> io::Result<Encoder> {
        Ok(match encoding {
            Encoding::Gzip => {
                let level = Compression::new(u32::from(level.gzip));
                Encoder::Gzip(Compress::new_gzip(level, GZIP_WINDOW_BITS))
            }
            Encoding::Br => {
                let params = BrotliEncoderParams {
                    quality: i32::from(level.br),
                    lgwin: i32::from(WINDOW_BITS),
                    size_hint: size.map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX)),
                    ..BrotliEncoderParams::default()
                };
                Encoder::Brotli(Box::new(CompressorWriter::with_params(Vec::new(), ROOM, &params)))
            }
            Encoding::Zstd => {
                let mut encoder = zstd::stream::raw::Encoder::new(i32::from(level.zstd))?;
                encoder.set_parameter(CParameter::WindowLog(u32::from(WINDOW_BITS)))?;
                encoder.set_pledged_src_size(size)?;
                Encoder::Zstd(encoder)
            }
        })
    }

    /// Takes content in. What comes out may lag behind.
    ///
    /// # Errors
    /// When there is more content than was announced, or the encoder has a fault.
    pub(super) fn write(&mut self, content: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => deflate(encoder, content, FlushCompress::None, out),
            Encoder::Brotli(encoder) => {
                encoder.write_all(content)?;
                out.append(encoder.get_mut());
                Ok(())
            }
            Encoder::Zstd(encoder) => {
                let mut content = InBuffer::around(content);
                while content.pos() < content.src.len() {
                    with_room(out, |room| encoder.run(&mut content, room).map(|_| ()))?;
                }
                Ok(())
            }
        }
    }

    /// Makes all come out that went in.
    ///
    /// # Errors
    /// When the encoder has a fault.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => deflate(encoder, &[], FlushCompress::Sync, out),
            Encoder::Brotli(encoder) => {
                encoder.flush()?;
                out.append(encoder.get_mut());
                Ok(())
            }
            Encoder::Zstd(encoder) => {
                while with_room(out, |room| encoder.flush(room))? > 0 {}
                Ok(())
            }
        }
    }

    /// Called after each [`SLICE`] of content that was not flushed. Brotli gathers what it has understood of the content
    /// for as long as nobody asks for it: up to 3 MiB more, to make the result smaller by two in a thousand.
    pub(super) fn end_slice(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Encoder::Brotli(_) => self.flush(out),
            Encoder::Gzip(_) | Encoder::Zstd(_) => Ok(()),
        }
    }

    /// Makes the rest come out, with the mark of the end.
    ///
    /// # Errors
    /// When there was less content than was announced, or the encoder has a fault.
    pub(super) fn finish(self, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Encoder::Gzip(mut encoder) => deflate(&mut encoder, &[], FlushCompress::Finish, out),
            Encoder::Brotli(encoder) => {
                out.append(&mut encoder.into_inner());
                Ok(())
            }
            Encoder::Zstd(mut encoder) => {
                while with_room(out, |room| encoder.finish(room, false))? > 0 {}
                Ok(())
            }
        }
    }
}

/// Runs the encoder until it has taken all of the content and, by what is asked for, given all of it back.
fn deflate(encoder: &mut Compress, mut content: &[u8], flush: FlushCompress, out: &mut Vec<u8>) -> io::Result<()> {
    loop {
        out.reserve(ROOM);
        let taken_before = encoder.total_in();
        let status = encoder.compress_vec(content, out, flush)?;
        let taken = usize::try_from(encoder.total_in() - taken_before).expect("a step takes no more than it is given");
        content = &content[taken..];
        let done = match flush {
            FlushCompress::Finish => status == Status::StreamEnd,
            // Room that is left over tells that there is nothing more to come.
            _ => content.is_empty() && out.len() < out.capacity(),
        };
        if done {
            return Ok(());
        }
    }
}

/// Lets a step write behind what `out` holds.
fn with_room<T>(out: &mut Vec<u8>, step: impl FnOnce(&mut OutBuffer<'_, Vec<u8>>) -> io::Result<T>) -> io::Result<T> {
    out.reserve(ROOM);
    let held = out.len();
    step(&mut OutBuffer::around_pos(out, held))
}
