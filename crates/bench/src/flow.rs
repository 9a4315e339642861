//! What a client does: one request, or several that build upon each other.

pub mod capture;
pub mod data;
pub mod expect;
pub mod scope;
pub mod template;
pub mod value;

mod escape;
mod json;
mod source;
mod text;

use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};

use crate::outcome::Answer;
use crate::request::{Request, Unfit};

pub use capture::Capture;
pub use expect::Expect;
pub use template::Template;

use self::expect::Content;
use self::value::Value;

/// The most bytes of an answer's content that are kept for checks and captures.
pub const MOST_KEPT: usize = 1024 * 1024;

/// A client's way through a target. One start of it is one arrival.
#[derive(Debug)]
pub struct Flow {
    /// Its name in reports.
    pub name: String,
    /// How often it is chosen, compared with the others.
    pub weight: f64,
    /// What it does, in this order. It ends early at a step that fails.
    pub steps: Vec<Step>,
}

/// One request of a flow.
#[derive(Debug)]
pub struct Step {
    /// Under which name of `Plan::routes` it is counted, by its place there.
    pub route: usize,
    /// What is sent.
    pub request: Template,
    /// What must be true of the answer.
    pub expect: Expect,
    /// What later steps need of the answer.
    pub captures: Vec<Capture>,
    /// How long the client thinks before the next step.
    pub think: Option<Think>,
}

/// A pause, chosen anew each time between two lengths.
#[derive(Clone, Copy, Debug)]
pub struct Think {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

/// What one start of a flow has gathered: values that were captured, rows of data that are its own.
#[derive(Debug)]
pub struct Iteration {
    /// Which arrival it is.
    number: u64,
    chance: fastrand::Rng,
    /// The rows that it has taken, by the places of the sets. Empty until it takes one.
    rows: Vec<Option<usize>>,
    /// What it has captured, by slots. Empty until it captures something.
    captured: Vec<Option<Value>>,
}

/// What of an answer a step wants to see. What nobody wants isn't kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// The fields.
    pub headers: bool,
    /// The content, up to so many bytes.
    pub body: Option<usize>,
}

/// A request, made for once or kept for all.
#[derive(Debug)]
pub enum Ready<'s> {
    /// That of the step.
    Kept(&'s Request),
    /// One of this iteration.
    Made(Box<Request>),
}

impl Ready<'_> {
    /// What is to be sent.
    pub fn request(&self) -> &Request {
        match self {
            Ready::Kept(request) => request,
            Ready::Made(request) => request,
        }
    }
}

impl Iteration {
    /// The start of a flow with that number. What is left to chance in it follows from the seed and the number alone.
    pub fn new(seed: u64, number: u64) -> Iteration {
        // Neighbouring numbers must not give neighbouring sequences: they are spread by the golden ratio, as SplitMix64 does.
        let spread = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Iteration {
            number,
            chance: fastrand::Rng::with_seed(seed ^ spread),
            rows: Vec::new(),
            captured: Vec::new(),
        }
    }
}

impl Default for Iteration {
    fn default() -> Iteration {
        Iteration::new(0, 0)
    }
}

impl Step {
    /// A request that is counted under a route, of whose answer only the status matters.
    pub fn new(route: usize, request: Template) -> Step {
        Step {
            route,
            request,
            expect: Expect::default(),
            captures: Vec::new(),
            think: None,
        }
    }

    /// The request of this iteration.
    ///
    /// # Errors
    /// When what was captured or read makes none.
    pub fn request(&self, iteration: &mut Iteration) -> Result<Ready<'_>, Unfit> {
        match &self.request {
            Template::Fixed(request) => Ok(Ready::Kept(request)),
            Template::Made(form) => form.request(iteration).map(|request| Ready::Made(Box::new(request))),
        }
    }

    /// What has to be kept of its answers.
    pub fn wants(&self) -> Wants {
        let headers = self.expect.wants_headers() || self.captures.iter().any(Capture::wants_headers);
        let body = self.expect.wants_body() || self.captures.iter().any(Capture::wants_body);
        Wants {
            headers,
            body: body.then_some(MOST_KEPT),
        }
    }

    /// Judges an answer, and captures what later steps need of it.
    ///
    /// # Errors
    /// With the name of the check that fails. A status that isn't right is told by [`Expect::status`].
    pub fn judge(&self, answer: &Answer, iteration: &mut Iteration) -> Result<(), String> {
        if self.expect.checks.is_empty() && self.captures.is_empty() {
            return Ok(());
        }
        let content = Content::of(answer);
        self.expect.judge(&content, iteration)?;
        for capture in &self.captures {
            capture.take(&content, iteration)?;
        }
        Ok(())
    }
}

/// A pattern of a check or a capture.
fn pattern(text: &str) -> Result<Regex, String> {
    /// What a pattern may take when it is compiled: as much as is usual elsewhere takes hardly a hundredth of it.
    const MOST_BYTES: usize = 4 * 1024 * 1024;
    let pattern = RegexBuilder::new(text).size_limit(MOST_BYTES).build();
    pattern.map_err(|error| {
        // The message shows the pattern over several lines; the last one says what is wrong with it.
        let message = error.to_string();
        let reason = message.lines().last().unwrap_or_default();
        format!("`{text}` is no pattern: {}", reason.trim_start_matches("error: "))
    })
}
