//! What an access log says of the requests of a day: which, how often, and when.
//!
//! Our own logs (a JSON object on each line) and those in the common and combined formats are read. Our own hold no values of
//! queries, so requests from them have none.

mod line;
mod popularity;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, BufRead, Read as _};
use std::time::Duration;

use self::line::Line;
pub(crate) use self::popularity::Popularity;
use super::Wish;
use crate::bench::draft::{Draft, Drafted, only_reads};

/// The longest line that is looked at.
const LONGEST: usize = 64 * 1024;

/// The most requests of a log that are told apart. Those that come later and are none of them are counted as left out.
const MOST_REQUESTS: usize = 20_000;

/// The most lines that are taken: some 64 MB of memory for their times.
const MOST_LINES: usize = 4_000_000;

/// A request that a log has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    /// The method.
    pub(crate) method: String,
    /// The host, where the log has it.
    pub(crate) host: Option<String>,
    /// Path and query.
    pub(crate) path: String,
}

/// What a log says.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Each request once, in the order in which they came up.
    pub(crate) requests: Vec<Asked>,
    /// The gate's route of each, where the log has it.
    pub(crate) routes: Vec<Option<String>>,
    /// When which of them came, from the first line on, ascending.
    pub(crate) arrivals: Vec<(Duration, u32)>,
    /// Whether it has whole seconds only, so that requests of one second are spread over it.
    pub(crate) only_seconds: bool,
    /// Lines that no request could be read from.
    pub(crate) unreadable: u64,
    /// The first of these, by its number.
    pub(crate) first_unreadable: Option<u64>,
    /// Lines whose request is left out, because there are too many of them or of different ones.
    pub(crate) left_out: u64,
}

impl Log {
    /// Reads a log to its end, in constant memory but for the times.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn read(mut log: impl BufRead) -> io::Result<Log> {
        let mut reading = Reading::default();
        let mut line = Vec::new();
        let mut number = 0;
        while next_line(&mut log, &mut line)? {
            number += 1;
            if !line.iter().all(u8::is_ascii_whitespace) {
                reading.take(&line, number);
            }
        }
        Ok(reading.finish())
    }

    /// From the first arrival to the last.
    pub(crate) fn lasted(&self) -> Duration {
        self.arrivals.last().map_or(Duration::ZERO, |(after, _)| *after)
    }

    /// Arrivals a second, over all of it. A log knows seconds, so it lasts one at least.
    #[allow(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    pub(crate) fn rate(&self) -> f64 {
        self.arrivals.len() as f64 / self.lasted().as_secs_f64().max(1.0)
    }

    /// How often each request came.
    pub(crate) fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.requests.len()];
        for (_, request) in &self.arrivals {
            counts[*request as usize] += 1;
        }
        counts
    }

    /// Arrivals in each second.
    pub(crate) fn seconds(&self) -> Vec<u64> {
        let last = usize::try_from(self.lasted().as_secs()).unwrap_or(0);
        // A log of many years is told by its start; what is looked for here is how a day goes.
        let mut seconds = vec![0; last.min(MOST_LINES) + 1];
        for (after, _) in &self.arrivals {
            let second = usize::try_from(after.as_secs()).unwrap_or(usize::MAX);
            if let Some(count) = seconds.get_mut(second) {
                *count += 1;
            }
        }
        seconds
    }

    /// The requests that came most often, with how often as their weight. At most `most` of them.
    pub(crate) fn draft(&self, most: usize, wish: &Wish) -> Draft {
        let mut draft = Draft::default();
        let counts = self.counts();
        let mut order: Vec<usize> = (0..self.requests.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(counts[at]));
        let mut changing = 0;
        let mut rare = 0;
        for at in order {
            let asked = &self.requests[at];
            if !only_reads(&asked.method) {
                // A log has no content, and what changes something without it would only fail.
                changing += counts[at];
            } else if draft.requests.len() >= most {
                rare += counts[at];
            } else {
                draft.requests.push(self.drafted(at, counts[at], wish));
            }
        }
        if changing > 0 {
            draft.leave(
                format!("{changing} requests"),
                "they change something, and a log doesn't have their content",
            );
        }
        if rare > 0 {
            draft.leave(
                format!("{rare} requests"),
                format!("they are for others than the {most} that came most often"),
            );
        }
        if self.unreadable > 0 {
            let first = self.first_unreadable.unwrap_or_default();
            let why = format!("no request could be read from them; the first is line {first}");
            draft.leave(format!("{} lines", self.unreadable), why);
        }
        if self.left_out > 0 {
            let why =
                format!("the log has more than {MOST_LINES} lines, or more than {MOST_REQUESTS} different requests");
            draft.leave(format!("{} lines", self.left_out), why);
        }
        draft
    }

    #[allow(clippy::cast_precision_loss, reason = "a weight needs no more digits")]
    fn drafted(&self, at: usize, count: u64, wish: &Wish) -> Drafted {
        let asked = &self.requests[at];
        let path = asked.path.split('?').next().unwrap_or_default();
        let host = asked.host.clone().filter(|_| !wish.has_header("Host"));
        Drafted {
            route: self.routes[at].clone().unwrap_or_else(|| path.to_owned()),
            method: asked.method.clone(),
            // Braces mean something else in a scenario.
            path: asked.path.replace('{', "%7B").replace('}', "%7D"),
            headers: host.map(|host| ("Host".to_owned(), host)).into_iter().collect(),
            body: None,
            weight: count as f64,
            statuses: Vec::new(),
            guessed: None,
        }
    }
}

/// Puts the next line into `line`, as much of it as is looked at. False at the end.
fn next_line(log: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let most = LONGEST as u64 + 1;
    if log.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == most {
        // What is longer is no line of a log; it is counted as unreadable, for it ends within its object or its quotes.
        log.skip_until(b'\n')?;
    }
    Ok(true)
}

