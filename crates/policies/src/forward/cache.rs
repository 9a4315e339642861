//! Who was let in a short while ago.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_config::policy::forward::{ForwardCache, ForwardFact};
use portcullis_core::{Ctx, Known, Request};

use super::Admission;
use crate::field_name::FieldName;
use crate::recent::{Mark, Recent, mark};

/// How many answers are remembered.
const MOST: usize = 20_000;

pub(super) struct Cache {
    lasting: Duration,
    by: Box<[ForwardFact]>,
    known: Recent<Arc<Admission>>,
}

impl Cache {
    pub(super) fn new(config: &ForwardCache) -> Cache {
        Cache {
            lasting: config.r#for.0,
            by: config.by.clone().into(),
            known: Recent::new(MOST),
        }
    }

    /// What makes a question this one. The fields that the service is shown are always part of it, each with its name:
    /// otherwise one who is let in would let in others.
    pub(super) fn mark<'n>(&self, cx: &Ctx, request: &Request, shown: impl Iterator<Item = &'n FieldName>) -> Mark {
        let client = match cx.client {
            std::net::IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            std::net::IpAddr::V6(address) => address.octets(),
        };
        let mut parts: Vec<&[u8]> = Vec::with_capacity(16);
        for fact in &self.by {
            match fact {
                ForwardFact::Method => parts.push(request.method.as_str().as_bytes()),
                ForwardFact::Host => {
                    parts.push(request.headers.get(Known::Host).unwrap_or_default());
                    parts.push(request.headers.get(Known::XForwardedHost).unwrap_or_default());
                }
                ForwardFact::Path => parts.push(request.target.path().as_bytes()),
                ForwardFact::Uri => parts.push(request.target.as_str().as_bytes()),
                ForwardFact::Client => parts.extend([&client[..], cx.scheme.as_str().as_bytes()]),
            }
        }
        for name in shown {
            let values = request.headers.get_all(name.name());
            parts.extend(values.flat_map(|value| [name.as_str().as_bytes(), value]));
        }
        mark(parts)
    }

    pub(super) fn find(&self, mark: &Mark) -> Option<Arc<Admission>> {
        self.known.find(mark, Instant::now())
    }

    pub(super) fn keep(&self, mark: Mark, admission: &Arc<Admission>) {
        if let Some(until) = Instant::now().checked_add(self.lasting) {
            self.known.keep(mark, until, admission.clone());
        }
    }
}
