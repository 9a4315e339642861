//! Loads an address, and prints what came of it: `load ADDRESS http1|http2|http3 CONNECTIONS STREAMS SECONDS [RATE]`. Without a rate
//! there are as many users as connections have room for.
//!
//! It measures the engine alone, beside other load generators: no file, no profile, no report.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use portcullis_bench::flow::{Flow, Step, Template};
use portcullis_bench::load::{Load, Phase, Spacing};
use portcullis_bench::request::Request;
use portcullis_bench::target::{Protocol, Target};
use portcullis_bench::{Engine, Plan};
use portcullis_core::{Headers, Method};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, protocol, connections, streams, seconds, rate @ ..] = &arguments[..] else {
        return Err("ADDRESS http1|http2|http3 CONNECTIONS STREAMS SECONDS [RATE]".into());
    };
    let (connections, streams): (usize, usize) = (connections.parse()?, streams.parse()?);
    let request = Request::new(address, Method::Get, "/", Headers::new(), Bytes::new()).map_err(|unfit| unfit.0)?;
    let flow = Flow {
        name: "all".to_owned(),
        weight: 1.0,
        steps: vec![Step::new(0, Template::Fixed(request))],
    };
    let plan = Plan {
        target: Target {
            name: address.clone(),
            authority: address.clone(),
            addresses: vec![address.parse()?],
            protocol: match &protocol[..] {
                "http2" => Protocol::Http2,
                "http3" => Protocol::Http3,
                _ => Protocol::Http1,
            },
            tls: None,
        },
        flows: vec![flow].into(),
        routes: vec!["all".to_owned()],
        connections,
        streams,
        fresh_connections: false,
        threads: 1,
        processors: Vec::new(),
        timeout: Duration::from_secs(10),
        backlog: 100_000,
        spacing: Spacing::Uniform,
        seed: 1,
    };
    let load = match rate.first() {
        Some(rate) => Load::Rate {
            from: rate.parse()?,
            to: rate.parse()?,
        },
        None => Load::Users(connections * streams),
    };
    let phase = Phase {
        name: "main".to_owned(),
        duration: Duration::from_secs(seconds.parse()?),
        load,
        counts: true,
    };
    let mut engine = Engine::start(plan)?;
    let began = Instant::now();
    let measured = engine.run(&[phase], &mut ())?;
    let took = began.elapsed().as_secs_f64();
    let (total, _) = measured.counted();
    let generator = &measured.generator;
    println!(
        "{} requests, {} failed, {:.0}/s; processor {:.3} us each, busiest {:.1} %; latency p50 {:?} p99 {:?} max {:?}; service p50 {:?}",
        total.ended,
        total.failed(),
        total.ended as f64 / took,
        generator.processor_time.as_secs_f64() * 1e6 / total.ended as f64,
        generator.busiest * 100.0,
        total.latency.quantile(0.5).unwrap_or_default(),
        total.latency.quantile(0.99).unwrap_or_default(),
        total.latency.max().unwrap_or_default(),
        total.service.quantile(0.5).unwrap_or_default(),
    );
    println!(
        "lag p50 {:?} p99 {:?} max {:?}; {} missed; {} connections; failures {:?}",
        generator.lag.quantile(0.5),
        generator.lag.quantile(0.99),
        generator.lag.max(),
        generator.missed,
        generator.connections,
        total.failures,
    );
    Ok(())
}
