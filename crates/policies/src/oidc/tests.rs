#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_config::secret::Secret;
use portcullis_config::{defaults, units};
use portcullis_core::{Policy, Scheme};
use portcullis_jose::keys::Keys;
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};

use super::provider::Tokens;
use super::*;
use crate::authenticate::Authenticate;
use crate::trial::{Trial, context, request, send_as};

const PAGE: [(&str, &str); 2] = [("Host", "app.example"), ("Accept", "text/html,*/*;q=0.8")];

fn config() -> Written {
    Written {
        issuer: "https://id.example".to_owned(),
        client_id: "gate".to_owned(),
        client_secret: None,
        secret: vec![Secret::new("a secret of this test, long enough".to_owned())],
        scopes: vec!["openid".to_owned(), "profile".to_owned()],
        parameters: BTreeMap::from([("prompt".to_owned(), "login".to_owned())]),
        callback: "/back".to_owned(),
        logout: "/out".to_owned(),
        after_logout: "/bye".to_owned(),
        origin: None,
        cookie: defaults::policies::oidc_cookie(),
        lifetime: units::Duration(Duration::from_secs(1000)),
        idle: units::Duration(Duration::from_secs(100)),
        name_claim: defaults::policies::oidc_name_claim(),
        scopes_claim: defaults::policies::scopes_claim(),
        roles_claim: Some("roles".to_owned()),
        ca: None,
    }
}

/// Some authority: nobody is asked.
fn authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::default().self_signed(&key).unwrap().pem()
}

/// A gate whose provider needs not be asked for what it publishes.
struct Gate {
    runtime: Runtime,
    oidc: Arc<Oidc>,
    signer: EcdsaKeyPair,
}

impl Gate {
    fn new(config: &Written) -> Gate {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority()).unwrap();
        let fetcher = Fetcher::new(runtime.handle().clone(), Some(&ca)).unwrap();
        let oidc = Arc::new(Oidc::new(config, fetcher, runtime.handle(), &Arc::default()).unwrap());
        let signer = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = signer.public_key().as_ref();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "one", "use": "sig",
            "x": encode(&point[1..33]), "y": encode(&point[33..]),
        });
        let jwks = json!({ "keys": [jwk] }).to_string();
        oidc.provider.knows(Keys::from_jwks(jwks.as_bytes(), None).unwrap());
        Gate { runtime, oidc, signer }
    }

    fn send(&self, request: Request) -> Trial {
        let way: Arc<dyn Authenticator> = self.oidc.clone();
        let policy: Arc<dyn Policy> = Arc::new(Authenticate::new([way]));
        let mut cx = context();
        cx.scheme = Scheme::Https;
        let _context = self.runtime.enter();
        send_as(&policy, cx, request, &[])
    }

    fn open(&self, target: &str, cookies: &str) -> Trial {
        let mut asking = request("GET", target, &PAGE);
        if !cookies.is_empty() {
            asking.headers.append("Cookie", cookies);
        }
        self.send(asking)
    }

    fn call(&self, cookies: &str) -> Trial {
        self.send(request("GET", "/api", &[("Host", "app.example"), ("Cookie", cookies)]))
    }

    /// The cookies of a session that began so long ago.
    fn session(&self, claims: Value, ago: u64, refresh_token: Option<&str>) -> String {
        let Value::Object(claims) = claims else {
            panic!("claims are an object")
        };
        let tokens = Tokens {
            refresh_token: refresh_token.map(str::to_owned),
            expires_in: Some(0),
            ..Tokens::default()
        };
        let now = seconds_since_1970();
        let session = Session::begin(claims, tokens, now - ago);
        pairs(&self.oidc.lines(&Headers::new(), &session, now - ago).unwrap())
    }

    fn token(&self, claims: &Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": "ES256", "kid": "one"}).to_string());
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.signer.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn verify(&self, claims: &Value) -> Result<Map<String, Value>, Failure> {
        let token = self.token(claims);
        self.runtime
            .block_on(self.oidc.provider.verify(&token, Some("n"), seconds_since_1970()))
    }
}

/// What a browser sends back of what it was told to keep.
fn pairs(lines: &[String]) -> String {
    let kept = lines.iter().filter(|line| !line.contains("Max-Age=0"));
    let pairs: Vec<&str> = kept.map(|line| line.split_once(';').unwrap().0).collect();
    pairs.join("; ")
}

fn set_cookies(trial: &Trial) -> Vec<String> {
    let answer = trial.answer();
    let lines = answer
        .get_all("set-cookie")
        .map(|line| String::from_utf8(line.to_vec()).unwrap());
    lines.collect()
}

