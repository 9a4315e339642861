//! `basic` lets in those who have a name and a password.
//!
//! ```yaml
//! basic:
//!   users:
//!     - {name: ann, hash: "$argon2id$v=19$m=19456,t=2,p=1$…", roles: [admin]}
//!   file: users.htpasswd
//! ```
//!
//! Passwords stand in the file as hashes that are slow on purpose (Argon2id, bcrypt). They are verified on threads for slow work,
//! few at a time, and one that was verified is known again for a while (`remember`) by a keyed hash: so neither an honest
//! client nor one who guesses holds up the requests of others. A name that nobody has costs the time that one of those costs
//! which somebody has, so that names can't be found out.

mod password;
mod remembered;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_config::policy::basic::Basic as Written;
use portcullis_core::{Consumer, Ctx, Error, Known, Request, codes};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::authenticate::{Authenticator, Verdict, Waiting};
use crate::consumer::consumer;
use crate::single_flight::SingleFlight;
use password::Password;
use remembered::Remembered;

/// The longest `Authorization` that is looked at.
const LONGEST: usize = 1024;

/// The largest file of users.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// How many passwords are verified at a time: half of the cores, one at the least.
fn at_a_time() -> usize {
    std::thread::available_parallelism()
        .map_or(1, |cores| cores.get() / 2)
        .max(1)
}

/// How many requests may wait for a password to be verified: with some 20 ms for each, the last one waits a second.
const WAITING: usize = 50;

/// Lets in those who have a name and a password.
pub struct Basic {
    users: Arc<Users>,
    remembered: Remembered,
    challenge: Box<str>,
    keep: bool,
    slow: Handle,
    verifying: Arc<Semaphore>,
    waiting: Semaphore,
    /// Many requests of one client come at once when it is not remembered any more: one of them is verified.
    flights: SingleFlight<Result<Arc<Consumer>, Refusal>>,
}

struct Users {
    by_name: HashMap<Box<str>, User>,
    /// Take the place of the passwords of those who aren't there: one of each kind that somebody has.
    nobodys: Box<[Password]>,
    /// Which of them is whose.
    choice: RandomState,
}

struct User {
    password: Password,
    consumer: Arc<Consumer>,
}

/// What a client showed.
#[derive(Clone)]
struct Credential {
    name: Box<str>,
    password: Box<[u8]>,
}

/// Why a request isn't let in.
#[derive(Clone, Copy)]
enum Refusal {
    Malformed,
    Wrong,
    /// Too many wait already.
    Busy,
}

impl Basic {
    /// Compiles what the file says; a file of users is relative to `base`.
    ///
    /// # Errors
    /// When nobody could enter, a hash can't be used, a file can't be read, or a name is there twice.
    pub fn new(config: &Written, base: &Path, slow: &Handle) -> Result<Basic, String> {
        let mut by_name = HashMap::new();
        for holder in &config.users {
            let consumer = consumer(&holder.name, "basic", &holder.scopes, &holder.roles)?;
            add(&mut by_name, consumer, &holder.hash)?;
        }
        if let Some(file) = &config.file {
            for (name, hash) in lines_of(&base.join(file))? {
                add(&mut by_name, consumer(&name, "basic", &[], &[])?, &hash)?;
            }
        }
        if by_name.is_empty() {
            return Err("nobody could enter: list `users`, or name a `file`".to_owned());
        }
        if config.realm.contains(['"', '\\']) || config.realm.chars().any(char::is_control) {
            return Err("the realm stands in quotes: write it without quotes and backslashes".to_owned());
        }
        Ok(Basic {
            users: Arc::new(Users::new(by_name)),
            remembered: Remembered::new(config.remember.0),
            challenge: format!("Basic realm=\"{}\", charset=\"UTF-8\"", config.realm).into(),
            keep: config.keep,
            slow: slow.clone(),
            verifying: Arc::new(Semaphore::new(at_a_time())),
            waiting: Semaphore::new(WAITING),
            flights: SingleFlight::new(),
        })
    }

    /// Verifies a password where it holds nobody up, once for all who show it meanwhile.
    async fn verify(&self, credential: Credential) -> Result<Arc<Consumer>, Refusal> {
        let mark = self.remembered.mark(&credential.name, &credential.password);
        self.flights.answer(&mark, self.verify_alone(credential)).await
    }

    async fn verify_alone(&self, credential: Credential) -> Result<Arc<Consumer>, Refusal> {
        // Somebody may have been verified while this one came here.
        if let Some(known) = self.remembered.find(&credential.name, &credential.password) {
            return Ok(known);
        }
        let _waits = self.waiting.try_acquire().map_err(|_| Refusal::Busy)?;
        let verifying = self.verifying.clone().acquire_owned().await;
        let permit = verifying.map_err(|_| Refusal::Busy)?;
        let (users, shown) = (self.users.clone(), credential.clone());
        // The permit goes along, for a client that goes away does not stop the work.
        let verified = self.slow.spawn_blocking(move || {
            let _permit = permit;
            users.verify(&shown)
        });
        let consumer = verified.await.map_err(|_| Refusal::Busy)?.ok_or(Refusal::Wrong)?;
        self.remembered.keep(&credential.name, &credential.password, &consumer);
        Ok(consumer)
    }

