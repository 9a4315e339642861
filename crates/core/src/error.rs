//! The one error of the data path: a code, what the client may know, and the cause.

use std::borrow::Cow;
use std::fmt;

use crate::codes::{Code, Fault};
use crate::{Headers, Name, Status};

/// A result on the way of a request.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request got no answer from its backend: a stable code, a public text, and a private cause.
///
/// The code decides status and title. The detail goes to the client: it may repeat what the client sent, and never
/// tells of upstreams, files, statements or stacks. The cause goes to the log only.
pub struct Error(Box<Parts>);

struct Parts {
    code: &'static Code,
    detail: Option<Cow<'static, str>>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    policy: Option<&'static str>,
    headers: Headers,
    findings: Vec<Finding>,
}

/// One of several things that are wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The part of the message: `body`, `query`, `path`, `header`, `cookie`.
    pub part: &'static str,
    /// Where in it, as a JSON pointer; of a parameter, its name comes first.
    pub pointer: String,
    /// What is wrong there, for the client.
    pub what: String,
}

impl Error {
    /// An error of that code, with nothing to add.
    #[cold]
    pub fn new(code: &'static Code) -> Error {
        Error(Box::new(Parts {
            code,
            detail: None,
            cause: None,
            policy: None,
            headers: Headers::new(),
            findings: Vec::new(),
        }))
    }

    /// Adds what the client may know beyond the code's title.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Error {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds what only the log may know.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.0.cause = Some(cause.into());
        self
    }

    /// Adds the name of the policy that refused.
    #[must_use]
    pub fn by_policy(mut self, policy: &'static str) -> Error {
        self.0.policy = Some(policy);
        self
    }

    /// Adds a field to the answer, such as `Allow` or `WWW-Authenticate`.
    #[must_use]
    pub fn with_header<'n>(mut self, name: impl Into<Name<'n>>, value: impl AsRef<[u8]>) -> Error {
        self.0.headers.append(name, value);
        self
    }

    /// Adds all that was found wrong, for the client.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Error {
        self.0.findings = findings;
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static Code {
        self.0.code
    }

    /// The status that goes out.
    pub fn status(&self) -> Status {
        self.0.code.status
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.0.code.fault
    }

    /// What the client may know beyond the code's title.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// What only the log may know.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync)> {
        self.0.cause.as_deref()
    }

    /// The policy that refused.
    pub fn policy(&self) -> Option<&'static str> {
        self.0.policy
    }

    /// All that was found wrong, for the client.
    pub fn findings(&self) -> &[Finding] {
        &self.0.findings
    }

    /// Fields for the answer, to add to.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.0.headers
    }

    /// Fields for the answer.
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code.title)?;
        if let Some(detail) = &self.0.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({self}", self.0.code.name)?;
        if let Some(cause) = &self.0.cause {
            write!(f, "; {cause}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}