/// A log, as far as it has been read.
#[derive(Default)]
struct Reading {
    log: Log,
    known: HashMap<Asked, u32>,
    /// Times of arrivals in milliseconds since 1970.
    times: Vec<(i64, u32)>,
}

impl Reading {
    fn take(&mut self, line: &[u8], number: u64) {
        let Some(Line { time, asked, route }) = line::read(line) else {
            self.log.unreadable += 1;
            self.log.first_unreadable.get_or_insert(number);
            return;
        };
        if self.times.len() >= MOST_LINES {
            self.log.left_out += 1;
            return;
        }
        let next = self.log.requests.len();
        let request = match self.known.entry(asked) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(_) if next >= MOST_REQUESTS => {
                self.log.left_out += 1;
                return;
            }
            Entry::Vacant(place) => {
                self.log.requests.push(place.key().clone());
                self.log.routes.push(route);
                *place.insert(u32::try_from(next).expect("there are not so many"))
            }
        };
        self.times.push((time, request));
    }

    /// Lines are written when requests end, and say when they began: so they have to be put in order.
    fn finish(mut self) -> Log {
        self.times.sort_by_key(|(time, _)| *time);
        let first = self.times.first().map_or(0, |(time, _)| *time);
        let after = |time: i64| Duration::from_millis(u64::try_from(time - first).unwrap_or(0));
        let arrivals = self.times.iter().map(|(time, request)| (after(*time), *request));
        self.log.arrivals = arrivals.collect();
        self.log.only_seconds = self.times.iter().all(|(time, _)| time % 1000 == 0);
        if self.log.only_seconds {
            spread(&mut self.log.arrivals);
        }
        self.log
    }
}

/// Spreads those of each second over it. A log of whole seconds doesn't say when within it they came; all at once would be a burst
/// that there never was.
fn spread(arrivals: &mut [(Duration, u32)]) {
    for of_second in arrivals.chunk_by_mut(|(one, _), (other, _)| one == other) {
        let count = u32::try_from(of_second.len()).unwrap_or(u32::MAX);
        for ((after, _), place) in of_second.iter_mut().zip(0..) {
            *after += Duration::from_secs(1) * place / count;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn ours(second: u32, method: &str, path: &str) -> String {
        format!(
            "{{\"time\":\"2026-11-22T08:44:{second:02}.500Z\",\"method\":\"{method}\",\"host\":\"a.test\",\"path\":\"{path}\",\
             \"query\":\"page\",\"status\":200,\"route\":\"r\"}}\n"
        )
    }

    fn read(text: &str) -> Log {
        Log::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn arrivals_are_in_the_order_of_their_times() {
        let log = read(&[ours(7, "GET", "/b"), ours(5, "GET", "/a"), ours(7, "GET", "/a")].concat());
        let arrivals: Vec<_> = log.arrivals.iter().map(|(after, at)| (after.as_secs(), *at)).collect();
        assert_eq!(arrivals, [(0, 1), (2, 0), (2, 1)]);
        assert_eq!((log.counts(), log.seconds()), (vec![1, 2], vec![1, 0, 2]));
        assert!((log.rate() - 1.5).abs() < 1e-9);
    }

    #[test]
    fn requests_of_a_whole_second_are_spread_over_it() {
        let line = |second: u32| format!("::1 - - [10/Oct/2000:13:55:{second:02} -0700] \"GET / HTTP/1.1\" 200 2\n");
        let millis = |text: &str| {
            let log = read(text);
            let arrivals: Vec<_> = log.arrivals.iter().map(|(after, _)| after.as_millis()).collect();
            (log.only_seconds, arrivals)
        };
        let text: String = [1, 1, 1, 1, 3, 3].into_iter().map(line).collect();
        assert_eq!(millis(&text), (true, vec![0, 250, 500, 750, 2000, 2500]));
        let exact = [ours(1, "GET", "/"), ours(1, "GET", "/")].concat();
        assert_eq!(millis(&exact), (false, vec![0, 0]));
    }

    #[test]
    fn what_comes_most_often_weighs_most() {
        let lines = [
            ours(1, "GET", "/b"),
            ours(1, "GET", "/a"),
            ours(2, "GET", "/a"),
            ours(3, "POST", "/a"),
            "{\n".into(),
        ];
        let draft = read(&lines.concat()).draft(1, &Wish::default());
        let request = &draft.requests[0];
        assert_eq!((&*request.path, &*request.route, request.weight), ("/a", "r", 2.0));
        assert_eq!(request.headers, [("Host".to_owned(), "a.test".to_owned())]);
        let left: Vec<&str> = draft.left_out.iter().map(|left| &*left.what).collect();
        assert_eq!(left, ["1 requests", "1 requests", "1 lines"]);
        assert!(draft.left_out[2].why.contains("line 5"));
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory_and_spoils_no_other() {
        let mut text = "x".repeat(10 * LONGEST);
        text.push('\n');
        text.push_str(&ours(1, "GET", "/a"));
        let log = read(&text);
        assert_eq!(
            (log.unreadable, log.first_unreadable, log.arrivals.len()),
            (1, Some(1), 1)
        );
        assert_eq!(read("").arrivals.len(), 0);
    }

    #[test]
    fn requests_that_are_all_different_have_a_limit() {
        let lines: String = (0..MOST_REQUESTS + 3)
            .map(|at| ours(1, "GET", &format!("/{at}")))
            .collect();
        let log = read(&lines);
        assert_eq!((log.requests.len(), log.left_out), (MOST_REQUESTS, 3));
    }
}
