//! The streams of a connection: what is sent and what comes, without I/O.
//!
//! All that comes is taken at once and what nobody wants is forgotten, so that windows towards us are as large as they can be and never
//! hold anything up. Towards the server they are kept as it grants them.

mod receiving;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use portcullis_core::Headers;

use self::receiving::Told;
use super::frame::{self, Head};
use crate::engine::failing;
use crate::flow::Wants;
use crate::hpack::{self, Decoder};
use crate::outcome::Failed;

/// What a connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much may come on a stream, and on all together, before we grant more.
const WINDOW: u32 = 1 << 30;

/// The windows of a connection before anybody says anything.
const FIRST_WINDOW: u32 = 65_535;

/// The largest that a window may be.
const LARGEST_WINDOW: i64 = (1 << 31) - 1;

/// How much waits for the socket before content does.
const OUT: usize = 256 * 1024;

/// The last number that a stream may have (RFC 9113 §5.1.1).
const LAST: u32 = (1 << 31) - 1;

/// What is known of an answer.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// 0, until a final head has come.
    pub(super) status: u16,
    pub(super) headers: Option<Headers>,
    pub(super) body: Option<BytesMut>,
    pub(super) length: u64,
    announced: Option<u64>,
}

/// A request in progress.
struct Stream {
    wants: Wants,
    /// No content comes, whatever length the head tells.
    head_only: bool,
    unsent: Bytes,
    /// How much of it the server takes at present.
    window: i64,
    /// What has come since more was granted.
    ungranted: u32,
    answer: Partial,
    done: Option<Result<(), Failed>>,
    waker: Option<Waker>,
}

/// All streams of a connection.
pub(super) struct Streams {
    /// What is to be written.
    pub(super) out: Vec<u8>,
    places: Vec<Option<Stream>>,
    /// The number of the stream at each place; 0 where there is none.
    numbers: Vec<u32>,
    active: usize,
    /// How many of them have content to send.
    sending: usize,
    next: u32,
    /// How many the server takes at a time.
    most: usize,
    /// Who waits for one more, by tickets.
    waiting: VecDeque<(u64, Waker)>,
    tickets: u64,
    greeted: bool,
    /// Who waits for the server's greeting.
    greeting: Option<Waker>,
    /// The server takes no more requests.
    closing: bool,
    failed: Option<Failed>,
    window: i64,
    first_window: i64,
    longest: usize,
    ungranted: u32,
    /// The server's table got smaller, which a decoder may want to hear of (RFC 7541 §4.2).
    smaller_table: bool,
    decoder: Decoder,
    /// A block whose end has not come, and the head of its first frame.
    block: Option<(Head, Vec<u8>)>,
    /// The last block that changed no table, and what it says. Servers say the same again and again.
    known: (Vec<u8>, u64, Told),
    driver: Option<Waker>,
}

impl Streams {
    /// Those of a connection that was just made, with a greeting to be written.
    pub(super) fn new() -> Streams {
        let mut out = PREFACE.to_vec();
        let settings = [(0x2u16, 0), (0x4, WINDOW), (0x6, 64 * 1024)];
        frame::begin(&mut out, 6 * settings.len(), frame::SETTINGS, 0, 0);
        for (name, value) in settings {
            out.extend_from_slice(&name.to_be_bytes());
            out.extend_from_slice(&u32::to_be_bytes(value));
        }
        frame::number(&mut out, frame::WINDOW_UPDATE, 0, WINDOW - FIRST_WINDOW);
        Streams {
            out,
            places: Vec::new(),
            numbers: Vec::new(),
            active: 0,
            sending: 0,
            next: 1,
            most: usize::MAX,
            waiting: VecDeque::new(),
            tickets: 0,
            greeted: false,
            greeting: None,
            closing: false,
            failed: None,
            window: FIRST_WINDOW.into(),
            first_window: FIRST_WINDOW.into(),
            longest: frame::LONGEST,
            ungranted: 0,
            smaller_table: false,
            decoder: Decoder::default(),
            block: None,
            known: (Vec::new(), 0, Told::default()),
            driver: None,
        }
    }

