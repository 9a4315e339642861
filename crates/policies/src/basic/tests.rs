use argon2::Argon2;
use portcullis_config::policy::basic::PasswordHolder;
use portcullis_config::units;
use portcullis_core::{Next, Policy};
use tempfile::TempDir;

use super::*;
use crate::authenticate::Authenticate;
use crate::trial::{context, request};

/// `right` with the least work that there is: 8 KiB once.
fn argon2() -> String {
    use argon2::password_hash::PasswordHasher;
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let hasher = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let hash = hasher.hash_password_with_salt(b"right", b"0123456789abcdef").unwrap();
    hash.to_string()
}

fn bcrypt() -> String {
    bcrypt::hash_with_salt("right", 4, [7; 16]).unwrap().to_string()
}

fn config(users: &[(&str, String)], remember: u64) -> Written {
    let users = users.iter().map(|(name, hash)| PasswordHolder {
        name: (*name).to_owned(),
        hash: hash.clone(),
        scopes: Vec::new(),
        roles: vec!["staff".to_owned()],
    });
    Written {
        realm: "offices".to_owned(),
        users: users.collect(),
        file: None,
        remember: units::Duration::seconds(remember),
        keep: false,
    }
}

/// A request to a policy that may take its time, and a backend that refuses all with 404.
struct Desk {
    runtime: tokio::runtime::Runtime,
    policy: Authenticate,
}

struct Nothing;

impl portcullis_core::Backend for Nothing {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request) -> portcullis_core::Reply<'a> {
        assert!(cx.consumer.is_some());
        assert!(
            !request.headers.contains(Known::Authorization),
            "the credential goes on"
        );
        Error::new(&codes::RESOURCE_NOT_FOUND).into()
    }
}

impl Desk {
    fn new(config: &Written, base: &Path) -> Desk {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let way: Arc<dyn Authenticator> = Arc::new(Basic::new(config, base, runtime.handle()).unwrap());
        Desk {
            runtime,
            policy: Authenticate::new([way]),
        }
    }

    fn send(&self, fields: &[(&str, &str)]) -> (u16, Option<String>) {
        let mut cx = context();
        let next = Next::new(&[], &Nothing);
        let result = self
            .runtime
            .block_on(self.policy.call(&mut cx, request("GET", "/", fields), next));
        let status = result.err().unwrap().status().code();
        (status, cx.consumer.map(|consumer| consumer.name.to_string()))
    }

    fn show(&self, name_and_password: &str) -> (u16, Option<String>) {
        let value = format!("Basic {}", STANDARD.encode(name_and_password));
        self.send(&[("Authorization", &value)])
    }
}

#[test]
fn names_and_passwords_are_verified() {
    for remember in [0, 60] {
        let desk = Desk::new(
            &config(&[("ann", argon2()), ("bob", bcrypt())], remember),
            Path::new(""),
        );
        for name in ["ann", "bob"] {
            for _ in 0..2 {
                let known = (404, Some(name.to_owned()));
                assert_eq!(desk.show(&format!("{name}:right")), known);
            }
            for password in ["wrong", "", "right ", "Right", "right:"] {
                assert_eq!(desk.show(&format!("{name}:{password}")), (401, None), "{password:?}");
            }
        }
        let long = "x".repeat(600);
        for shown in [
            "eve:right",
            ":right",
            "ann",
            "ann:ri\0ght",
            &format!("bob:{long}"),
            &format!("{long}:x"),
        ] {
            assert_eq!(desk.show(shown), (401, None), "{shown:?}");
        }
    }
}

#[test]
fn what_is_no_credential_is_refused() {
    let desk = Desk::new(&config(&[("ann", argon2())], 60), Path::new(""));
    let right = format!("Basic {}", STANDARD.encode("ann:right"));
    assert_eq!(desk.send(&[("authorization", &right.to_ascii_lowercase())]).0, 401);
    assert_eq!(desk.send(&[("authorization", &right.replace("Basic", "bASIC"))]).0, 404);
    for fields in [
        &[][..],
        &[("Authorization", "Basic")],
        &[("Authorization", "Basic %%%")],
        &[("Authorization", "Bearer YW5uOnJpZ2h0")],
        &[("Authorization", &right), ("Authorization", &right)],
        &[("Authorization", "Bearer x"), ("Authorization", &right)],
    ] {
        assert_eq!(desk.send(fields), (401, None), "{fields:?}");
    }
}

