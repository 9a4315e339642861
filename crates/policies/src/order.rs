//! The order in which policies run, with the reason for each place.
//!
//! It is the program's to say, not the file's: a wrong order is how gateways leak.

/// One line for each policy; the first one is the outermost layer.
pub const ORDER: &[Place] = &[
    Place {
        kind: Kind::AccessLog,
        stage: Stage::Observe,
        reason: "It sees everything, refusals too, so it stands outside of all that may refuse.",
    },
    Place {
        kind: Kind::Metrics,
        stage: Stage::Observe,
        reason: "As the log: what was refused is counted as well.",
    },
    Place {
        kind: Kind::SecurityHeaders,
        stage: Stage::Admit,
        reason: "Outside of all that may refuse, for pages that tell of errors need care as others do.",
    },
    Place {
        kind: Kind::Cors,
        stage: Stage::Admit,
        reason: "A preflight carries no credentials and is answered before anybody asks for them; and a page can read a \
                 refusal (413, 429 with Retry-After, 401) only if it has the fields of this policy. Its own answers \
                 cost less than a refusal, so they need no rate limit.",
    },
    Place {
        kind: Kind::Csrf,
        stage: Stage::Admit,
        reason: "Like `cors` it judges where a page may call from. It must see the cookies that came: those that say who it is \
                 are taken out of the request by whoever finds that out.",
    },
    Place {
        kind: Kind::Ip,
        stage: Stage::Protect,
        reason: "It needs nothing but an address, and whoever may not even come from there learns nothing else.",
    },
    Place {
        kind: Kind::Limits,
        stage: Stage::Protect,
        reason: "It needs nothing but a length: a cheap refusal, before anything reads or counts.",
    },
    Place {
        kind: Kind::RateLimit,
        stage: Stage::Protect,
        reason: "Before authentication, so that guessing keys is limited too and costs us no hash.",
    },
    Place {
        kind: Kind::Mtls,
        stage: Stage::Identify,
        reason: "First of those that find out who it is: the connection has proved it already.",
    },
    Place {
        kind: Kind::Jwt,
        stage: Stage::Identify,
        reason: "Before the ways that may have to ask somebody: a token is verified here, and mostly known already.",
    },
    Place {
        kind: Kind::Introspect,
        stage: Stage::Identify,
        reason: "After tokens that can be verified here, for it may have to ask their issuer.",
    },
    Place {
        kind: Kind::ApiKey,
        stage: Stage::Identify,
        reason: "Before all that acts for a consumer, and before anything could change the credential.",
    },
    Place {
        kind: Kind::Hmac,
        stage: Stage::Identify,
        reason: "After what needs no content: a signature is of the whole request.",
    },
    Place {
        kind: Kind::Basic,
        stage: Stage::Identify,
        reason: "After what is looked up: verifying a password is slow on purpose.",
    },
    Place {
        kind: Kind::Forward,
        stage: Stage::Identify,
        reason: "After all that look for a credential of their own: whom it asks about every request decides for all.",
    },
    Place {
        kind: Kind::Oidc,
        stage: Stage::Identify,
        reason: "After all that look for a credential: whoever opens a page without one is sent to the login.",
    },
    Place {
        kind: Kind::Anonymous,
        stage: Stage::Identify,
        reason: "After every way of finding out who it is: it lets in those who showed nothing to any of them.",
    },
    Place {
        kind: Kind::Authorize,
        stage: Stage::Judge,
        reason: "It needs to know who it is, and comes before all that would do or count anything for whoever may not.",
    },
    Place {
        kind: Kind::RateLimitBehind,
        stage: Stage::Judge,
        reason: "Those limits that ask who it is, behind what finds that out; what was not allowed is counted before only.",
    },
    Place {
        kind: Kind::Concurrency,
        stage: Stage::Judge,
        reason: "Behind all that refuses at once: a place is held for as long as the rest of the way takes.",
    },
    Place {
        kind: Kind::Quota,
        stage: Stage::Judge,
        reason: "After all that may refuse without a look at the content: who is refused there has used nothing.",
    },
    Place {
        kind: Kind::Payload,
        stage: Stage::Judge,
        reason: "First of those that read the content: the others see it plain, and of a size and shape that they can bear.",
    },
    Place {
        kind: Kind::OpenApi,
        stage: Stage::Judge,
        reason: "Behind all that refuses without reading the content, and before schemas that are said beside the API's own.",
    },
    Place {
        kind: Kind::GraphQl,
        stage: Stage::Judge,
        reason: "Behind what knows of all APIs, and for the same reason: it reads the content whole.",
    },
    Place {
        kind: Kind::Validate,
        stage: Stage::Judge,
        reason: "Behind all that refuses without reading the content, which this may have to read whole.",
    },
    Place {
        kind: Kind::Inspect,
        stage: Stage::Judge,
        reason: "Behind all that refuses for less work: looking for attacks takes more than the others together.",
    },
    Place {
        kind: Kind::Idempotency,
        stage: Stage::Judge,
        reason: "Last of those that judge: a key is claimed by requests that go on to the backend, and what is refused may be \
                 sent again.",
    },
    Place {
        kind: Kind::Compress,
        stage: Stage::Shape,
        reason: "Outside of all that changes a response, for what is compressed can't be read or changed any more.",
    },
    Place {
        kind: Kind::GrpcWeb,
        stage: Stage::Shape,
        reason: "What stands behind it sees plain gRPC; what stands before it sees the gRPC-Web that the client sent.",
    },
    Place {
        kind: Kind::Cookies,
        stage: Stage::Shape,
        reason: "Outside of what changes fields, so that cookies which that sets are hardened, too.",
    },
    Place {
        kind: Kind::Headers,
        stage: Stage::Shape,
        reason: "Behind all that judges: it may name the consumer, and what it removes has been judged before.",
    },
    Place {
        kind: Kind::Reveal,
        stage: Stage::Shape,
        reason: "Next to the backend: nothing sees of a response what may not leave, and no other policy's field is taken for the backend's.",
    },
    Place {
        kind: Kind::OpenApiResponses,
        stage: Stage::Shape,
        reason: "Next to the backend: what it promises is said of its own answers, before anything is taken out of them or compressed.",
    },
];

