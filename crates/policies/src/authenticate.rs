//! Who it is: all ways of authentication that a route has, as one policy.
//!
//! Any of them suffices. Each is asked in turn, and the first that finds a credential of its kind decides, for good or ill:
//! what is forged or has expired is not saved by another way, nor by `anonymous`. A request without any is refused with 401
//! and the challenges of all.
//!
//! Who it is goes to the backend as `X-Consumer`, `X-Consumer-Scopes` and `X-Consumer-Roles` (words with spaces between).
//! What clients send under those names never gets this far.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use portcullis_core::{Consumer, Ctx, Error, Known, Next, Policy, Reply, Request, Response, codes};

use crate::field_name::FieldName;

/// One way of finding out who it is.
pub trait Authenticator: Send + Sync {
    /// Its name in the file.
    fn name(&self) -> &'static str;

    /// Looks for a credential of its kind. One that is found is taken out of the request, unless it is to be kept.
    fn judge(&self, cx: &mut Ctx, request: &mut Request) -> Verdict;

    /// Goes on where [`Authenticator::judge`] said [`Verdict::Later`].
    fn judge_later<'a>(&'a self, _cx: &'a mut Ctx, _request: &'a mut Request) -> Waiting<'a> {
        Box::pin(ready(Verdict::Later))
    }

    /// The value of `WWW-Authenticate` for a client that has no credential (RFC 9110 §11.6.1).
    fn challenge(&self) -> Option<&str> {
        None
    }

    /// Names of request fields in which this alone tells the backend something. What clients send there is removed.
    fn own_fields(&self) -> &[FieldName] {
        &[]
    }

    /// Names of request fields that clients may send for this one to judge, and in which it then tells the backend something
    /// itself. Where another way decides, what clients send there is removed.
    fn judged_fields(&self) -> &[FieldName] {
        &[]
    }
}

/// A verdict that somebody else has to be asked for.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Verdict> + 'a>>;

/// What one way of authentication says of a request.
pub enum Verdict {
    /// It carries nothing of this kind: ask the next.
    Absent,
    /// It comes from this one.
    Known(Arc<Consumer>),
    /// It may pass, and nobody says who it is.
    Admitted,
    /// It carries something of this kind that is not good, or it could not be found out.
    Refused(Error),
    /// The client has to go somewhere else first.
    Answer(Response),
    /// It takes time: [`Authenticator::judge_later`] knows.
    Later,
}

/// Lets in whom one of the ways of authentication knows.
pub struct Authenticate {
    ways: Box<[Arc<dyn Authenticator>]>,
    /// In which only they tell the backend something.
    own_fields: Box<[FieldName]>,
}

/// What became of a request after all that could be asked at once.
enum Asked {
    Passed,
    Ended(Reply<'static>),
    /// This one wants to wait.
    Waits(usize),
}

impl Authenticate {
    /// All ways that a route has, in the order in which they are asked.
    pub fn new(ways: impl IntoIterator<Item = Arc<dyn Authenticator>>) -> Authenticate {
        let ways: Box<[Arc<dyn Authenticator>]> = ways.into_iter().collect();
        let own_fields = ways.iter().flat_map(|way| way.own_fields()).cloned().collect();
        Authenticate { ways, own_fields }
    }

    /// Asks from that one on, until one decides or wants to wait.
    fn ask(&self, from: usize, cx: &mut Ctx, request: &mut Request) -> Asked {
        for (index, way) in self.ways.iter().enumerate().skip(from) {
            match way.judge(cx, request) {
                Verdict::Later => return Asked::Waits(index),
                verdict => {
                    if let Some(asked) = self.settle(index, cx, request, verdict) {
                        return asked;
                    }
                }
            }
        }
        Asked::Ended(self.refusal().into())
    }

    #[cold]
    fn refusal(&self) -> Error {
        let mut error = Error::new(&codes::UNAUTHENTICATED).by_policy(self.ways.first().map_or("", |way| way.name()));
        for challenge in self.ways.iter().filter_map(|way| way.challenge()) {
            error = error.with_header(Known::WwwAuthenticate, challenge);
        }
        error
    }

