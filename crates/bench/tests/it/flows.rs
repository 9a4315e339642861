//! Flows of several requests that build upon each other, against a server that believes nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use portcullis_bench::flow::capture::{Capture, From};
use portcullis_bench::flow::data::{DataSet, Order, Rows};
use portcullis_bench::flow::expect::Check;
use portcullis_bench::flow::scope::Scope;
use portcullis_bench::flow::template::{Body, Draft};
use portcullis_bench::flow::{Expect, Step, Template};
use portcullis_bench::load::{Planned, Spacing};
use portcullis_bench::measured::RouteMeasured;
use portcullis_bench::outcome::Failure;
use portcullis_bench::target::Protocol;
use portcullis_bench::{Engine, Flow, Load, Phase, Plan, Target, run, tls};
use serde_json::{Value, json};

/// A shop: a token opens it, a cart belongs to a user, and an order names both.
struct Shop {
    address: SocketAddr,
}

/// What the shop was asked.
struct Asked {
    /// Method and path.
    line: String,
    token: Option<String>,
    content: Vec<u8>,
}

impl Shop {
    fn open() -> Shop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(&stream));
            }
        });
        Shop { address }
    }

    fn plan(&self, flow: Flow, routes: &[&str]) -> Plan {
        let url = format!("http://{}", self.address);
        Plan {
            target: Target::of(&url, Protocol::Http1, &tls::Settings::default()).unwrap(),
            flows: Arc::new([flow]),
            routes: routes.iter().map(|route| (*route).to_owned()).collect(),
            connections: 2,
            streams: 1,
            fresh_connections: false,
            threads: 2,
            processors: Vec::new(),
            timeout: Duration::from_secs(20),
            backlog: 100,
            spacing: Spacing::Uniform,
            seed: 1,
        }
    }
}

/// Answers on a connection, until the client is done.
fn serve(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        let (status, location, body) = answer(&asked);
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nLocation: {location}\r\n\r\n",
            body.len()
        );
        let mut writer = stream;
        if writer.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut asked = Asked {
        line: first.strip_suffix(" HTTP/1.1")?.to_owned(),
        token: None,
        content: Vec::new(),
    };
    let mut length = 0;
    loop {
        let field = line()?;
        let Some((name, value)) = field.split_once(": ") else {
            break;
        };
        match name {
            "Content-Length" => length = value.parse().ok()?,
            "Authorization" => asked.token = Some(value.to_owned()),
            _ => {}
        }
    }
    asked.content.resize(length, 0);
    reader.read_exact(&mut asked.content).ok()?;
    Some(asked)
}

fn answer(asked: &Asked) -> (u16, String, Value) {
    if asked.line == "POST /token" && asked.content == b"grant=client%20%26%20co" {
        return (200, String::new(), json!({"access": "a\"b"}));
    }
    if asked.token.as_deref() != Some("Bearer a\"b") {
        return (401, String::new(), json!(null));
    }
    if let Some(user) = asked.line.strip_prefix("POST /carts/") {
        return (
            201,
            format!("/carts/{user}/5"),
            json!({"cart": {"id": 5, "user": user}}),
        );
    }
    let content: Value = serde_json::from_slice(&asked.content).unwrap_or_default();
    match (asked.line.as_str(), content["cart"].as_u64(), content["name"].as_str()) {
        ("PUT /carts/7%2F8/5", Some(5), Some("Ada \"the\" {1}")) => (200, String::new(), json!({"state": "paid"})),
        _ => (400, String::new(), json!({"state": "refused"})),
    }
}

fn draft(method: &str, path: &str, body: Body) -> Draft {
    Draft {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: vec![("Authorization".to_owned(), "Bearer {{token}}".to_owned())],
        body,
        ..Draft::default()
    }
}

