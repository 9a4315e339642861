//! Servers of which everything is known, and plans to ask them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use portcullis_bench::flow::{Step, Template};
use portcullis_bench::load::Spacing;
use portcullis_bench::profile::Profile;
use portcullis_bench::request::Request;
use portcullis_bench::run::Run;
use portcullis_bench::stand_in::{Behaviour, StandIn};
use portcullis_bench::target::{Protocol, Target};
use portcullis_bench::{Flow, Plan};
use portcullis_core::{Headers, Method};

pub(crate) fn server(behaviour: Behaviour) -> StandIn {
    StandIn::start(behaviour).unwrap()
}

/// A run against a server, by one flow of one request.
pub(crate) fn run(server: &StandIn, profile: Profile, objectives: &[&str]) -> Run {
    Run {
        name: "truth".to_owned(),
        plan: plan(server),
        profile,
        objectives: objectives.iter().map(|text| text.parse().unwrap()).collect(),
        watched: None,
        environment: BTreeMap::new(),
    }
}

pub(crate) fn plan(server: &StandIn) -> Plan {
    let address = server.address();
    let request = Request::new(&address.to_string(), Method::Get, "/", Headers::new(), Bytes::new()).unwrap();
    let step = Step {
        route: 0,
        request: Template::Fixed(request),
        expect: Default::default(),
        captures: Vec::new(),
        think: None,
    };
    let flow = Flow {
        name: "flow".to_owned(),
        weight: 1.0,
        steps: vec![step],
    };
    Plan {
        target: Target {
            // Two stand-ins are the same target on different ports.
            name: "http://stand-in".to_owned(),
            authority: address.to_string(),
            addresses: vec![address],
            protocol: Protocol::Http1,
            tls: None,
        },
        flows: [flow].into(),
        routes: vec!["/".to_owned()],
        // As many as any of these tests makes wait at a time: the server's queue is meant, not ours.
        connections: 400,
        streams: 1,
        fresh_connections: false,
        threads: 1,
        processors: Vec::new(),
        timeout: Duration::from_secs(30),
        backlog: 100_000,
        spacing: Spacing::Uniform,
        seed: 1,
    }
}
