//! Copies of requests for a service that nobody waits for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;
use crate::{defaults, units};

/// A service that gets a copy of the requests; its answers are thrown away, and no client ever waits for it. Short form: its
/// name.
///
/// A copy is sent once the whole body of the request is there, with the field `X-Portcullis-Mirror: 1`, by which the service can
/// tell that nothing must come of it. Trailers are left out. Requests for another protocol, such as WebSocket, are not copied. A
/// worker has 100 copies under way at the most; what is more is not copied.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("service"))]
pub struct Mirror {
    /// The name of a service under `services`.
    #[schemars(extend("x-names" = "services"))]
    pub service: String,
    /// Which share of the requests is copied, chosen at random.
    #[serde(default = "defaults::mirror_percent")]
    pub percent: units::Percent,
    /// Bytes of a body at the most, up to 16 MiB: a request with more is not copied. So much memory may be in use for each copy.
    #[serde(default = "defaults::mirror_body")]
    pub body: units::ByteSize,
    /// How long the service may take, to the last byte of its answer. Then the copy is given up.
    #[serde(default = "defaults::mirror_timeout")]
    #[schemars(extend("format" = "timeout"))]
    pub timeout: units::Duration,
}

/// A copy lies in memory until it is sent, and a hundred may be under way for each worker.
const MOST_BODY: units::ByteSize = units::ByteSize::kib(16 * 1024);

impl Mirror {
    /// What makes no sense in it, beside the services that answer: the key, and why.
    pub(crate) fn contradictions<'a>(&self, mut served: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.percent > units::Percent::whole(100) {
            let message = "there is no more to copy than `100%`";
            found.push(("mirror.percent".to_owned(), message.to_owned()));
        }
        if self.body.0 > MOST_BODY.0 {
            let message = format!("copies lie in memory; the most is {MOST_BODY}");
            found.push(("mirror.body".to_owned(), message));
        }
        if served.any(|service| service == self.service) {
            let message = format!(
                "`{}` answers these requests already, and would get them twice",
                self.service
            );
            found.push(("mirror.service".to_owned(), message));
        }
        found
    }
}