    /// What the verdict of one makes of the request; `None` where the next one is asked.
    fn settle(&self, decided: usize, cx: &mut Ctx, request: &mut Request, verdict: Verdict) -> Option<Asked> {
        Some(match verdict {
            Verdict::Absent => return None,
            Verdict::Known(consumer) => {
                self.remove_unjudged(decided, request);
                tell_backend(&consumer, request);
                cx.consumer = Some(consumer);
                Asked::Passed
            }
            Verdict::Admitted => {
                self.remove_unjudged(decided, request);
                Asked::Passed
            }
            Verdict::Refused(error) => Asked::Ended(error.into()),
            Verdict::Answer(response) => Asked::Ended(response.into()),
            // Whoever has been waited for must know.
            Verdict::Later => Asked::Ended(Error::new(&codes::GUARD_UNAVAILABLE).into()),
        })
    }

    /// Takes out what nobody has judged who would tell the backend something there, as another one decided.
    fn remove_unjudged(&self, decided: usize, request: &mut Request) {
        for (_, way) in self.ways.iter().enumerate().filter(|(index, _)| *index != decided) {
            for field in way.judged_fields() {
                request.headers.retain(|_, name, _| !is_taken_for(name, field.as_str()));
            }
        }
    }

    /// Goes on with the one that wants to wait, and those after it.
    async fn go_on(&self, mut waits: usize, cx: &mut Ctx, request: &mut Request) -> Asked {
        loop {
            let verdict = self.ways[waits].judge_later(cx, request).await;
            if let Some(asked) = self.settle(waits, cx, request, verdict) {
                return asked;
            }
            match self.ask(waits + 1, cx, request) {
                Asked::Waits(next) => waits = next,
                asked => return asked,
            }
        }
    }
}

fn tell_backend(consumer: &Consumer, request: &mut Request) {
    request.headers.set(Known::XConsumer, consumer.name.as_bytes());
    if !consumer.scopes.is_empty() {
        request.headers.set(Known::XConsumerScopes, consumer.scopes.join(" "));
    }
    if !consumer.roles.is_empty() {
        request.headers.set(Known::XConsumerRoles, consumer.roles.join(" "));
    }
}

/// Whether a backend may take a field for the other: many make the same variable of a hyphen and an underscore (RFC 3875
/// §4.1.18).
fn is_taken_for(name: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == other.len() && name.bytes().map(plain).eq(other.bytes().map(plain))
}

impl Policy for Authenticate {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request, next: Next<'a>) -> Reply<'a> {
        for name in [Known::XConsumer, Known::XConsumerScopes, Known::XConsumerRoles] {
            request.headers.remove(name);
        }
        if !self.own_fields.is_empty() {
            let is_ours = |name: &str| self.own_fields.iter().any(|own| is_taken_for(name, own.as_str()));
            request.headers.retain(|_, name, _| !is_ours(name));
        }
        match self.ask(0, cx, &mut request) {
            Asked::Passed => next.run(cx, request),
            Asked::Ended(reply) => reply,
            Asked::Waits(waits) => Reply::later(async move {
                match self.go_on(waits, cx, &mut request).await {
                    Asked::Passed => next.run(cx, request).await,
                    Asked::Ended(reply) => reply.await,
                    Asked::Waits(_) => Err(Error::new(&codes::GUARD_UNAVAILABLE)),
                }
            }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::trial::{request, send};

    /// Knows whoever says its word, refuses those who say `bad`, and waits before it says so if it is slow.
    struct Word {
        word: &'static str,
        slow: bool,
        fields: Vec<FieldName>,
        judged: Vec<FieldName>,
    }

    impl Word {
        fn verdict(&self, request: &mut Request) -> Verdict {
            match request.headers.get_str("x-word") {
                Some(word) if word == self.word => {
                    let mut consumer = Consumer::new(self.word, "word");
                    consumer.scopes = ["read".into(), "write".into()].into();
                    consumer.roles = ["admin".into()].into();
                    Verdict::Known(Arc::new(consumer))
                }
                Some(word) if word == format!("bad-{}", self.word) => {
                    Verdict::Refused(Error::new(&codes::UNAUTHENTICATED).by_policy("word"))
                }
                _ => Verdict::Absent,
            }
        }
    }

    impl Authenticator for Word {
        fn name(&self) -> &'static str {
            "word"
        }

        fn judge(&self, _: &mut Ctx, request: &mut Request) -> Verdict {
            if self.slow {
                return Verdict::Later;
            }
            self.verdict(request)
        }

        fn judge_later<'a>(&'a self, _: &'a mut Ctx, request: &'a mut Request) -> Waiting<'a> {
            Box::pin(async move { self.verdict(request) })
        }

