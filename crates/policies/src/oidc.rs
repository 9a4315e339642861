//! `oidc` lets in people who have logged in at an OpenID provider, in a browser.
//!
//! ```yaml
//! oidc:
//!   issuer: https://id.example
//!   client_id: gate
//!   client_secret: "${OIDC_SECRET}"
//!   secret: "${SESSION_SECRET}"
//! ```
//!
//! A page that is opened without a session sends the browser to the provider (authorization code with PKCE; RFC 6749, 7636,
//! 9700; OpenID Connect Core 1.0), and back to `callback`; what isn't the opening of a page is refused with 401, for a script
//! could not follow. What is remembered of a login under way, and the session after it, is in encrypted cookies of the
//! browser: any gate with the same `secret` reads them, and no reload or restart ends a session.
//!
//! A cookie can't be taken back. So what a session may do without its provider is limited in time, sessions whose provider gives
//! tokens to renew are confirmed by it again and again, and each gate remembers who logged out on it.

pub(crate) mod cookies;
mod ended;
mod login;
mod provider;
mod renewal;
mod seal;
mod session;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use portcullis_config::policy::oidc::Oidc as Written;
use portcullis_core::{Ctx, Error, Headers, Known as KnownField, Method, Request, Response, Status, Target, codes};
use portcullis_fetch::Fetcher;
use tokio::runtime::Handle;

pub use self::ended::Ended;

use self::cookies::Found;
use self::login::{Login, parameter, with_parameters};
use self::provider::{Failure, Provider};
use self::renewal::{Renewal, Renewals};
use self::seal::Seal;
use self::session::{Known, Lifetimes, Session};
use crate::authenticate::{Authenticator, Verdict, Waiting};
use crate::claimed::Claimed;
use crate::recent::{Recent, mark};

/// Sessions that were decrypted a short while ago.
const SESSIONS: usize = 20_000;
const SESSIONS_FOR: Duration = Duration::from_secs(60);

/// The longest name of a cookie: browsers count it with what the cookie holds.
const LONGEST_NAME: usize = 64;

/// Logins that a browser may have under way, in as many windows. With more, all of the older ones are forgotten: their cookies
/// would make requests too large.
const LOGINS: usize = 4;

/// Lets in people who have logged in.
pub struct Oidc {
    provider: Arc<Provider>,
    scope: Box<str>,
    parameters: Box<[(Box<str>, Box<str>)]>,
    callback: Box<str>,
    logout: Box<str>,
    after_logout: Box<str>,
    origin: Option<Box<str>>,
    cookie: Box<str>,
    login_cookie: Box<str>,
    challenge: Box<str>,
    lifetimes: Lifetimes,
    claimed: Arc<Claimed>,
    sessions: Seal,
    logins: Seal,
    known: Recent<Arc<Known>>,
    ended: Arc<Ended>,
    renewals: Arc<Renewals>,
}

/// What a request has of a session.
enum Shown {
    Nothing,
    /// A cookie that is no session, or not one any more.
    Bad,
    Session(Arc<Known>),
}

