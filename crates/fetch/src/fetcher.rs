//! Who asks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::Headers;
use rustls::ClientConfig;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::TlsConnector;

use crate::roots::roots;
use crate::{Answer, Failure, Question, Url, exchange};

/// How many questions of one fetcher and its clones are under way at a time; others wait, within their time. Each holds a
/// thread of the runtime, which has some hundreds for all that blocks.
const AT_A_TIME: usize = 32;

/// What a question may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the question to the end of its answer, redirects included. 10 seconds.
    pub time: Duration,
    /// Bytes of an answer's content. 1 MiB.
    pub size: u64,
    /// How many redirects to the same origin are followed, and for GET only. None: a redirect is an answer.
    pub redirects: u8,
    /// Whether `http` may lead beyond this machine. It may not.
    pub clear_text: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            time: Duration::from_secs(10),
            size: 1024 * 1024,
            redirects: 0,
            clear_text: false,
        }
    }
}

/// Asks other servers. Clones share what is costly.
#[derive(Clone)]
pub struct Fetcher {
    shared: Arc<Shared>,
    limits: Limits,
}

struct Shared {
    runtime: Handle,
    tls: TlsConnector,
    places: Arc<Semaphore>,
}

impl Fetcher {
    /// One that works on `runtime`, and verifies servers by the authorities in the PEM file `roots`, or by the system's.
    /// It reads files, so it is not for event loops.
    ///
    /// # Errors
    /// Says in words why there is nothing to verify servers by.
    pub fn new(runtime: Handle, roots: Option<&Path>) -> Result<Fetcher, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(self::roots(roots)?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Fetcher {
            shared: Arc::new(Shared {
                runtime,
                tls: TlsConnector::from(Arc::new(config)),
                places: Arc::new(Semaphore::new(AT_A_TIME)),
            }),
            limits: Limits::default(),
        })
    }

    /// The same one under other limits.
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Fetcher {
        Fetcher {
            shared: Arc::clone(&self.shared),
            limits,
        }
    }

    /// The limits that questions have.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Asks for the document at the URL. An answer of any status is one: see [`Answer::is_success`].
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn get(&self, url: &str) -> Result<Answer, Failure> {
        self.ask(Question::get(Url::parse(url)?)).await
    }

    /// Sends a form to the URL, with more fields, such as `Authorization`.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn post_form(&self, url: &str, pairs: &[(&str, &str)], headers: Headers) -> Result<Answer, Failure> {
        self.ask(Question::form(Url::parse(url)?, pairs, headers)).await
    }

    /// Asks. It may be awaited on any runtime of tokio that has timers. When nobody awaits it any more, the question is
    /// broken off.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&self, question: Question) -> Result<Answer, Failure> {
        let time = self.limits.time;
        let asked = tokio::time::timeout(time, self.ask_aside(question)).await;
        asked.unwrap_or(Err(Failure::Late(time)))
    }

    /// Asks on a thread for work that blocks, for our HTTP stays on one thread, and names are looked up by a call that
    /// waits. When nobody waits for the answer any more, the thread ends, too.
    async fn ask_aside(&self, question: Question) -> Result<Answer, Failure> {
        let places = Arc::clone(&self.shared.places);
        let place = places.acquire_owned().await.map_err(|_| Failure::Ending)?;
        let (mut report, reported) = oneshot::channel();
        let (tls, limits) = (self.shared.tls.clone(), self.limits);
        self.shared.runtime.spawn_blocking(move || {
            let _place = place;
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(report.send(Err(Failure::Unreached(error.to_string())))),
            };
            let made = runtime.block_on(async {
                tokio::select! {
                    made = exchange::follow(question, &tls, &limits) => Some(made),
                    () = report.closed() => None,
                }
            });
            // Looking a name up can't be broken off, and must not hold the end of the process up.
            runtime.shutdown_background();
            if let Some(made) = made {
                let _ = report.send(made);
            }
        });
        reported.await.unwrap_or(Err(Failure::Ending))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::future::Future;
    use std::time::Instant;

    use tokio::runtime::Runtime;

    use super::*;
    use crate::server::Server;

    /// A fetcher on a runtime for slow work, for what may be awaited elsewhere.
    fn fetcher(limits: Limits) -> (Runtime, Fetcher) {
        let slow = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, Server::authority()).unwrap();
        let fetcher = Fetcher::new(slow.handle().clone(), Some(&file)).unwrap();
        (slow, fetcher.with_limits(limits))
    }

    /// Awaits on an event loop as workers have it.
    fn on_a_worker<T>(future: impl Future<Output = T>) -> T {
        Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .unwrap()
            .block_on(future)
    }

    fn get(limits: Limits, url: &str) -> Result<Answer, Failure> {
        let (_slow, fetcher) = fetcher(limits);
        on_a_worker(fetcher.get(url))
    }

    const SHORT: Limits = Limits {
        time: Duration::from_millis(300),
        size: 1000,
        redirects: 0,
        clear_text: false,
    };

    #[test]
    fn a_document_is_got_by_tls_and_in_clear_text() {
        for server in [Server::clear(), Server::tls()] {
            let server = server.answers(|head| {
                assert!(head.starts_with("GET /keys?a=b HTTP/1.1\r\n"), "{head}");
                assert!(head.contains("\r\nUser-Agent: portcullis/"), "{head}");
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".to_owned()
            });
            let answer = get(Limits::default(), &server.url("/keys?a=b")).unwrap();
            assert_eq!((answer.status, &*answer.body), (200, &b"{}"[..]));
            assert_eq!(answer.headers.get_str("content-type"), Some("application/json"));
        }
    }

    #[test]
    fn a_form_is_sent_and_its_answer_read_whatever_it_says() {
        let server = Server::clear().answers(|request| {
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("POST /token HTTP/1.1\r\n"), "{head}");
            assert!(head.contains("\r\nAuthorization: Basic eDp5\r\n"), "{head}");
            assert!(
                head.contains("\r\nContent-Type: application/x-www-form-urlencoded\r\n"),
                "{head}"
            );
            assert_eq!(body, "grant_type=code&code=a%20b");
            "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n0\r\n\r\n".to_owned()
        });
        let (_slow, fetcher) = fetcher(Limits::default());
        let mut headers = Headers::new();
        headers.append("Authorization", "Basic eDp5");
        let url = server.url("/token");
        let asked = fetcher.post_form(&url, &[("grant_type", "code"), ("code", "a b")], headers);
        let answer = on_a_worker(asked).unwrap();
        assert_eq!((answer.status, &*answer.body), (400, &b"no!"[..]));
        assert!(!answer.is_success());
    }

    #[test]
    fn the_future_can_move_between_threads() {
        let server = Server::clear().answers(|_| "HTTP/1.1 204 No Content\r\n\r\n".to_owned());
        let (slow, fetcher) = fetcher(Limits::default());
        let url = server.url("/");
        let asked = slow.spawn(async move { fetcher.get(&url).await.map(|answer| answer.status) });
        assert_eq!(slow.block_on(asked).unwrap(), Ok(204));
    }

    #[test]
    fn an_answer_has_its_size() {
        let announced =
            Server::clear().answers(|_| format!("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n{}", "a".repeat(1001)));
        assert_eq!(get(SHORT, &announced.url("/")).unwrap_err(), Failure::TooLarge(1000));
        let endless = Server::clear().answers(|_| format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat(1001)));
        assert_eq!(get(SHORT, &endless.url("/")).unwrap_err(), Failure::TooLarge(1000));
        let head = Server::clear().answers(|_| format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(40_000)));
        assert!(matches!(get(SHORT, &head.url("/")), Err(Failure::Invalid(_))));
    }

    #[test]
    fn an_answer_has_its_time() {
        for slow in [
            Server::clear().answers_nothing(),
            Server::tls().answers_nothing(),
            Server::clear().answers_and_stays(|_| "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na".to_owned()),
        ] {
            let began = Instant::now();
            assert_eq!(get(SHORT, &slow.url("/")).unwrap_err(), Failure::Late(SHORT.time));
            assert!(began.elapsed() < Duration::from_secs(5));
        }
    }

    #[test]
    fn those_who_wait_for_a_place_have_the_same_time() {
        let server = Server::clear().answers_nothing();
        let (_slow, fetcher) = fetcher(SHORT);
        let url = server.url("/");
        let began = Instant::now();
        on_a_worker(async {
            let mut asked = tokio::task::JoinSet::new();
            for _ in 0..2 * AT_A_TIME {
                let (fetcher, url) = (fetcher.clone(), url.clone());
                asked.spawn(async move { fetcher.get(&url).await });
            }
            while let Some(answer) = asked.join_next().await {
                assert_eq!(answer.unwrap().unwrap_err(), Failure::Late(SHORT.time));
            }
        });
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn what_is_no_http_is_no_answer() {
        for answer in [
            "",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        ] {
            let server = Server::clear().answers(move |_| answer.to_owned());
            let failure = get(Limits::default(), &server.url("/")).unwrap_err();
            assert!(
                matches!(failure, Failure::Invalid(_) | Failure::Unreached(_)),
                "{failure}"
            );
        }
        let cut = Server::clear().answers(|_| "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na".to_owned());
        let failure = get(Limits::default(), &cut.url("/")).unwrap_err();
        assert!(matches!(failure, Failure::Unreached(_)), "{failure}");
    }

    #[test]
    fn a_server_that_nobody_vouches_for_is_not_asked() {
        let server = Server::tls_of_another_authority().answers(|_| panic!("it is asked"));
        let failure = get(Limits::default(), &server.url("/")).unwrap_err();
        assert!(failure.to_string().contains("can't speak TLS"), "{failure}");
        let server = Server::tls().answers(|_| panic!("it is asked"));
        let other_name = server.url("/").replace("localhost", "127.0.0.1");
        let failure = get(Limits::default(), &other_name).unwrap_err();
        assert!(failure.to_string().contains("can't speak TLS"), "{failure}");
    }

    #[test]
    fn redirects_are_answers_unless_they_stay_and_are_wanted() {
        let following = Limits {
            redirects: 2,
            ..Limits::default()
        };
        let server = Server::clear().answers(|head| match head.split(' ').nth(1) {
            Some("/one") => "HTTP/1.1 302 Found\r\nLocation: /two\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Some("/round") => "HTTP/1.1 302 Found\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Some("/away") => {
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:1/\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo".to_owned(),
        });
        assert_eq!(get(Limits::default(), &server.url("/one")).unwrap().status, 302);
        assert_eq!(&*get(following, &server.url("/one")).unwrap().body, b"two");
        let round = get(following, &server.url("/round")).unwrap_err();
        assert!(round.to_string().contains("redirects"), "{round}");
        let away = get(following, &server.url("/away")).unwrap_err();
        assert!(matches!(away, Failure::Url(_)), "{away}");
    }

    #[test]
    fn clear_text_stays_on_this_machine() {
        // RFC 5737: an address of nobody. Were it asked, it would be late instead.
        let failure = get(SHORT, "http://192.0.2.1/").unwrap_err();
        assert!(matches!(failure, Failure::Url(_)), "{failure}");
        let allowed = Limits {
            clear_text: true,
            ..SHORT
        };
        let failure = get(allowed, "http://192.0.2.1/").unwrap_err();
        assert!(!matches!(failure, Failure::Url(_)), "{failure}");
    }

    #[test]
    fn nobody_there_is_said() {
        let failure = get(Limits::default(), "http://127.0.0.1:1/").unwrap_err();
        assert!(failure.to_string().contains("can't connect to port 1"), "{failure}");
    }
}
