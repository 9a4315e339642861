//! Requests that clients may send again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::on_failure::OnFailure;
use crate::defaults::policies as defaults;
use crate::schema::form;
use crate::units;

/// Lets clients send a request again without its being done twice: those with the same `Idempotency-Key` are one
/// (draft-ietf-httpapi-idempotency-key-header-07). The first goes to the backend, and the others are answered as it was.
///
/// Answers are kept in the durable store. Those with a status of 2xx, 3xx or 4xx are final, but 401, 403, 408, 409, 425 and
/// 429; after any other the request may be sent again. A key is valid for its consumer, route and method; requests of nobody
/// share theirs. Of several that apply to a route, the last one counts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Idempotency {
    /// Whether it applies: `false` takes a route out of what another set says.
    pub enabled: bool,
    /// The methods that it is about; others pass.
    #[schemars(length(min = 1), transform = form::items("method"), transform = form::single)]
    pub methods: Vec<String>,
    /// Whether such a request must have a key (400).
    pub required: bool,
    /// Whether a key may also be written as it is. The draft wants it in double quotes, as a string of Structured Fields.
    pub bare: bool,
    /// How long an answer is kept, and a key not free for another request.
    #[schemars(extend("format" = "timeout"))]
    pub ttl: units::Duration,
    /// How long a request may take until its answer is given up: when the gate dies in the middle, nobody knows what became
    /// of the request, and those who send it again learn that (409) only then. Until then it is in progress (409, too).
    #[schemars(extend("format" = "timeout"))]
    pub lease: units::Duration,
    /// The largest body of a request (413): it is read before the request goes on.
    pub body: units::ByteSize,
    /// The largest body of an answer that is kept. Of a larger one only its status is, and it can't be repeated (409).
    pub response: units::ByteSize,
    /// What becomes of requests while the store is away.
    pub on_failure: OnFailure,
}

impl Default for Idempotency {
    fn default() -> Idempotency {
        Idempotency {
            enabled: true,
            methods: defaults::idempotency_methods(),
            required: false,
            bare: false,
            ttl: defaults::idempotency_ttl(),
            lease: defaults::idempotency_lease(),
            body: defaults::idempotency_body(),
            response: defaults::idempotency_response(),
            on_failure: OnFailure::default(),
        }
    }
}