    /// Whether it takes another request, now or later.
    pub(super) fn is_usable(&self) -> bool {
        !self.closing && self.failed.is_none() && self.next <= LAST
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_over(&self) -> bool {
        self.failed.is_some() || (!self.is_usable() && self.active == 0)
    }

    /// Ready when the server's settings are there: only then is it certain that it speaks HTTP/2, and how many requests it takes.
    pub(super) fn poll_greeted(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        match &self.failed {
            Some(failed) => Poll::Ready(Err(failed.clone())),
            None if self.greeted => Poll::Ready(Ok(())),
            None => {
                self.greeting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Ready when the server takes one more request: true, or false when it never will. Whoever waits has a ticket, and must give it
    /// [back](Streams::stop_waiting).
    pub(super) fn poll_room(&mut self, ticket: &mut Option<u64>, cx: &mut Context<'_>) -> Poll<bool> {
        if !self.is_usable() {
            return Poll::Ready(false);
        }
        if self.active < self.most {
            return Poll::Ready(true);
        }
        let own = self.waiting.iter_mut().find(|(number, _)| Some(*number) == *ticket);
        match own {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => {
                self.tickets += 1;
                *ticket = Some(self.tickets);
                self.waiting.push_back((self.tickets, cx.waker().clone()));
            }
        }
        Poll::Pending
    }

    /// Gives a ticket back. Where it was called already, and perhaps for nothing, the next one is.
    pub(super) fn stop_waiting(&mut self, ticket: u64) {
        match self.waiting.iter().position(|(number, _)| *number == ticket) {
            Some(place) => drop(self.waiting.remove(place)),
            None => self.offer_room(),
        }
    }

    /// Lets the next one know that there is room, if there is.
    fn offer_room(&mut self) {
        if self.active < self.most
            && let Some((_, next)) = self.waiting.pop_front()
        {
            next.wake();
        }
    }

    /// Has all that wait for something look again.
    fn wake_all(&mut self) {
        self.waiting.drain(..).for_each(|(_, waker)| waker.wake());
        self.greeting.take().into_iter().for_each(Waker::wake);
    }

    /// Starts a request. It has a place until it is [taken](Streams::poll_done) or [given up](Streams::give_up).
    pub(super) fn start(&mut self, block: &[u8], body: &Bytes, wants: Wants, head_only: bool) -> usize {
        let number = self.next;
        self.next += 2;
        let prefix: &[u8] = if std::mem::take(&mut self.smaller_table) {
            &[hpack::EMPTY_TABLE]
        } else {
            b""
        };
        frame::head(&mut self.out, number, prefix, block, body.is_empty(), self.longest);
        let stream = Stream {
            wants,
            head_only,
            unsent: body.clone(),
            window: self.first_window,
            ungranted: 0,
            answer: Partial::default(),
            done: None,
            waker: None,
        };
        let place = self.numbers.iter().position(|number| *number == 0).unwrap_or_else(|| {
            self.places.push(None);
            self.numbers.push(0);
            self.numbers.len() - 1
        });
        self.places[place] = Some(stream);
        self.numbers[place] = number;
        self.active += 1;
        if !body.is_empty() {
            self.sending += 1;
            self.send(place);
        }
        self.wake_driver();
        place
    }

    /// Ready when the answer is there or never comes.
    pub(super) fn poll_done(&mut self, place: usize, cx: &mut Context<'_>) -> Poll<Result<Partial, Failed>> {
        let Some(stream) = &mut self.places[place] else {
            return Poll::Ready(Err(failing::reset("the stream is gone")));
        };
        match stream.done.take() {
            None => {
                match &mut stream.waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => stream.waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            Some(result) => {
                let answer = std::mem::take(&mut stream.answer);
                self.free(place);
                Poll::Ready(result.map(|()| answer))
            }
        }
    }

    /// Nobody waits for the answer any more, which the server is told.
    pub(super) fn give_up(&mut self, place: usize) {
        if self.places[place].as_ref().is_some_and(|stream| stream.done.is_none()) {
            frame::number(&mut self.out, frame::RST_STREAM, self.numbers[place], frame::CANCEL);
            self.wake_driver();
        }
        self.free(place);
    }

    /// Remembers whom to wake when there is something to write.
    pub(super) fn driven_by(&mut self, waker: &Waker) {
        self.driver = Some(waker.clone());
    }

    /// Everything was written: content that waited for it goes on.
    pub(super) fn written(&mut self) {
        self.out.clear();
        if self.sending > 0 {
            self.send_all();
        }
    }

    /// The connection is of no more use, for this reason.
    pub(super) fn fail(&mut self, failed: &Failed) {
        self.failed.get_or_insert_with(|| failed.clone());
        for stream in self.places.iter_mut().flatten() {
            stream.end(Err(failed.clone()));
        }
        self.wake_all();
    }

    fn send_all(&mut self) {
        for place in 0..self.places.len() {
            if self.sending == 0 {
                return;
            }
            self.send(place);
        }
    }

    /// Sends as much of a request's content as the server takes.
    fn send(&mut self, place: usize) {
        let Some(stream) = &mut self.places[place] else { return };
        while !stream.unsent.is_empty() && stream.done.is_none() && self.out.len() < OUT {
            let room = usize::try_from(self.window.min(stream.window)).unwrap_or(0);
            let count = stream.unsent.len().min(room).min(self.longest);
            if count == 0 {
                return;
            }
            let ends = count == stream.unsent.len();
            let flags = if ends { frame::END_STREAM } else { 0 };
            frame::begin(&mut self.out, count, frame::DATA, flags, self.numbers[place]);
            self.out.extend_from_slice(&stream.unsent[..count]);
            stream.unsent.advance(count);
            let count = i64::try_from(count).expect("it is no more than a window");
            self.window -= count;
            stream.window -= count;
            self.sending -= usize::from(ends);
        }
    }

    fn end(&mut self, place: usize, result: Result<(), Failed>) {
        if let Some(stream) = &mut self.places[place] {
            // RFC 9113 §8.1: the server needs no more of the request, and the stream isn't over without our half.
            if !stream.unsent.is_empty() && result.is_ok() {
                frame::number(&mut self.out, frame::RST_STREAM, self.numbers[place], frame::CANCEL);
            }
            stream.end(result);
        }
    }

    fn free(&mut self, place: usize) {
        let Some(stream) = self.places[place].take() else {
            return;
        };
        self.numbers[place] = 0;
        self.active -= 1;
        self.sending -= usize::from(!stream.unsent.is_empty());
        if self.is_over() {
            self.wake_driver();
        }
        self.offer_room();
    }

    pub(super) fn wake_driver(&mut self) {
        // Once is enough: it says anew whom to wake when it has looked.
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }
}

impl Stream {
    fn end(&mut self, result: Result<(), Failed>) {
        if self.done.is_none() {
            self.done = Some(result);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}
