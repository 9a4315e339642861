//! What comes on a connection.

use portcullis_core::Headers;

use super::{LARGEST_WINDOW, OUT, Stream, Streams};
use crate::engine::failing;
use crate::engine::http2::frame::{self, Head};
use crate::outcome::Failed;

/// How much has come before more is granted.
const GRANT: u32 = 1 << 29;

/// The largest head of an answer, as it comes.
const BLOCK: usize = 64 * 1024;

/// How much may wait for the socket: a server that asks for answers to its pings and takes none is given up.
const MOST_OUT: usize = 16 * 1024 * 1024;

/// What a head says that isn't kept.
#[derive(Clone, Copy, Default)]
pub(super) struct Told {
    status: u16,
    announced: Option<u64>,
    malformed: bool,
}

impl Streams {
    /// Takes whole frames from the start of the input, and says how many bytes they were.
    ///
    /// # Errors
    /// When the server breaks the protocol.
    pub(in crate::engine::http2) fn receive(&mut self, input: &[u8]) -> Result<usize, Failed> {
        let mut taken = 0;
        while let Some(head) = Head::read(&input[taken..]) {
            if head.length > frame::LONGEST || (!self.greeted && head.kind != frame::SETTINGS) {
                return Err(self.broken("a frame is too long"));
            }
            let begins = taken + frame::HEADER;
            let Some(payload) = input.get(begins..begins + head.length) else {
                break;
            };
            self.frame(head, payload)?;
            taken = begins + head.length;
        }
        if self.out.len() > MOST_OUT {
            return Err(failing::protocol("the server takes nothing"));
        }
        Ok(taken)
    }

    fn frame(&mut self, head: Head, payload: &[u8]) -> Result<(), Failed> {
        if self.block.is_some() && head.kind != frame::CONTINUATION {
            return Err(self.broken("a head is interrupted"));
        }
        match head.kind {
            frame::DATA => self.data(head, payload),
            frame::HEADERS => self.headers(head, payload),
            frame::CONTINUATION => self.continuation(head, payload),
            frame::RST_STREAM => self.reset(head, payload),
            frame::SETTINGS => self.settings(head, payload),
            frame::PING if payload.len() == 8 => {
                if !head.has(frame::ACK) {
                    frame::begin(&mut self.out, 8, frame::PING, frame::ACK, 0);
                    self.out.extend_from_slice(payload);
                }
                Ok(())
            }
            frame::GOAWAY => self.goodbye(payload),
            frame::WINDOW_UPDATE => self.window_update(head, payload),
            frame::PING => Err(self.broken("a ping has another length")),
            frame::PUSH_PROMISE => Err(self.broken("something is pushed")),
            // RFC 9113 §5.5: what isn't known is ignored; so is priority.
            _ => Ok(()),
        }
    }

    fn data(&mut self, head: Head, payload: &[u8]) -> Result<(), Failed> {
        let content = head
            .content(payload)
            .ok_or_else(|| self.broken("padding is too long"))?;
        let count = u32::try_from(head.length).unwrap_or(u32::MAX);
        self.ungranted += count;
        if self.ungranted >= GRANT {
            let ungranted = std::mem::take(&mut self.ungranted);
            frame::number(&mut self.out, frame::WINDOW_UPDATE, 0, ungranted);
        }
        let Some(place) = self.place(head.stream) else {
            return Ok(());
        };
        let Some(stream) = &mut self.places[place] else {
            return Ok(());
        };
        if stream.answer.status == 0 {
            self.refuse(place, "content before the head");
            return Ok(());
        }
        stream.take(content);
        stream.ungranted += count;
        if head.has(frame::END_STREAM) {
            self.finish(place);
        } else if stream.ungranted >= GRANT {
            let ungranted = std::mem::take(&mut stream.ungranted);
            frame::number(&mut self.out, frame::WINDOW_UPDATE, head.stream, ungranted);
        }
        Ok(())
    }

    fn headers(&mut self, head: Head, payload: &[u8]) -> Result<(), Failed> {
        let content = head
            .content(payload)
            .ok_or_else(|| self.broken("padding is too long"))?;
        if head.has(frame::END_HEADERS) {
            return self.fields(head, content);
        }
        self.block = Some((head, content.to_vec()));
        Ok(())
    }