impl Oidc {
    /// Compiles what the file says. `fetcher` is how the provider is asked, which it is not yet; `runtime` is for what must not be
    /// broken off, and `ended` knows what has ended so far.
    ///
    /// # Errors
    /// When a setting can't be used.
    pub fn new(config: &Written, fetcher: Fetcher, runtime: &Handle, ended: &Arc<Ended>) -> Result<Oidc, String> {
        let secrets = || config.secret.iter().map(portcullis_config::secret::Secret::expose);
        let seal = |purpose: &str| {
            let context = [purpose, config.issuer.as_str(), config.client_id.as_str()];
            Seal::new(secrets(), &context.map(str::as_bytes))
        };
        if config.callback == config.logout {
            return Err("`callback` and `logout` are the same path".to_owned());
        }
        if config.cookie.len() > LONGEST_NAME {
            return Err(format!(
                "the name of a cookie has at most {LONGEST_NAME} characters here"
            ));
        }
        let path = |path: &str| match Target::parse(path.as_bytes()) {
            Ok(target) if target.query().is_none() => Ok(Box::from(target.path())),
            _ => Err(format!("`{path}` is no path")),
        };
        let client_secret = config
            .client_secret
            .as_ref()
            .map(portcullis_config::secret::Secret::expose);
        let mut scope = "openid".to_owned();
        for word in config.scopes.iter().filter(|word| *word != "openid") {
            scope.push(' ');
            scope.push_str(word);
        }
        let parameters = config.parameters.iter();
        let provider = Provider::new(fetcher, &config.issuer, &config.client_id, client_secret)?;
        let (provider, claimed) = (Arc::new(provider), Arc::new(claimed(config)));
        Ok(Oidc {
            renewals: Renewals::new(provider.clone(), claimed.clone(), runtime.clone()),
            provider,
            scope: scope.into(),
            parameters: parameters
                .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                .collect(),
            callback: path(&config.callback)?,
            logout: path(&config.logout)?,
            after_logout: path(&config.after_logout)?,
            origin: config.origin.as_deref().map(Box::from),
            cookie: format!("__Host-{}", config.cookie).into(),
            login_cookie: format!("__Host-{}-login-", config.cookie).into(),
            challenge: format!("Cookie realm=\"portcullis\", cookie-name=\"__Host-{}\"", config.cookie).into(),
            lifetimes: Lifetimes {
                whole: config.lifetime.0,
                idle: config.idle.0,
            },
            claimed,
            sessions: seal("session")?,
            logins: seal("login")?,
            known: Recent::new(SESSIONS),
            ended: ended.clone(),
        })
    }

    /// The session that a request shows.
    fn shown(&self, headers: &Headers, now: u64) -> Shown {
        let text = match cookies::text(headers, &self.cookie) {
            Found::Nothing => return Shown::Nothing,
            Found::Broken => return Shown::Bad,
            Found::Text(text) => text,
        };
        let (mark, moment) = (mark([text.as_bytes()]), Instant::now());
        let known = self.renewals.find(&mark).or_else(|| self.known.find(&mark, moment));
        let known = known.or_else(|| {
            let plain = self.sessions.open(&self.cookie, &text)?;
            let session: Session = serde_json::from_slice(&plain).ok()?;
            let known = Arc::new(session.known(&self.claimed).ok()?);
            self.known.keep(mark, moment + SESSIONS_FOR, known.clone());
            Some(known)
        });
        match known {
            Some(known)
                if known.session.holds(self.lifetimes, now) && !self.ended.is_session_ended(&known.session.id) =>
            {
                Shown::Session(known)
            }
            _ => Shown::Bad,
        }
    }

    /// Lets the session in, and tells the browser of a change to it.
    fn let_in(&self, known: &Arc<Known>, cx: &mut Ctx, request: &mut Request, now: u64) -> Verdict {
        let text = cookies::text(&request.headers, &self.cookie);
        let is_of_cookie = matches!(&text, Found::Text(text) if self.known.find(&mark([text.as_bytes()]), Instant::now())
            .is_some_and(|of_cookie| Arc::ptr_eq(&of_cookie, known)));
        if !is_of_cookie || known.session.is_to_be_noted(self.lifetimes, now) {
            // What is too long for cookies was so before, and stays as it is.
            if let Some(lines) = self.lines(&request.headers, &known.session.used(now), now) {
                cx.cookies.extend(lines);
            }
        }
        cookies::take_out(&mut request.headers, |name| self.is_ours(name));
        Verdict::Known(known.consumer.clone())
    }

    fn is_ours(&self, name: &str) -> bool {
        cookies::is_part(name, &self.cookie) || name.starts_with(&*self.login_cookie)
    }