#[test]
fn users_are_read_from_a_file() {
    let folder = TempDir::new().unwrap();
    let text = format!("# people\n\nann:{}\nbob:{}\n", argon2(), bcrypt());
    std::fs::write(folder.path().join("users"), text).unwrap();
    let mut from_file = config(&[], 60);
    from_file.file = Some("users".into());
    let desk = Desk::new(&from_file, folder.path());
    assert_eq!(desk.show("bob:right").0, 404);
    std::fs::write(folder.path().join("users"), "ann\n").unwrap();
    let slow = desk.runtime.handle();
    assert!(Basic::new(&from_file, folder.path(), slow).is_err_and(|why| why.contains("line 1")));
    std::fs::remove_file(folder.path().join("users")).unwrap();
    assert!(Basic::new(&from_file, folder.path(), slow).is_err_and(|why| why.contains("can't read")));
}

#[test]
fn hashes_that_are_none_or_too_dear_are_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let dear = argon2().replace("m=8", "m=4194304");
    let dearest = bcrypt().replace("$04$", "$31$");
    for hash in ["right", "$1$abc$def", "$argon2id$v=19", "$2b$04$short", &dear, &dearest] {
        let users = [("ann", hash.to_owned())];
        assert!(
            Basic::new(&config(&users, 0), Path::new(""), runtime.handle()).is_err(),
            "{hash}"
        );
    }
    for users in [
        vec![],
        vec![("ann", argon2()), ("ann", argon2())],
        vec![("a:b", argon2())],
    ] {
        assert!(Basic::new(&config(&users, 0), Path::new(""), runtime.handle()).is_err());
    }
}

#[test]
fn whoever_guesses_waits_in_a_short_queue() {
    let desk = Desk::new(&config(&[("ann", argon2())], 0), Path::new(""));
    let basic = Basic::new(&config(&[("ann", argon2())], 0), Path::new(""), desk.runtime.handle()).unwrap();
    let _all = basic.waiting.try_acquire_many(u32::try_from(WAITING).unwrap()).unwrap();
    let credential = Credential {
        name: "ann".into(),
        password: (*b"right").into(),
    };
    let refused = desk.runtime.block_on(basic.verify(credential));
    assert!(matches!(refused, Err(Refusal::Busy)));
}

#[test]
fn names_of_nobody_take_as_long_as_those_of_somebody() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let dearer = argon2().replace("m=8", "m=16");
    let users = [("ann", argon2()), ("bob", bcrypt()), ("eve", argon2()), ("tom", dearer)];
    let basic = Basic::new(&config(&users, 0), Path::new(""), runtime.handle()).unwrap();
    let users = &basic.users;
    assert_eq!(users.nobodys.len(), 3, "one of each kind");
    let kind = |name: &str| users.nobodys(name).unwrap().cost().to_owned();
    let names: Vec<String> = (0..100).map(|number| format!("name{number}")).collect();
    let kinds: std::collections::HashSet<String> = names.iter().map(|name| kind(name)).collect();
    assert_eq!(kinds.len(), 3, "all kinds of time");
    assert!(names.iter().all(|name| kind(name) == kind(name)), "each name has one");
}

#[test]
fn many_requests_of_one_client_are_verified_once() {
    let desk = Desk::new(&config(&[("ann", argon2())], 0), Path::new(""));
    let basic = Basic::new(&config(&[("ann", argon2())], 0), Path::new(""), desk.runtime.handle()).unwrap();
    let credential = |password: &[u8]| Credential {
        name: "ann".into(),
        password: password.into(),
    };
    // There is room for one that waits.
    let all_but_one = u32::try_from(WAITING).unwrap() - 1;
    let _others = basic.waiting.try_acquire_many(all_but_one).unwrap();
    desk.runtime.block_on(async {
        let (first, second, third) = tokio::join!(
            basic.verify(credential(b"right")),
            basic.verify(credential(b"right")),
            basic.verify(credential(b"wrong")),
        );
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(third, Err(Refusal::Busy)));
    });
}
