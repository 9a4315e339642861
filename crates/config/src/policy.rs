//! What each policy can be told, one file for each, by the policy's name.

pub mod access_log;
pub mod anonymous;
pub mod api_key;
pub mod authorize;
pub mod basic;
pub mod compress;
pub mod concurrency;
pub mod cookies;
pub mod cors;
pub mod csrf;
pub mod forward;
pub mod graphql;
pub mod grpc_web;
pub mod headers;
pub mod hmac;
pub mod idempotency;
pub mod inspect;
pub mod introspect;
pub mod ip;
pub mod jwt;
pub mod limits;
pub mod metrics;
pub mod mode;
pub mod mtls;
pub mod oidc;
pub mod on_failure;
pub mod openapi;
pub mod payload;
pub mod quota;
pub mod rate_limit;
pub mod reveal;
pub mod security_headers;
pub mod validate;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;

/// A set of policies. In which order they run is the program's to say, not the file's.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySet {
    /// Write a line for each request. Of several that apply to a route, the last one counts.
    pub access_log: Option<access_log::AccessLog>,
    /// Count requests. On by default. Of several that apply to a route, the last one counts.
    pub metrics: Option<metrics::Metrics>,
    /// Say from where clients may come.
    pub ip: Option<ip::Ip>,
    /// Limit how large a request may be.
    pub limits: Option<limits::Limits>,
    /// Limit how often clients may ask, by one limit or a list of them.
    #[schemars(length(min = 1, max = 8), transform = form::single)]
    pub rate_limit: Option<Vec<rate_limit::RateLimit>>,
    /// Limit how many requests may be in progress at a time.
    pub concurrency: Option<concurrency::Concurrency>,
    /// Let pages of other origins call (the Fetch standard's CORS protocol).
    pub cors: Option<cors::Cors>,
    /// Refuse what pages of other origins make browsers send.
    pub csrf: Option<csrf::Csrf>,
    /// Let in those who show nothing. Of several that apply to a route, the last one counts.
    pub anonymous: Option<anonymous::Anonymous>,
    /// Let in those whom a certificate names.
    pub mtls: Option<mtls::Mtls>,
    /// Let in those who have a signed token.
    pub jwt: Option<jwt::Jwt>,
    /// Let in those whose token its issuer calls active.
    pub introspect: Option<introspect::Introspect>,
    /// Let in people who have logged in at an OpenID provider, in a browser.
    pub oidc: Option<oidc::Oidc>,
    /// Ask another service who may enter.
    pub forward: Option<forward::Forward>,
    /// Let in those who sign their requests.
    pub hmac: Option<hmac::Hmac>,
    /// Let in those who have a name and a password.
    pub basic: Option<basic::Basic>,
    /// Let in those who have a key.
    pub api_key: Option<api_key::ApiKey>,
    /// Let pass what is allowed to do what it asks for.
    pub authorize: Option<authorize::Authorize>,
    /// Bound how much clients may use in an hour, a day or a month.
    pub quota: Option<quota::Quota>,
    /// Limit what the content of requests is made of. Of several that apply to a route, the last one counts.
    pub payload: Option<payload::Payload>,
    /// Hold requests and responses against the description of an API.
    pub openapi: Option<openapi::OpenApi>,
    /// Limit what GraphQL asks for. Of several that apply to a route, the last one counts.
    pub graphql: Option<graphql::GraphQl>,
    /// Hold requests against schemas.
    pub validate: Option<validate::Validate>,
    /// Look for attacks. Of several that apply to a route, the last one counts.
    pub inspect: Option<inspect::Inspect>,
    /// Let clients send requests again without their being done twice. Of several that apply to a route, the last one counts.
    pub idempotency: Option<idempotency::Idempotency>,
    /// Compress what goes to clients that can take it. Of several that apply to a route, the last one counts.
    pub compress: Option<compress::Compress>,
    /// Let pages call gRPC servers. Of several that apply to a route, the last one counts.
    pub grpc_web: Option<grpc_web::GrpcWeb>,
    /// Tell browsers to be careful. Of several that apply to a route, the last one counts.
    pub security_headers: Option<security_headers::SecurityHeaders>,
    /// Harden the cookies that backends set. Of several that apply to a route, the last one counts.
    pub cookies: Option<cookies::Cookies>,
    /// Limit what responses of the backend tell.
    pub reveal: Option<reveal::Reveal>,
    /// Set, add and remove header fields.
    pub headers: Option<headers::Headers>,
}

impl PolicySet {
    /// The services that policies of the set ask.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        let forward = self.forward.iter().map(|forward| forward.service.as_str());
        forward.chain(self.introspect.iter().map(|introspect| introspect.service.as_str()))
    }
}