    /// The cookies of a session; `None` where it is too long for them.
    fn lines(&self, headers: &Headers, session: &Session, now: u64) -> Option<Vec<String>> {
        let plain = serde_json::to_vec(session).ok()?;
        let text = self.sessions.seal(&self.cookie, &plain);
        cookies::set(headers, &self.cookie, &text, session.left(self.lifetimes, now))
    }

    /// What becomes of a request without a session that holds.
    fn without(&self, shown: &Shown, cx: &mut Ctx, request: &Request) -> Verdict {
        if is_navigation(request) {
            return Verdict::Later;
        }
        match shown {
            Shown::Bad => {
                cx.cookies.extend(cookies::removals(&request.headers, &self.cookie));
                Verdict::Refused(self.refusal("the session is over"))
            }
            _ => Verdict::Absent,
        }
    }

    #[cold]
    fn refusal(&self, detail: &'static str) -> Error {
        Error::new(&codes::UNAUTHENTICATED)
            .with_detail(detail)
            .with_header(KnownField::WwwAuthenticate, &*self.challenge)
            .by_policy("oidc")
    }

    async fn answer(&self, cx: &mut Ctx, request: &mut Request) -> Verdict {
        let now = seconds_since_1970();
        let path = request.target.path();
        if path == &*self.callback {
            return self.end_login(cx, request, now).await;
        }
        if path == &*self.logout {
            return self.log_out(cx, request, now).await;
        }
        let shown = self.shown(&request.headers, now);
        if let Shown::Session(known) = &shown {
            if !known.session.is_to_be_renewed(now) {
                return self.let_in(known, cx, request, now);
            }
            let Found::Text(text) = cookies::text(&request.headers, &self.cookie) else {
                return Verdict::Refused(self.refusal("the session is over"));
            };
            match self.renewals.renew(mark([text.as_bytes()]), known, now).await {
                Renewal::Holds(renewed) => return self.let_in(&renewed, cx, request, now),
                Renewal::Away(cause) => return Verdict::Refused(unavailable(&cause)),
                Renewal::Over => {}
            }
        }
        let shown = match shown {
            Shown::Nothing => Shown::Nothing,
            _ => Shown::Bad,
        };
        match self.without(&shown, cx, request) {
            Verdict::Later => self.begin_login(cx, request, now).await,
            verdict => verdict,
        }
    }

    /// Sends the browser to the provider.
    async fn begin_login(&self, cx: &mut Ctx, request: &Request, now: u64) -> Verdict {
        let published = match self.provider.published().await {
            Ok(published) => published,
            Err(failure) => return failed(failure, || self.refusal("the login failed")),
        };
        let redirect_uri = format!("{}{}", self.origin_of(cx, request), self.callback);
        let login = Login::begin(&request.target, redirect_uri, now);
        let name = self.login_name(&login.state);
        let plain = serde_json::to_vec(&login).unwrap_or_default();
        let under_way: Vec<&str> = cookies::all(&request.headers)
            .map(|(name, _)| name)
            .filter(|name| name.starts_with(&*self.login_cookie))
            .collect();
        if under_way.len() >= LOGINS {
            cx.cookies.extend(under_way.into_iter().map(cookies::removal));
        }
        cx.cookies
            .push(cookies::line(&name, &self.logins.seal(&name, &plain), login::LASTS));
        let challenge = login.challenge();
        let parameters = self.parameters.iter().map(|(name, value)| (&**name, &**value));
        let url = with_parameters(
            &published.authorization,
            parameters.chain([
                ("response_type", "code"),
                ("client_id", self.provider.client_id()),
                ("redirect_uri", &login.redirect_uri),
                ("scope", &self.scope),
                ("state", &login.state),
                ("nonce", &login.nonce),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ]),
        );
        Verdict::Answer(redirect(Status::FOUND, &url))
    }