        fn challenge(&self) -> Option<&str> {
            Some(self.word)
        }

        fn own_fields(&self) -> &[FieldName] {
            &self.fields
        }

        fn judged_fields(&self) -> &[FieldName] {
            &self.judged
        }
    }

    fn policy(words: &[(&'static str, bool)]) -> Arc<dyn Policy> {
        let way = |(word, slow): &(&'static str, bool)| -> Arc<dyn Authenticator> {
            let fields = vec![FieldName::new("X-Claim").unwrap()];
            Arc::new(Word {
                word,
                slow: *slow,
                fields,
                judged: vec![FieldName::new(&format!("X-Judged-{word}")).unwrap()],
            })
        };
        Arc::new(Authenticate::new(words.iter().map(way)))
    }

    #[test]
    fn any_of_them_suffices_and_the_first_that_finds_something_decides() {
        for slow in [[false, false], [false, true], [true, false], [true, true]] {
            let policy = policy(&[("a", slow[0]), ("b", slow[1])]);
            for (word, known) in [("a", Some("a")), ("b", Some("b")), ("bad-a", None), ("bad-b", None)] {
                let trial = send(&policy, request("GET", "/", &[("x-word", word)]), &[]);
                let consumer = trial.cx.consumer.as_ref().map(|consumer| &*consumer.name);
                assert_eq!(consumer, known, "{word} {slow:?}");
                assert_eq!(trial.status().code(), if known.is_some() { 200 } else { 401 });
                assert_eq!(trial.seen.is_some(), known.is_some());
            }
        }
    }

    #[test]
    fn without_a_credential_all_challenges_are_told() {
        let policy = policy(&[("a", false), ("b", true)]);
        let trial = send(&policy, request("GET", "/", &[]), &[]);
        assert_eq!(trial.status().code(), 401);
        let answer = trial.answer();
        assert_eq!(answer.get_all(Known::WwwAuthenticate).collect::<Vec<_>>(), [b"a", b"b"]);
    }

    #[test]
    fn the_backend_is_told_by_us_alone() {
        let fields = [
            ("x-word", "a"),
            ("x-consumer", "root"),
            ("X-Consumer-Scopes", "all"),
            ("x-consumer-roles", "root"),
            ("x-claim", "root"),
            ("X_Claim", "root"),
        ];
        let seen = send(&policy(&[("a", false)]), request("GET", "/", &fields), &[])
            .seen
            .unwrap();
        assert_eq!(seen.headers.get_all("x-consumer").collect::<Vec<_>>(), [b"a"]);
        assert_eq!(seen.headers.get_str("x-consumer-scopes"), Some("read write"));
        assert_eq!(seen.headers.get_str("x-consumer-roles"), Some("admin"));
        assert_eq!(seen.headers.get_str("x-claim"), None);
        assert_eq!(seen.headers.get_str("x_claim"), None);
    }

    #[test]
    fn what_one_would_have_judged_does_not_pass_by_another() {
        for slow in [false, true] {
            let policy = policy(&[("a", slow), ("b", slow)]);
            let fields = [
                ("x-word", "a"),
                ("x-judged-a", "1"),
                ("x-judged-b", "2"),
                ("x_judged_b", "3"),
            ];
            let seen = send(&policy, request("GET", "/", &fields), &[]).seen.unwrap();
            assert_eq!(seen.headers.get_str("x-judged-a"), Some("1"));
            assert!(!seen.headers.contains("x-judged-b") && !seen.headers.contains("x_judged_b"));
        }
    }
}