    fn continuation(&mut self, head: Head, payload: &[u8]) -> Result<(), Failed> {
        let Some((first, mut block)) = self.block.take().filter(|(first, _)| first.stream == head.stream) else {
            return Err(self.broken("a head goes on that has not begun"));
        };
        block.extend_from_slice(payload);
        if block.len() > BLOCK {
            return Err(self.broken("a head is too long"));
        }
        if head.has(frame::END_HEADERS) {
            return self.fields(first, &block);
        }
        self.block = Some((first, block));
        Ok(())
    }

    /// A head or trailer section.
    fn fields(&mut self, head: Head, block: &[u8]) -> Result<(), Failed> {
        let place = self.place(head.stream);
        let stream = place.and_then(|place| self.places[place].as_ref());
        let wanted = stream.is_some_and(|stream| stream.wants.headers && stream.answer.status == 0);
        let (told, kept) = self.read(block, wanted)?;
        let Some(place) = place else { return Ok(()) };
        let Some(stream) = &mut self.places[place] else {
            return Ok(());
        };
        let ends = head.has(frame::END_STREAM);
        let is_trailers = stream.answer.status != 0;
        match told.status {
            _ if told.malformed => self.refuse(place, "a malformed head"),
            0 if is_trailers && ends => self.finish(place),
            // 101 is of HTTP/1.1 alone (RFC 9113 §8.6).
            100 | 102..200 if !is_trailers && !ends => {}
            200..1000 if !is_trailers => {
                stream.answer.status = told.status;
                stream.answer.announced = told.announced;
                stream.answer.headers = kept;
                if ends {
                    self.finish(place);
                }
            }
            _ => self.refuse(place, "a malformed head"),
        }
        Ok(())
    }

    /// What a block says, with its fields where they are wanted.
    fn read(&mut self, block: &[u8], wanted: bool) -> Result<(Told, Option<Headers>), Failed> {
        let before = self.decoder.changes();
        if !wanted && self.known.1 == before && self.known.0 == block {
            return Ok((self.known.2, None));
        }
        let mut told = Told::default();
        let mut kept = wanted.then(Headers::new);
        let read = self.decoder.decode(block, |name, value| {
            told.hear(name, value);
            if let Some(headers) = &mut kept
                && !name.starts_with(b":")
                && let Ok(name) = std::str::from_utf8(name)
            {
                headers.append_received(name, value);
            }
        });
        read.map_err(|_| self.broken("a head can't be decompressed"))?;
        if self.decoder.changes() == before {
            self.known.0.clear();
            self.known.0.extend_from_slice(block);
            (self.known.1, self.known.2) = (before, told);
        }
        Ok((told, kept))
    }

    fn reset(&mut self, head: Head, payload: &[u8]) -> Result<(), Failed> {
        let Some(code) = payload.first_chunk().filter(|_| payload.len() == 4) else {
            return Err(self.broken("a frame has another length"));
        };
        let failed = match u32::from_be_bytes(*code) {
            frame::REFUSED => failing::reset("stream refused"),
            code => failing::reset(&format!("stream reset: {}", frame::reason(code))),
        };
        if let Some(place) = self.place(head.stream) {
            self.end(place, Err(failed));
        }
        Ok(())
    }

    fn settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Failed> {
        if head.stream != 0 || !payload.len().is_multiple_of(6) {
            return Err(self.broken("malformed settings"));
        }
        if head.has(frame::ACK) {
            return Ok(());
        }
        for setting in payload.chunks_exact(6) {
            let name = u16::from_be_bytes([setting[0], setting[1]]);
            let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
            match name {
                0x1 => self.smaller_table |= value < 4096,
                0x3 => self.most = usize::try_from(value).unwrap_or(usize::MAX),
                0x4 if i64::from(value) > LARGEST_WINDOW => return Err(self.broken("a window is too large")),
                0x4 => {
                    let more = i64::from(value) - self.first_window;
                    self.first_window += more;
                    self.places
                        .iter_mut()
                        .flatten()
                        .for_each(|stream| stream.window += more);
                }
                // More than we have to say at a time is of no use.
                0x5 => {
                    self.longest = usize::try_from(value)
                        .unwrap_or(frame::LONGEST)
                        .clamp(frame::LONGEST, OUT);
                }
                _ => {}
            }
        }
        frame::begin(&mut self.out, 0, frame::SETTINGS, frame::ACK, 0);
        self.greeted = true;
        self.wake_all();
        self.send_all();
        Ok(())
    }