/// A flow that fills a cart and orders what is in it; `state` is what it expects to come of that.
fn buying(scope: &Scope, state: &str) -> Flow {
    let mut scope = scope.clone();
    let authority = "shop.test";
    let cart = draft("POST", "/carts/{{user.id}}", Body::None);
    let cart = Template::new(&cart, authority, &scope).unwrap();
    let captures = [
        ("place", From::Header("location".to_owned())),
        ("cart", From::Json("/cart/id".to_owned())),
    ];
    let captures = captures.map(|(name, from)| Capture {
        name: name.to_owned(),
        from,
        keep: scope.capture(name),
    });
    let order = json!({"cart": "{{cart}}", "name": "{{user.name}}"});
    let order = draft("PUT", "{{place as link}}", Body::Json(order));
    let order = Template::new(&order, authority, &scope).unwrap();
    let paid = Check::json("/state", &json!(state), &scope).unwrap();
    Flow {
        name: "buy".to_owned(),
        weight: 1.0,
        steps: vec![
            Step {
                captures: captures.into(),
                ..Step::new(0, cart)
            },
            Step {
                expect: Expect {
                    checks: vec![paid],
                    ..Expect::default()
                },
                ..Step::new(1, order)
            },
        ],
    }
}

fn scope() -> Scope {
    let rows = Rows::from_csv(b"id,name\n7/8,\"Ada \"\"the\"\" {1}\"\n").unwrap();
    Scope::new(vec![DataSet::new("user", rows, Order::InTurn).unwrap()])
}

/// The flow that fetches a token, after which the scope knows it.
fn token(scope: &mut Scope) -> Flow {
    let form = Body::Form(vec![("grant".to_owned(), "client & co".to_owned())]);
    let draft = Draft {
        headers: Vec::new(),
        ..draft("POST", "/token", form)
    };
    let step = Step::new(0, Template::new(&draft, "shop.test", scope).unwrap());
    let capture = Capture {
        name: "token".to_owned(),
        from: From::Json("/access".to_owned()),
        keep: scope.capture_for_all("token"),
    };
    Flow {
        name: "setup".to_owned(),
        weight: 1.0,
        steps: vec![Step {
            captures: vec![capture],
            ..step
        }],
    }
}

/// What came of twenty starts of a flow, by the two routes.
fn twenty(plan: Plan) -> [RouteMeasured; 2] {
    let planned = |number: u32| Planned {
        after: Duration::from_millis(u64::from(number)),
        flow: 0,
    };
    let phase = Phase {
        name: "load".to_owned(),
        duration: Duration::from_millis(20),
        load: Load::Script((0..20).map(planned).collect()),
        counts: true,
    };
    let measured = Engine::start(plan).unwrap().run(&[phase], &mut ()).unwrap();
    let routes = &measured.phases[0].routes;
    ["cart", "order"].map(|route| routes.get(route).cloned().unwrap_or_default())
}

#[test]
fn what_a_request_says_follows_from_what_was_answered_before() {
    let shop = Shop::open();
    let mut scope = scope();
    run::set_up(shop.plan(token(&mut scope), &["token"])).unwrap();
    let [cart, order] = twenty(shop.plan(buying(&scope, "paid"), &["cart", "order"]));
    assert_eq!((cart.ended, cart.failed()), (20, 0), "{:?}", cart.failures);
    assert_eq!((order.ended, order.failed()), (20, 0), "{:?}", order.failures);
    assert_eq!((cart.statuses[&201], order.statuses[&200]), (20, 20));
}

#[test]
fn a_check_that_fails_is_told_by_its_name() {
    let shop = Shop::open();
    let mut scope = scope();
    run::set_up(shop.plan(token(&mut scope), &["token"])).unwrap();
    let [cart, order] = twenty(shop.plan(buying(&scope, "shipped"), &["cart", "order"]));
    assert_eq!(cart.failed(), 0, "{:?}", cart.failures);
    assert_eq!(order.failures[&Failure::Check]["body has \"shipped\" at /state"], 20);
}

#[test]
fn a_flow_ends_at_a_request_that_can_not_be_made() {
    let shop = Shop::open();
    let mut scope = scope();
    // Nobody fetches the token.
    token(&mut scope);
    let [cart, order] = twenty(shop.plan(buying(&scope, "paid"), &["cart", "order"]));
    assert_eq!(
        cart.failures[&Failure::Check]["`token` was not captured"],
        20,
        "{:?}",
        cart.failures
    );
    assert_eq!(order.ended, 0);
}
