//! Consumers in the durable store and their keys: who may enter by `api_key` with `store`, decided while the gate runs.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_config::units;
use portcullis_core::{Error, Method, Request, Response, Status, codes};
use portcullis_policies::api_key::made::MadeKey;
use portcullis_policies::api_key::stored::{self, Stored};
use portcullis_stores::durable::keys::{Added, Consumer, KEYS, Key};
use portcullis_stores::durable::{self, Millis};
use serde_json::{Value, json};

use super::parameters::Parameters;
use super::{Desk, only, problem, reads};
use crate::router::decoded;
use crate::telemetry::log;

/// Consumers that one answer lists, at the most.
const LISTED: u32 = 1000;
/// Scopes and roles that a consumer has, at the most.
const WORDS: usize = 100;

/// The answer, when the request is for one of these endpoints.
pub(super) async fn answer(desk: &Desk, request: &Request) -> Option<Response> {
    let path = request.target.path().to_owned();
    let below = path.strip_prefix("/consumers")?;
    if !below.is_empty() && !below.starts_with('/') {
        return None;
    }
    let segments: Vec<Box<str>> = below.split('/').skip(1).map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
    // The snapshot is let go before anything is waited for.
    let known = desk.state.snapshot.load().consumers.clone();
    let Some(consumers) = known else {
        let why = "no route lets in consumers of the store: say `store: true` in an `api_key` policy";
        return Some(problem(&Error::new(&codes::RESOURCE_NOT_FOUND).with_detail(why)));
    };
    let desk = Consumers {
        stored: consumers,
        parameters: Parameters::of(request.target.query()),
        now: SystemTime::now(),
    };
    let answer = match (segments.as_slice(), &request.method) {
        ([] | [""], _) if reads(request) => desk.all().await,
        ([] | [""], Method::Post) => desk.put().await,
        ([] | [""], _) => return Some(only("GET, HEAD, POST")),
        ([name], _) if reads(request) => desk.one(name).await,
        ([name], Method::Delete) => desk.remove(name).await,
        ([_], _) => return Some(only("GET, HEAD, DELETE")),
        ([name, "keys"], Method::Post) => desk.add_key(name).await,
        ([_, "keys"], _) => return Some(only("POST")),
        ([name, "keys", id], Method::Delete) => desk.revoke(name, id).await,
        ([_, "keys", _], _) => return Some(only("DELETE")),
        _ => return None,
    };
    Some(answer.unwrap_or_else(|error| problem(&error)))
}

/// What answers one request.
struct Consumers {
    stored: Arc<Stored>,
    parameters: Parameters,
    now: SystemTime,
}

impl Consumers {
    /// Consumers in the order of their names, behind `after`.
    async fn all(&self) -> Result<Response, Error> {
        let after = self.parameters.get("after").unwrap_or_default().to_owned();
        let limit = match self.parameters.get("limit") {
            Some(text) => text.parse().ok().filter(|limit| (1..=LISTED).contains(limit)),
            None => Some(LISTED),
        };
        let limit = limit.ok_or_else(|| refused(&format!("`limit` is a number from 1 to {LISTED}")))?;
        let listed = self
            .stored
            .keys()
            .consumers(after, limit)
            .await
            .map_err(|error| failed(&error))?;
        let full = listed.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let next = listed.last().filter(|_| full).map(|last| last.name.clone());
        let told: Vec<Value> = listed.iter().map(consumer).collect();
        Ok(document(Status::OK, &json!({"consumers": told, "next": next})))
    }

    async fn one(&self, name: &str) -> Result<Response, Error> {
        let found = self
            .stored
            .keys()
            .consumer(name.to_owned())
            .await
            .map_err(|error| failed(&error))?;
        let (known, keys) = found.ok_or_else(|| unknown(name))?;
        let mut told = consumer(&known);
        told["keys"] = keys.iter().map(key).collect();
        Ok(document(Status::OK, &told))
    }

    /// Adds a consumer, or changes what it may do.
    async fn put(&self) -> Result<Response, Error> {
        let name = self.parameters.need("name")?;
        let words = |parameter: &str| -> Vec<String> {
            let words = self.parameters.all(parameter);
            words.into_iter().map(str::to_owned).collect()
        };
        let (scopes, roles) = (words("scope"), words("role"));
        if scopes.len() + roles.len() > WORDS {
            return Err(refused(&format!("a consumer has at most {WORDS} scopes and roles")));
        }
        stored::check(name, &scopes, &roles).map_err(|why| refused(&why))?;
        let new = Consumer {
            name: name.to_owned(),
            scopes,
            roles,
            created: millis(self.now),
        };
        let said = format!("scopes [{}] and roles [{}]", new.scopes.join(" "), new.roles.join(" "));
        let added = self
            .stored
            .keys()
            .put_consumer(new)
            .await
            .map_err(|error| failed(&error))?;
        self.stored.forget();
        let done = if added { "added" } else { "changed" };
        log::info(format_args!("an operator has {done} the consumer {name} with {said}"));
        let mut response = self.one(name).await?;
        if added {
            response.status = Status::CREATED;
        }
        Ok(response)
    }