    /// Scheme, host and port as the browser knows them.
    fn origin_of(&self, cx: &Ctx, request: &Request) -> String {
        match &self.origin {
            Some(origin) => origin.to_string(),
            None => {
                let host = request.headers.get_str(KnownField::Host).unwrap_or_default();
                format!("{}://{host}", cx.scheme.as_str())
            }
        }
    }

    /// The cookie of the login with that state. A browser may have several under way.
    fn login_name(&self, state: &str) -> String {
        format!("{}{}", self.login_cookie, &state[..8])
    }

    /// The browser comes back from the provider.
    async fn end_login(&self, cx: &mut Ctx, request: &Request, now: u64) -> Verdict {
        let query = request.target.query().unwrap_or_default();
        let state = parameter(query, "state").filter(|state| is_state(state));
        let login = state
            .as_deref()
            .and_then(|state| self.login_of(state, &request.headers, now));
        let Some(login) = login else {
            return Verdict::Refused(
                self.refusal("this login was not begun in this browser, or took too long: begin anew"),
            );
        };
        cx.cookies.push(cookies::removal(&self.login_name(&login.state)));
        if !self.ended.ends_login(&login.state, Duration::from_secs(login::LASTS)) {
            return Verdict::Refused(self.refusal("this login has ended already: begin anew"));
        }
        let session = match self.session_of(query, &login, now).await {
            Ok(session) => session,
            Err(failure) => return failed(failure, || self.refusal("the login failed: begin anew")),
        };
        match self.lines(&request.headers, &session, now) {
            Some(lines) => cx.cookies.extend(lines),
            None => {
                let cause = "what the provider says of this person is too long for cookies: ask for fewer scopes";
                return Verdict::Refused(unavailable(cause));
            }
        }
        Verdict::Answer(redirect(Status::SEE_OTHER, login.back()))
    }

    /// The login that this browser has begun with that state.
    fn login_of(&self, state: &str, headers: &Headers, now: u64) -> Option<Login> {
        let name = self.login_name(state);
        let plain = self.logins.open(&name, cookies::find(headers, &name)?)?;
        let login: Login = serde_json::from_slice(&plain).ok()?;
        (login.state == state && login.holds(now)).then_some(login)
    }

    /// The session that begins with the provider's answer.
    async fn session_of(&self, query: &str, login: &Login, now: u64) -> Result<Session, Failure> {
        let refused = |why: &str| Err(Failure::Refused(why.into()));
        if let Some(error) = parameter(query, "error") {
            return refused(&format!("the provider says `{error}`"));
        }
        let published = self.provider.published().await?;
        // RFC 9207: an answer of another provider than the one that was asked.
        match parameter(query, "iss") {
            Some(issuer) if issuer != self.provider.issuer() => return refused("another provider has answered"),
            None if published.names_itself => return refused("the answer doesn't name the provider"),
            _ => {}
        }
        let Some(code) = parameter(query, "code") else {
            return refused("the provider has given no code");
        };
        let tokens = self
            .provider
            .exchange(&code, &login.verifier, &login.redirect_uri)
            .await?;
        let Some(token) = &tokens.id_token else {
            return Err(Failure::Away("the provider has given no ID token".into()));
        };
        let claims = self.provider.verify(token, Some(&login.nonce), now).await?;
        let session = Session::begin(claims, tokens, now);
        match self.claimed.consumer(session.claims.clone()) {
            Ok(_) => Ok(session),
            Err(why) => Err(Failure::Refused(why.into())),
        }
    }

