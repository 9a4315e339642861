//! The vocabulary that every other crate speaks: a [`Request`], a [`Response`], their [`Headers`] and [`Body`],
//! the [`Ctx`] of one request, the two seams [`Policy`] and [`Backend`], and the one [`Error`].
//!
//! Nothing here does I/O, reads configuration, or knows a concrete policy or backend.

mod method;
mod status;
mod version;

pub mod headers;
pub mod proxy_protocol;
pub mod target;

mod body;
mod request;
mod response;

mod client_certificate;
mod ctx;

pub mod codes;
mod error;
pub mod grpc;

mod backend;
mod drain;
mod handler;
mod policy;
mod reply;

pub use backend::Backend;
pub use body::{Body, BodyStream, Frame};
pub use client_certificate::ClientCertificate;
pub use ctx::{Connection, Consumer, Ctx, Interim, PathParams, RequestId, RouteName, Scheme, UpstreamFacts};
pub use drain::{Drain, DrainTicket};
pub use error::{Error, Finding, Result};
pub use handler::{Arrival, Handler, Sent, Watch};
pub use headers::{Headers, Known, Name};
pub use method::Method;
pub use policy::{Next, Observer, Outcome, Policy};
pub use reply::Reply;
pub use request::{Request, Upgrade};
pub use response::Response;
pub use status::Status;
pub use target::Target;
pub use version::Version;