    async fn remove(&self, name: &str) -> Result<Response, Error> {
        let removed = self.stored.keys().remove_consumer(name.to_owned());
        if !removed.await.map_err(|error| failed(&error))? {
            return Err(unknown(name));
        }
        self.stored.forget();
        log::info(format_args!("an operator has removed the consumer {name} and its keys"));
        Ok(Response::new(Status::NO_CONTENT))
    }

    /// Makes a key and shows it: this once. With `overlap`, the consumer's others end after it.
    async fn add_key(&self, name: &str) -> Result<Response, Error> {
        let moment = |parameter: &str| -> Result<Option<Millis>, Error> {
            let moment = self.parameters.get(parameter).map(str::parse::<units::Moment>);
            let moment = moment.transpose().map_err(|why| refused(&why))?;
            Ok(moment.map(units::Moment::millis))
        };
        let after = |parameter: &str| -> Result<Option<Millis>, Error> {
            let span = self.parameters.get(parameter).map(str::parse::<units::Duration>);
            let span: Option<units::Duration> = span.transpose().map_err(|why| refused(&why))?;
            Ok(span.map(|span| millis(self.now + span.0)))
        };
        let (expires, lifetime, overlap) = (moment("expires")?, after("lifetime")?, after("overlap")?);
        if expires.is_some() && lifetime.is_some() {
            return Err(refused("`expires` and `lifetime` say the same: give one of them"));
        }
        let made = MadeKey::new().map_err(|why| Error::new(&codes::INTERNAL).with_detail(why))?;
        let new = Key {
            id: made.id(),
            not_before: moment("not_before")?,
            expires: expires.or(lifetime),
            revoked: None,
            created: millis(self.now),
        };
        let added = self.stored.keys();
        let added = added.add_key(name.to_owned(), made.sha256(), new.clone(), overlap);
        match added.await.map_err(|error| failed(&error))? {
            Added::Added => {}
            Added::NoConsumer => return Err(unknown(name)),
            Added::TooMany => {
                let why = format!("the consumer has {KEYS} keys already; those that ended count for thirty days");
                return Err(Error::new(&codes::CONFLICT).with_detail(why));
            }
        }
        self.stored.forget();
        let others = overlap.map_or_else(String::new, |end| format!("; its others end at {}", shown(end)));
        log::info(format_args!(
            "an operator has added the key {} to the consumer {name}{others}",
            new.id
        ));
        let mut told = key(&new);
        told["key"] = json!(made.expose());
        Ok(document(Status::CREATED, &told))
    }

    async fn revoke(&self, name: &str, id: &str) -> Result<Response, Error> {
        let revoked = self.stored.keys();
        let revoked = revoked.revoke(name.to_owned(), id.to_owned(), millis(self.now));
        if !revoked.await.map_err(|error| failed(&error))? {
            let why = format!("the consumer `{name}` has no key `{id}` that is not revoked");
            return Err(Error::new(&codes::RESOURCE_NOT_FOUND).with_detail(why));
        }
        self.stored.forget();
        log::info(format_args!(
            "an operator has revoked the key {id} of the consumer {name}"
        ));
        Ok(Response::new(Status::NO_CONTENT))
    }
}

fn consumer(consumer: &Consumer) -> Value {
    json!({
        "name": consumer.name,
        "scopes": consumer.scopes,
        "roles": consumer.roles,
        "created": shown(consumer.created),
    })
}

fn key(key: &Key) -> Value {
    json!({
        "id": key.id,
        "created": shown(key.created),
        "not_before": key.not_before.map(shown),
        "expires": key.expires.map(shown),
        "revoked": key.revoked.map(shown),
    })
}

fn shown(millis: Millis) -> String {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    units::Moment::from_seconds(since.as_secs()).to_string()
}

fn millis(time: SystemTime) -> Millis {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

fn unknown(name: &str) -> Error {
    Error::new(&codes::RESOURCE_NOT_FOUND).with_detail(format!("the store has no consumer `{name}`"))
}

fn refused(why: &str) -> Error {
    Error::new(&codes::BAD_QUERY).with_detail(why.to_owned())
}

/// Operators see why.
fn failed(error: &durable::Error) -> Error {
    Error::new(&codes::GUARD_UNAVAILABLE).with_detail(error.to_string())
}

fn document(status: Status, value: &Value) -> Response {
    Response::new(status).with_body("application/json", format!("{value:#}\n"))
}