    /// Ends the session here, and sends the browser where the provider ends its own.
    async fn log_out(&self, cx: &mut Ctx, request: &Request, now: u64) -> Verdict {
        // A page elsewhere can make a browser ask for this, but not by an image or a script of its own.
        let field = |name: &'static str| request.headers.get_str(name);
        if field("sec-fetch-site") == Some("cross-site") && field("sec-fetch-mode") != Some("navigate") {
            return Verdict::Refused(Error::new(&codes::FORBIDDEN).by_policy("oidc"));
        }
        let had_session = match self.shown(&request.headers, now) {
            Shown::Session(known) => {
                self.ended.end_session(&known.session.id, self.lifetimes.whole);
                true
            }
            Shown::Bad | Shown::Nothing => false,
        };
        cx.cookies.extend(cookies::removals(&request.headers, &self.cookie));
        let published = self.provider.published().await.ok();
        let end_session = published
            .as_ref()
            .and_then(|published| published.end_session.as_deref());
        let url = match end_session.filter(|_| had_session) {
            // OpenID Connect RP-Initiated Logout 1.0 §2.
            Some(end_session) => {
                let back = format!("{}{}", self.origin_of(cx, request), self.after_logout);
                let client_id = self.provider.client_id();
                with_parameters(
                    end_session,
                    [("client_id", client_id), ("post_logout_redirect_uri", &back)],
                )
            }
            None => self.after_logout.to_string(),
        };
        Verdict::Answer(redirect(Status::SEE_OTHER, &url))
    }
}

impl Authenticator for Oidc {
    fn name(&self) -> &'static str {
        "oidc"
    }

    fn judge(&self, cx: &mut Ctx, request: &mut Request) -> Verdict {
        let path = request.target.path();
        let is_callback = path == &*self.callback && request.method == Method::Get;
        let is_logout = path == &*self.logout && matches!(request.method, Method::Get | Method::Post);
        if is_callback || is_logout {
            return Verdict::Later;
        }
        let now = seconds_since_1970();
        match self.shown(&request.headers, now) {
            Shown::Session(known) if known.session.is_to_be_renewed(now) => Verdict::Later,
            Shown::Session(known) => self.let_in(&known, cx, request, now),
            shown => self.without(&shown, cx, request),
        }
    }

    fn judge_later<'a>(&'a self, cx: &'a mut Ctx, request: &'a mut Request) -> Waiting<'a> {
        Box::pin(self.answer(cx, request))
    }

    fn challenge(&self) -> Option<&str> {
        Some(&self.challenge)
    }
}

/// Which claims say who it is.
fn claimed(config: &Written) -> Claimed {
    Claimed {
        name: [config.name_claim.as_str().into()].into(),
        scopes: Some(config.scopes_claim.as_str().into()),
        roles: config.roles_claim.as_deref().map(Box::from),
        by: "oidc",
    }
}

/// Whether a browser opens a page, which may be another one than it asked for. What a script asks can't be sent elsewhere.
fn is_navigation(request: &Request) -> bool {
    let says = |name: &'static str, word: &str| request.headers.get_str(name).is_none_or(|said| said == word);
    let takes_pages = request
        .headers
        .list(KnownField::Accept)
        .any(|kind| kind.starts_with(b"text/html"));
    request.method == Method::Get
        && request.upgrade.is_none()
        && takes_pages
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
}

/// Whether this could be a state of ours: it becomes part of a name.
fn is_state(state: &str) -> bool {
    state.len() == 43
        && state
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Sends the browser elsewhere. Nobody keeps that for somebody else.
fn redirect(status: Status, url: &str) -> Response {
    Response::new(status)
        .with_header(KnownField::Location, url)
        .with_header(KnownField::CacheControl, "no-store")
        .with_header("Referrer-Policy", "no-referrer")
}

#[cold]
fn failed(failure: Failure, refusal: impl FnOnce() -> Error) -> Verdict {
    Verdict::Refused(match failure {
        Failure::Refused(cause) => refusal().with_cause(&*cause),
        Failure::Away(cause) => unavailable(&cause),
    })
}

#[cold]
fn unavailable(cause: &str) -> Error {
    Error::new(&codes::GUARD_UNAVAILABLE)
        .with_cause(cause)
        .by_policy("oidc")
}

fn seconds_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