/// The state, and the cookie, of a login that was begun.
fn begun(trial: &Trial) -> (String, String) {
    let location = trial.field("location").unwrap();
    let query = location.split_once('?').unwrap().1;
    (parameter(query, "state").unwrap(), pairs(&set_cookies(trial)))
}

fn check_refused(trial: &Trial, code: &str) {
    assert!(trial.seen.is_none());
    let error = trial.result.as_ref().unwrap_err();
    assert_eq!((error.code().name, error.policy()), (code, Some("oidc")), "{error:?}");
}

#[test]
fn whoever_opens_a_page_is_sent_to_the_login() {
    let gate = Gate::new(&config());
    let trial = gate.open("/orders?q=1", "");
    assert_eq!(trial.status().code(), 302);
    let location = trial.field("location").unwrap();
    let (url, query) = location.split_once('?').unwrap();
    assert_eq!(url, "https://id.example/authorize");
    for (name, value) in [
        ("tenant", "a"),
        ("prompt", "login"),
        ("response_type", "code"),
        ("client_id", "gate"),
        ("redirect_uri", "https://app.example/back"),
        ("scope", "openid profile"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameter(query, name).as_deref(), Some(value), "{name}");
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(parameter(query, name).unwrap().len(), 43);
    }
    let lines = set_cookies(&trial);
    let [line] = &*lines else {
        panic!("one cookie: {lines:?}")
    };
    assert!(line.starts_with("__Host-portcullis-session-login-"));
    assert!(line.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"));
    assert_eq!(trial.field("cache-control").as_deref(), Some("no-store"));
}

#[test]
fn what_is_no_page_is_refused() {
    let gate = Gate::new(&config());
    let script = [("Accept", "text/html"), ("Sec-Fetch-Mode", "cors")];
    let frame = [("Accept", "text/html"), ("Sec-Fetch-Dest", "iframe")];
    for asking in [
        request("GET", "/", &[]),
        request("GET", "/", &[("Accept", "application/json")]),
        request("GET", "/", &script),
        request("GET", "/", &frame),
        request("POST", "/", &PAGE),
    ] {
        let trial = gate.send(asking);
        check_refused(&trial, "unauthenticated");
        assert!(trial.field("www-authenticate").unwrap().starts_with("Cookie "));
    }
}

#[test]
fn a_session_lets_in_and_goes_no_further() {
    let gate = Gate::new(&config());
    let cookies = gate.session(json!({"sub": "ann", "scope": "read", "roles": ["staff"]}), 0, None);
    for trial in [
        gate.call(&format!("a=1; {cookies}; b=2")),
        gate.open("/", &format!("a=1; {cookies};b=2")),
    ] {
        assert_eq!(set_cookies(&trial), [""; 0]);
        let seen = trial.seen.unwrap();
        assert_eq!(seen.headers.get_str("x-consumer"), Some("ann"));
        assert_eq!(seen.headers.get_str("x-consumer-scopes"), Some("read"));
        assert_eq!(seen.headers.get_str("x-consumer-roles"), Some("staff"));
        assert_eq!(seen.headers.get_str("cookie"), Some("a=1; b=2"));
        assert_eq!(trial.cx.consumer.unwrap().by, "oidc");
    }
}

#[test]
fn a_session_in_use_is_noted_and_one_without_use_ends() {
    let gate = Gate::new(&config());
    let trial = gate.call(&gate.session(json!({"sub": "ann"}), 50, None));
    assert!(trial.seen.is_some());
    let newer = pairs(&set_cookies(&trial));
    assert!(newer.starts_with("__Host-portcullis-session=1."), "{newer}");
    assert_eq!(set_cookies(&gate.call(&newer)), [""; 0]);
    let over = gate.session(json!({"sub": "ann"}), 100, None);
    let trial = gate.call(&over);
    check_refused(&trial, "unauthenticated");
    assert!(set_cookies(&trial)[0].contains("Max-Age=0"));
    assert_eq!(gate.open("/", &over).status().code(), 302);
}

#[test]
fn what_is_no_session_of_ours_lets_nobody_in() {
    let gate = Gate::new(&config());
    let cookies = gate.session(json!({"sub": "ann"}), 0, None);
    let mut changed = cookies.clone().into_bytes();
    let at = changed.len() - 5;
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    let of_another_client = Gate::new(&Written {
        client_id: "another".to_owned(),
        ..config()
    });
    let of_another_secret = Gate::new(&Written {
        secret: vec![Secret::new("another secret, which is long, too".to_owned())],
        ..config()
    });
    let (_, login) = begun(&gate.open("/", ""));
    let login = login
        .replace("portcullis-session-login-", "")
        .replacen(|_: char| false, "", 1);
    let login = format!("__Host-portcullis-session=1.{}", login.split_once('=').unwrap().1);
    for cookies in [
        changed,
        of_another_client.session(json!({"sub": "ann"}), 0, None),
        of_another_secret.session(json!({"sub": "ann"}), 0, None),
        gate.session(json!({"sub": "two words"}), 0, None),
        login,
        "__Host-portcullis-session=".to_owned(),
        "__Host-portcullis-session=1.e30".to_owned(),
        format!("__Host-portcullis-session=1.{}", "A".repeat(30_000)),
    ] {
        check_refused(&gate.call(&cookies), "unauthenticated");
        assert_eq!(gate.open("/", &cookies).status().code(), 302);
    }
    assert!(gate.call(&cookies).seen.is_some());
}

#[test]
fn a_secret_is_changed_while_people_are_logged_in() {
    let gate = Gate::new(&config());
    let cookies = gate.session(json!({"sub": "ann"}), 0, None);
    let mut newer = config();
    newer
        .secret
        .insert(0, Secret::new("the secret that comes after the one".to_owned()));
    assert!(Gate::new(&newer).call(&cookies).seen.is_some());
    newer.secret.pop();
    check_refused(&Gate::new(&newer).call(&cookies), "unauthenticated");
}

#[test]
fn a_login_that_was_not_begun_here_does_not_end_here() {
    let gate = Gate::new(&config());
    let (state, cookie) = begun(&gate.open("/", ""));
    let (other_state, other_cookie) = begun(&gate.open("/", ""));
    let forged = "A".repeat(43);
    let same_name = format!("{}{}", &state[..8], &forged[8..]);
    for (state, cookies) in [
        (&*state, ""),
        (&state, &*other_cookie),
        (&other_state, &cookie),
        (&forged, &cookie),
        (&same_name, &cookie),
        ("", &cookie),
        ("\u{e9}", &cookie),
    ] {
        let state: String = percent_encoding::utf8_percent_encode(state, percent_encoding::NON_ALPHANUMERIC).collect();
        let trial = gate.open(&format!("/back?code=c&iss=https://id.example&state={state}"), cookies);
        check_refused(&trial, "unauthenticated");
        assert!(
            trial
                .result
                .unwrap_err()
                .detail()
                .unwrap()
                .contains("not begun in this browser")
        );
    }
    let twice = format!("/back?code=c&state={state}&state={state}");
    check_refused(&gate.open(&twice, &cookie), "unauthenticated");
}

#[test]
fn a_login_ends_once_and_in_time() {
    let gate = Gate::new(&config());
    let (state, cookie) = begun(&gate.open("/", ""));
    // Without a code nobody is asked, and the login is over all the same.
    let back = format!("/back?error=access_denied&iss=https://id.example&state={state}");
    let refused = |trial: Trial| trial.result.unwrap_err().detail().unwrap().to_owned();
    let trial = gate.open(&back, &cookie);
    assert!(set_cookies(&trial)[0].contains("Max-Age=0"));
    assert!(refused(trial).contains("the login failed"));
    assert!(refused(gate.open(&back, &cookie)).contains("has ended already"));

    let long_ago = Login::begin(
        &Target::parse(b"/").unwrap(),
        "https://app.example/back".to_owned(),
        seconds_since_1970() - 600,
    );
    let name = gate.oidc.login_name(&long_ago.state);
    let text = gate.oidc.logins.seal(&name, &serde_json::to_vec(&long_ago).unwrap());
    let back = format!("/back?code=c&iss=https://id.example&state={}", long_ago.state);
    assert!(refused(gate.open(&back, &format!("{name}={text}"))).contains("took too long"));
}

#[test]
fn an_answer_of_another_provider_is_none() {
    let gate = Gate::new(&config());
    for issuer in ["", "&iss=https://evil.example"] {
        let (state, cookie) = begun(&gate.open("/", ""));
        let trial = gate.open(&format!("/back?code=c&state={state}{issuer}"), &cookie);
        check_refused(&trial, "unauthenticated");
        assert!(trial.result.unwrap_err().cause().is_some());
    }
}

#[test]
fn an_id_token_is_for_this_login() {
    let gate = Gate::new(&config());
    let now = seconds_since_1970();
    let good =
        json!({"iss": "https://id.example", "sub": "ann", "aud": "gate", "exp": now + 60, "iat": now, "nonce": "n"});
    assert_eq!(gate.verify(&good).unwrap()["sub"], "ann");
    let for_several = json!({"aud": ["gate", "other"], "azp": "gate"});
    for (changes, is_good) in [
        (for_several, true),
        (json!({"aud": ["gate"]}), true),
        (json!({"nonce": "m"}), false),
        (json!({"nonce": null}), false),
        (json!({"iss": "https://evil.example"}), false),
        (json!({"aud": "other"}), false),
        (json!({"aud": ["gate", "other"]}), false),
        (json!({"azp": "other"}), false),
        (json!({"exp": now - 61}), false),
        (json!({"iat": now + 99}), false),
        (json!({"sub": null}), false),
    ] {
        let mut claims = good.clone();
        claims
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        assert_eq!(gate.verify(&claims).is_ok(), is_good, "{changes}");
    }
    let forged = Gate::new(&config()).token(&good);
    let verified = gate
        .runtime
        .block_on(gate.oidc.provider.verify(&forged, Some("n"), now));
    assert!(matches!(verified, Err(Failure::Refused(_))));
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let unsigned = format!("{header}.{}.", URL_SAFE_NO_PAD.encode(good.to_string()));
    assert!(
        gate.runtime
            .block_on(gate.oidc.provider.verify(&unsigned, Some("n"), now))
            .is_err()
    );
}

#[test]
fn whoever_logs_out_is_out_even_with_the_old_cookie() {
    let gate = Gate::new(&config());
    let cookies = gate.session(json!({"sub": "ann"}), 0, None);
    let image = [
        ("Cookie", &*cookies),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "no-cors"),
    ];
    check_refused(&gate.send(request("GET", "/out", &image)), "forbidden");
    assert!(gate.call(&cookies).seen.is_some());
    let trial = gate.open("/out", &cookies);
    assert_eq!(trial.status().code(), 303);
    assert_eq!(
        trial.field("location").unwrap(),
        "https://id.example/logout?client_id=gate&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye"
    );
    assert!(set_cookies(&trial)[0].starts_with("__Host-portcullis-session=; "));
    check_refused(&gate.call(&cookies), "unauthenticated");
    assert_eq!(gate.open("/out", "").field("location").unwrap(), "/bye");
}

