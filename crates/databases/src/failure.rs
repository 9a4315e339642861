//! What a failure means to a client: whose fault it is. The database's own words go to the log only.

use portcullis_core::{Error, Known, codes};
use portcullis_tables::statement::Failure;

/// The error for a script that was rolled back because a step did not come to what it must.
pub(crate) fn unmet(failure: Failure) -> Error {
    match failure {
        Failure::NotFound => Error::new(&codes::RESOURCE_NOT_FOUND),
        Failure::PreconditionFailed => Error::new(&codes::PRECONDITION_FAILED),
        Failure::TooMany => Error::new(&codes::TOO_MANY_ROWS),
        Failure::Forbidden => Error::new(&codes::FORBIDDEN).with_detail("a row would not be one that the caller may write"),
        Failure::NotSingular => Error::new(&codes::NOT_ACCEPTABLE).with_detail("one row is asked for, and there is another number"),
    }
}

/// The error for a database that can't take the request now.
pub(crate) fn busy() -> Error {
    Error::new(&codes::DATABASE_BUSY).with_header(Known::RetryAfter, "1")
}