    fn goodbye(&mut self, payload: &[u8]) -> Result<(), Failed> {
        let (Some(last), Some(code)) = (
            frame::first_number(payload),
            payload.get(4..).and_then(<[u8]>::first_chunk),
        ) else {
            return Err(self.broken("a frame has another length"));
        };
        self.closing = true;
        let reason = frame::reason(u32::from_be_bytes(*code));
        let failed = failing::reset(&format!("the connection was given up before this request: {reason}"));
        for place in 0..self.numbers.len() {
            if self.numbers[place] > last {
                self.end(place, Err(failed.clone()));
            }
        }
        self.wake_all();
        Ok(())
    }

    fn window_update(&mut self, head: Head, payload: &[u8]) -> Result<(), Failed> {
        let more = match frame::first_number(payload) {
            Some(more) if more > 0 && payload.len() == 4 => i64::from(more),
            _ => return Err(self.broken("a window grows by nothing")),
        };
        if head.stream == 0 {
            self.window += more;
            if self.window > LARGEST_WINDOW {
                return Err(self.broken("a window is too large"));
            }
            self.send_all();
        } else if let Some(place) = self.place(head.stream)
            && let Some(stream) = &mut self.places[place]
        {
            stream.window += more;
            if stream.window > LARGEST_WINDOW {
                return Err(self.broken("a window is too large"));
            }
            self.send(place);
        }
        Ok(())
    }

    /// An answer is whole.
    fn finish(&mut self, place: usize) {
        let Some(stream) = &self.places[place] else { return };
        let has_content = !stream.head_only && stream.answer.status != 304;
        let differs = |announced| announced != stream.answer.length;
        if has_content && stream.answer.announced.is_some_and(differs) {
            self.refuse(place, "another length than announced");
        } else {
            self.end(place, Ok(()));
        }
    }

    /// An answer is malformed, which concerns its stream alone.
    #[cold]
    fn refuse(&mut self, place: usize, why: &str) {
        frame::number(&mut self.out, frame::RST_STREAM, self.numbers[place], 0x1);
        self.end(
            place,
            Err(failing::protocol(&format!("the answer breaks HTTP/2: {why}"))),
        );
    }

    fn place(&self, number: u32) -> Option<usize> {
        self.numbers
            .iter()
            .position(|known| *known == number)
            .filter(|_| number != 0)
    }

    /// The server breaks the protocol, or never spoke it.
    #[cold]
    fn broken(&self, why: &str) -> Failed {
        if self.greeted {
            failing::protocol(&format!("the answer breaks HTTP/2: {why}"))
        } else {
            failing::protocol("the server does not speak HTTP/2")
        }
    }
}

impl Stream {
    fn take(&mut self, content: &[u8]) {
        self.answer.length += content.len() as u64;
        if let Some(most) = self.wants.body {
            let kept = self.answer.body.get_or_insert_default();
            let room = most.saturating_sub(kept.len()).min(content.len());
            kept.extend_from_slice(&content[..room]);
        }
    }
}

impl Told {
    fn hear(&mut self, name: &[u8], value: &[u8]) {
        let number = || std::str::from_utf8(value).ok()?.parse::<u64>().ok();
        match name {
            b":status" => match number().and_then(|status| u16::try_from(status).ok()) {
                Some(status) if value.len() == 3 && self.status == 0 => self.status = status,
                _ => self.malformed = true,
            },
            b"content-length" => match number() {
                Some(length) if self.announced.is_none_or(|before| before == length) => self.announced = Some(length),
                _ => self.malformed = true,
            },
            // RFC 9113 §8.2.1 and §8.2.2
            b"connection" | b"transfer-encoding" | b"upgrade" | b"" => self.malformed = true,
            [b':', ..] => self.malformed = true,
            _ => self.malformed |= name.iter().any(u8::is_ascii_uppercase),
        }
    }
}