#[test]
fn a_browser_has_few_logins_under_way() {
    let gate = Gate::new(&config());
    let mut cookies = Vec::new();
    for _ in 0..LOGINS {
        cookies.push(begun(&gate.open("/", &cookies.join("; "))).1);
    }
    let trial = gate.open("/", &cookies.join("; "));
    assert_eq!(
        set_cookies(&trial)
            .iter()
            .filter(|line| line.contains("Max-Age=0"))
            .count(),
        LOGINS
    );
}

#[test]
fn a_session_too_long_for_cookies_is_none() {
    let gate = Gate::new(&config());
    let claims = json!({"sub": "ann", "groups": "g".repeat(20_000)});
    let session = Session::begin(
        claims.as_object().unwrap().clone(),
        Tokens::default(),
        seconds_since_1970(),
    );
    assert!(
        gate.oidc
            .lines(&Headers::new(), &session, seconds_since_1970())
            .is_none()
    );
    let long = gate.session(json!({"sub": "ann", "groups": "g".repeat(8_000)}), 0, None);
    assert!(long.contains("__Host-portcullis-session-2="));
    let seen = gate.call(&long).seen.unwrap();
    assert!(!seen.headers.contains("cookie"));
    // One part alone is nothing.
    let part = long.split_once("; ").unwrap().0;
    check_refused(&gate.call(part), "unauthenticated");
}

#[test]
fn settings_that_would_be_unsafe_are_refused() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority()).unwrap();
    let fetcher = Fetcher::new(runtime.handle().clone(), Some(&ca)).unwrap();
    let with = |change: &dyn Fn(&mut Written)| {
        let mut config = config();
        change(&mut config);
        Oidc::new(&config, fetcher.clone(), runtime.handle(), &Arc::default()).is_ok()
    };
    assert!(with(&|_| {}));
    assert!(!with(&|config| config.issuer = "http://id.example".to_owned()));
    assert!(!with(&|config| config.secret = vec![Secret::new("short".to_owned())]));
    assert!(!with(&|config| config.secret.clear()));
    assert!(!with(&|config| config.callback = "/out".to_owned()));
    assert!(!with(&|config| config.callback = "/back?a".to_owned()));
    assert!(!with(&|config| config.cookie = "c".repeat(LONGEST_NAME + 1)));
}