/// The place of one policy.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Which policy.
    pub kind: Kind,
    /// What it is there for.
    pub stage: Stage,
    /// Why it stands here.
    pub reason: &'static str,
}

/// What the policies of a stretch of the way are there for, in the order of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// They see how every request ended, and change nothing.
    Observe,
    /// They say what pages may do, and from where they may call.
    Admit,
    /// They keep load away.
    Protect,
    /// They find out who it is: any of those that a route has suffices, see [`crate::authenticate`].
    Identify,
    /// They say whether it may do what it asks for, as whoever it is.
    Judge,
    /// They change what goes to the backend and what comes back.
    Shape,
}

/// A policy by its name in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    AccessLog,
    Metrics,
    SecurityHeaders,
    Cors,
    Csrf,
    Ip,
    Limits,
    RateLimit,
    RateLimitBehind,
    Concurrency,
    Mtls,
    Jwt,
    ApiKey,
    Hmac,
    Basic,
    Introspect,
    Forward,
    Oidc,
    Anonymous,
    Authorize,
    Quota,
    Idempotency,
    Payload,
    OpenApi,
    OpenApiResponses,
    GraphQl,
    Validate,
    Inspect,
    Compress,
    GrpcWeb,
    Cookies,
    Headers,
    Reveal,
}

impl Kind {
    /// Its name: in the file, in the log, in metrics and of its source file.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::AccessLog => "access_log",
            Kind::Metrics => "metrics",
            Kind::SecurityHeaders => "security_headers",
            Kind::Cors => "cors",
            Kind::Csrf => "csrf",
            Kind::Ip => "ip",
            Kind::Limits => "limits",
            Kind::RateLimit | Kind::RateLimitBehind => "rate_limit",
            Kind::Concurrency => "concurrency",
            Kind::Mtls => "mtls",
            Kind::Jwt => "jwt",
            Kind::ApiKey => "api_key",
            Kind::Hmac => "hmac",
            Kind::Basic => "basic",
            Kind::Introspect => "introspect",
            Kind::Forward => "forward",
            Kind::Oidc => "oidc",
            Kind::Anonymous => "anonymous",
            Kind::Authorize => "authorize",
            Kind::Quota => "quota",
            Kind::Idempotency => "idempotency",
            Kind::Payload => "payload",
            Kind::GraphQl => "graphql",
            Kind::OpenApi | Kind::OpenApiResponses => "openapi",
            Kind::Validate => "validate",
            Kind::Inspect => "inspect",
            Kind::Compress => "compress",
            Kind::GrpcWeb => "grpc_web",
            Kind::Cookies => "cookies",
            Kind::Reveal => "reveal",
            Kind::Headers => "headers",
        }
    }

    /// Its place in [`ORDER`], to sort by.
    pub fn place(self) -> usize {
        ORDER
            .iter()
            .position(|place| place.kind == self)
            .expect("every policy has a line in the table")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use portcullis_config::policy::PolicySet;

    use super::*;

    #[test]
    fn every_policy_of_the_file_has_one_line() {
        let schema = serde_json::to_value(schemars::schema_for!(PolicySet)).unwrap();
        let of_the_file: BTreeSet<&str> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let of_the_table: BTreeSet<&str> = ORDER.iter().map(|place| place.kind.name()).collect();
        assert_eq!(of_the_table, of_the_file);
        // The limits of one word stand in two places.
        let lines = ORDER
            .iter()
            .filter(|place| !matches!(place.kind, Kind::RateLimitBehind | Kind::OpenApiResponses));
        assert_eq!(of_the_table.len(), lines.count(), "a policy has two lines");
    }

    #[test]
    fn every_policy_has_a_source_file_of_its_name() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for place in ORDER {
            let name = place.kind.name();
            assert!(source.join(format!("{name}.rs")).is_file(), "{name}");
        }
    }

    #[test]
    fn stages_follow_each_other() {
        assert!(ORDER.is_sorted_by_key(|place| place.stage));
        for (at, place) in ORDER.iter().enumerate() {
            assert_eq!(place.kind.place(), at);
        }
    }
}