    #[cold]
    fn refused(&self, refusal: &Refusal) -> Verdict {
        let detail = match refusal {
            Refusal::Busy => {
                let error = Error::new(&codes::GUARD_UNAVAILABLE).with_header(Known::RetryAfter, "1");
                return Verdict::Refused(
                    error
                        .with_cause("too many passwords are being verified")
                        .by_policy("basic"),
                );
            }
            Refusal::Malformed => "Authorization must hold `Basic` and a name and password in Base64",
            Refusal::Wrong => "name or password is not right",
        };
        let error = Error::new(&codes::UNAUTHENTICATED).with_detail(detail);
        Verdict::Refused(
            error
                .with_header(Known::WwwAuthenticate, &*self.challenge)
                .by_policy("basic"),
        )
    }
}

impl Users {
    fn new(by_name: HashMap<Box<str>, User>) -> Users {
        let mut kinds: HashMap<&str, &Password> = HashMap::new();
        for user in by_name.values() {
            kinds.entry(user.password.cost()).or_insert(&user.password);
        }
        let nobodys = kinds.into_values().cloned().collect();
        Users {
            by_name,
            nobodys,
            choice: RandomState::new(),
        }
    }

    /// The password that is verified for a name that nobody has. It is the same one each time, for a name whose password takes now
    /// this long and now that would be known for nobody's.
    fn nobodys(&self, name: &str) -> Option<&Password> {
        let kinds = self.nobodys.len().max(1) as u64;
        let choice = usize::try_from(self.choice.hash_one(name) % kinds);
        self.nobodys.get(choice.unwrap_or(0))
    }

    fn verify(&self, credential: &Credential) -> Option<Arc<Consumer>> {
        match self.by_name.get(&credential.name) {
            Some(user) => user.password.is(&credential.password).then(|| user.consumer.clone()),
            None => {
                if let Some(password) = self.nobodys(&credential.name) {
                    password.is(&credential.password);
                }
                None
            }
        }
    }
}

fn add(by_name: &mut HashMap<Box<str>, User>, consumer: Consumer, hash: &str) -> Result<(), String> {
    let name = consumer.name.clone();
    if name.contains(':') {
        return Err(format!(
            "the name `{name}` holds a colon, which ends a name in the Basic scheme"
        ));
    }
    let password = Password::new(hash).map_err(|why| format!("the hash of `{name}` can't be used: {why}"))?;
    let consumer = Arc::new(consumer);
    match by_name.insert(name.clone(), User { password, consumer }) {
        Some(_) => Err(format!("`{name}` is there twice")),
        None => Ok(()),
    }
}

/// The names and hashes of a file.
fn lines_of(path: &Path) -> Result<Vec<(String, String)>, String> {
    let cannot = |why: &dyn std::fmt::Display| format!("can't read {}: {why}", path.display());
    let length = std::fs::metadata(path).map_err(|error| cannot(&error))?.len();
    if length > LARGEST_FILE {
        return Err(cannot(&format!("it has more than {LARGEST_FILE} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| cannot(&error))?;
    let mut users = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, hash)) = line.split_once(':') else {
            return Err(format!("line {} of {} is not `NAME:HASH`", index + 1, path.display()));
        };
        users.push((name.to_owned(), hash.to_owned()));
    }
    Ok(users)
}

impl Authenticator for Basic {
    fn name(&self) -> &'static str {
        "basic"
    }

    fn judge(&self, _: &mut Ctx, request: &mut Request) -> Verdict {
        let credential = match credential_of(request) {
            Ok(None) => return Verdict::Absent,
            Ok(Some(credential)) => credential,
            Err(refusal) => return self.refused(&refusal),
        };
        match self.remembered.find(&credential.name, &credential.password) {
            Some(consumer) => {
                if !self.keep {
                    request.headers.remove(Known::Authorization);
                }
                Verdict::Known(consumer)
            }
            None => Verdict::Later,
        }
    }

    fn judge_later<'a>(&'a self, _: &'a mut Ctx, request: &'a mut Request) -> Waiting<'a> {
        Box::pin(async move {
            let Ok(Some(credential)) = credential_of(request) else {
                return self.refused(&Refusal::Malformed);
            };
            match self.verify(credential).await {
                Ok(consumer) => {
                    if !self.keep {
                        request.headers.remove(Known::Authorization);
                    }
                    Verdict::Known(consumer)
                }
                Err(refusal) => self.refused(&refusal),
            }
        })
    }

    fn challenge(&self) -> Option<&str> {
        Some(&self.challenge)
    }
}

/// The name and password of a request, where it has them (RFC 7617 §2).
fn credential_of(request: &Request) -> Result<Option<Credential>, Refusal> {
    let mut fields = request.headers.get_all(Known::Authorization);
    let (Some(value), None) = (fields.next(), fields.next()) else {
        let basic = request
            .headers
            .get_all(Known::Authorization)
            .any(|value| coded(value).is_some());
        // Several fields: which one counts is what another program may see otherwise.
        return if basic { Err(Refusal::Malformed) } else { Ok(None) };
    };
    let Some(coded) = coded(value) else { return Ok(None) };
    if value.len() > LONGEST {
        return Err(Refusal::Malformed);
    }
    let plain = STANDARD.decode(coded.trim_ascii()).map_err(|_| Refusal::Malformed)?;
    let colon = memchr::memchr(b':', &plain).ok_or(Refusal::Malformed)?;
    let (name, password) = (&plain[..colon], &plain[colon + 1..]);
    if plain.iter().any(u8::is_ascii_control) {
        return Err(Refusal::Malformed);
    }
    let name = std::str::from_utf8(name).map_err(|_| Refusal::Malformed)?;
    Ok(Some(Credential {
        name: name.into(),
        password: password.into(),
    }))
}

/// What follows the scheme, if it is this one.
fn coded(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"Basic ".len())?;
    scheme.eq_ignore_ascii_case(b"Basic ").then_some(rest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
