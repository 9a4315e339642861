//! What a client does: one request, or several that build upon each other.

use std::time::Duration;

use crate::outcome::Answer;
use crate::request::{Request, Unfit};

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
    /// How long the client thinks before the next step.
    pub think: Option<Think>,
}

/// How a request comes to be.
#[derive(Debug)]
pub enum Template {
    /// It is the same each time.
    Fixed(Request),
}

/// What must be true of an answer.
#[derive(Debug, Default)]
pub struct Expect {
    /// Statuses that are right. Where there are none, those below 400.
    pub statuses: Vec<u16>,
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
#[derive(Debug, Default)]
pub struct Iteration {}

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

impl Step {
    /// The request of this iteration.
    ///
    /// # Errors
    /// When what was captured or read makes none.
    pub fn request(&self, _iteration: &mut Iteration) -> Result<Ready<'_>, Unfit> {
        match &self.request {
            Template::Fixed(request) => Ok(Ready::Kept(request)),
        }
    }

    /// What has to be kept of its answers.
    pub fn wants(&self) -> Wants {
        Wants::default()
    }

    /// Judges an answer, and captures what later steps need of it.
    ///
    /// # Errors
    /// With the name of the check that fails. A status that isn't right is told by [`Expect::status`].
    pub fn judge(&self, _answer: &Answer, _iteration: &mut Iteration) -> Result<(), String> {
        Ok(())
    }
}

impl Expect {
    /// Whether this status is right.
    pub fn status(&self, status: u16) -> bool {
        if self.statuses.is_empty() {
            status < 400
        } else {
            self.statuses.contains(&status)
        }
    }
}
