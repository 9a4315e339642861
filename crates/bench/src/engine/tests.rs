#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use bytes::Bytes;
use portcullis_core::{Headers, Method};

use super::*;
use crate::flow::{Step, Template, Think};
use crate::load::{Planned, Spacing};
use crate::measured::RouteMeasured;
use crate::outcome::Failure;
use crate::request::Request;
use crate::stand_in::{Behaviour, Delay, StandIn};
use crate::target::{Protocol, Target};

mod closed;
mod failures;
mod open;
mod tls;

/// A plan of one flow with so many steps of `GET /`, against an address.
fn plan(address: SocketAddr, steps: usize) -> Plan {
    let request = || Request::new("localhost", Method::Get, "/", Headers::new(), Bytes::new()).unwrap();
    let flow = Flow {
        name: "all".to_owned(),
        weight: 1.0,
        steps: (0..steps).map(|_| Step::new(0, Template::Fixed(request()))).collect(),
    };
    Plan {
        target: Target {
            name: format!("http://{address}"),
            authority: "localhost".to_owned(),
            addresses: vec![address],
            protocol: Protocol::Http1,
            tls: None,
        },
        flows: vec![flow].into(),
        routes: vec!["all".to_owned()],
        connections: 4,
        streams: 1,
        fresh_connections: false,
        threads: 2,
        processors: Vec::new(),
        timeout: Duration::from_secs(10),
        backlog: 1000,
        spacing: Spacing::Uniform,
        seed: 1,
    }
}

/// The same plan with a pause after its first step.
fn thinking(mut plan: Plan, millis: u64) -> Plan {
    let pause = Duration::from_millis(millis);
    let flows = Arc::get_mut(&mut plan.flows).unwrap();
    flows[0].steps[0].think = Some(Think {
        least: pause,
        most: pause,
    });
    plan
}

fn phase(millis: u64, load: Load) -> Phase {
    Phase {
        name: "main".to_owned(),
        duration: Duration::from_millis(millis),
        load,
        counts: true,
    }
}

fn rate(rate: f64) -> Load {
    Load::Rate { from: rate, to: rate }
}

/// What becomes of phases, all together.
fn run(plan: Plan, phases: &[Phase]) -> (Measured, RouteMeasured) {
    let measured = Engine::start(plan).unwrap().run(phases, &mut ()).unwrap();
    let total = measured.counted().0;
    (measured, total)
}

/// A server with one thread for each connection, which does what it is told with each request.
fn server(each: impl Fn(&mut TcpStream, usize) -> bool + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // These threads end with the test's process; nobody waits for them.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (each, mut stream) = (each.clone(), stream.unwrap());
            std::thread::spawn(move || {
                let (mut seen, mut room, mut number) = (Vec::new(), [0; 4096], 0);
                while let Ok(count @ 1..) = stream.read(&mut room) {
                    seen.extend_from_slice(&room[..count]);
                    while let Some(end) = seen.windows(4).position(|part| part == b"\r\n\r\n") {
                        seen.drain(..end + 4);
                        if !each(&mut stream, number) {
                            return;
                        }
                        number += 1;
                    }
                }
            });
        }
    });
    address
}
