//! Whether the policies of a gate's file do what it says of them, shown by spikes.
//!
//! A gate of its own serves by the file, with stand-ins for all targets ([`isolation`]). Each test starts one anew, so that no count
//! and no circuit is left from the one before. What a policy has to do is computed from its settings; what it did is what clients
//! got, and what came to the stand-ins.

mod asked;
mod finding;
mod gate;
mod isolation;
mod spike;

mod breaker;
mod limiter;
mod retries;
mod shedding;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_bench::Report;
use portcullis_bench::engine::Watch;
use portcullis_bench::environment::{self, Given};
use portcullis_bench::flow::Expect;
use portcullis_bench::measured::Measured;
use portcullis_bench::profile::session::join;
use portcullis_bench::report::Judged;
use portcullis_bench::stand_in::{Behaviour, StandIn};
use portcullis_bench::verdict::{self, Model};
use portcullis_config::Loaded;

use self::asked::Asked;
use self::finding::{Finding, good};
use self::gate::TestGate;
use self::limiter::Allowance;
use self::shedding::Classes;
use self::spike::Spike;
use super::draft::LeftOut;
use super::gate as gate_file;
use super::interrupt;
use super::running::looking::Looking;
use super::running::results::{self, Output};
use super::sources::Wish;
use crate::cli::complain;

pub(crate) use self::gate::serve;
pub(crate) use self::isolation::{Isolation, Subject};

/// The most stand-ins: each has a thread.
const MOST_SERVICES: usize = 256;

/// What is wanted.
pub(crate) struct Wanted {
    /// The gate's file.
    pub(crate) file: PathBuf,
    /// The one route that is tested; all where there is none.
    pub(crate) route: Option<String>,
    /// What is tested; everything where there is nothing.
    pub(crate) only: Vec<Subject>,
    /// What is known of requests.
    pub(crate) wish: Wish,
    /// Where the result goes.
    pub(crate) output: Output,
}

/// What a test has to do with.
struct Bench<'w> {
    file: &'w Path,
    subject: Subject,
    stand_ins: BTreeMap<String, Arc<StandIn>>,
    /// That of services that no test is about.
    other: StandIn,
    services: Vec<String>,
    watch: &'w mut dyn Watch,
}

/// What came of a test.
struct Tested {
    measured: Measured,
    findings: Vec<Finding>,
    remarks: Vec<String>,
}

/// What came of all.
#[derive(Default)]
struct Gathered {
    measured: Measured,
    judged: Vec<Judged>,
    remarks: Vec<String>,
    left_out: Vec<LeftOut>,
    invalid: Vec<String>,
    /// Whether something failed that no trouble of the load generator explains.
    failed: bool,
    interrupted: bool,
}

impl Wanted {
    /// Tests, and gives the exit code.
    ///
    /// # Errors
    /// Why nothing can be tested.
    pub(crate) fn run(&self) -> Result<u8, String> {
        let loaded = gate_file::load(&self.file)?;
        let report = self.test(&loaded)?;
        results::write(&self.output, &[report], None)
    }

    fn test(&self, loaded: &Loaded) -> Result<Report, String> {
        let began = SystemTime::now();
        let mut gathered = Gathered::default();
        let (asked, left_out) = asked::asked(loaded, &self.wish, self.route.as_deref());
        gathered.left_out = left_out;
        if asked.is_empty() && gathered.left_out.is_empty() {
            let route = self.route.as_deref().unwrap_or_default();
            return Err(format!("{}: there is no route `{route}`", self.file.display()));
        }
        let mut looking = Looking::new(self.output.quiet);
        let mut bench = Bench::new(&self.file, loaded, &asked, &mut looking)?;
        let asked = bench.answered(asked, &mut gathered.left_out)?;
        for subject in Subject::ALL {
            if self.only.is_empty() || self.only.contains(&subject) {
                bench.subject = subject;
                self.subject(&mut bench, loaded, &asked, &mut gathered);
            }
        }
        gathered.remarks.extend(isolation::remarks(&loaded.file));
        gathered.report(&self.file, loaded, began)
    }

    /// All tests of one kind.
    fn subject(&self, bench: &mut Bench<'_>, loaded: &Loaded, asked: &[Asked<'_>], gathered: &mut Gathered) {
        let file = &loaded.file;
        match bench.subject {
            Subject::Limits => {
                for asked in asked {
                    let Some(allowance) = Allowance::of(file, asked) else {
                        continue;
                    };
                    let test = |bench: &mut Bench<'_>| limiter::test(bench, asked, &allowance?);
                    self.take(bench, gathered, &format!("limit of {}", asked.name), test);
                }
            }
            Subject::Breakers => {
                for (name, asked) in first_of_services(asked) {
                    let Some(breaker) = &file.services[name].circuit_breaker else {
                        continue;
                    };
                    let test = |bench: &mut Bench<'_>| breaker::test(bench, asked, name, breaker);
                    self.take(bench, gathered, &format!("circuit breaker of {name}"), test);
                }
            }
            Subject::Shedding => {
                let Some(limit) = file.overload.requests else { return };
                let test = |bench: &mut Bench<'_>| shedding::test(bench, file, &Classes::of(asked)?, limit);
                self.take(bench, gathered, "overload.requests", test);
            }
            Subject::Retries => {
                for (name, asked) in first_of_services(asked) {
                    let retry = &file.services[name].retry;
                    if retry.attempts == 0 {
                        continue;
                    }
                    let test = |bench: &mut Bench<'_>| retries::test(bench, asked, name, retry);
                    self.take(bench, gathered, &format!("retry budget of {name}"), test);
                }
            }
        }
    }

    /// Does one test and takes in what came of it. One that can't be done is left out, and others are done.
    fn take(
        &self,
        bench: &mut Bench<'_>,
        gathered: &mut Gathered,
        what: &str,
        test: impl FnOnce(&mut Bench<'_>) -> Result<Tested, String>,
    ) {
        if gathered.interrupted {
            return;
        }
        if !self.output.quiet {
            complain(&format!("-- {what}"));
        }
        let tested = bench.begin().and_then(|()| test(bench));
        if interrupt::asked() {
            // What was measured of it says nothing, for the policy had no time.
            gathered.interrupted = true;
            gathered.invalid.push(format!("It was interrupted at the {what}."));
            return;
        }
        match tested {
            Ok(tested) => gathered.add(tested),
            Err(why) => gathered.left_out.push(LeftOut {
                what: what.to_owned(),
                why,
            }),
        }
    }
}

/// Each service with the first of the routes that lead to it alone.
fn first_of_services<'a, 'l>(asked: &'a [Asked<'l>]) -> BTreeMap<&'a str, &'a Asked<'l>> {
    let mut first = BTreeMap::new();
    for asked in asked {
        if let Some(service) = asked.service() {
            first.entry(service).or_insert(asked);
        }
    }
    first
}

impl<'w> Bench<'w> {
    fn new(
        file: &'w Path,
        loaded: &Loaded,
        asked: &[Asked<'_>],
        watch: &'w mut dyn Watch,
    ) -> Result<Bench<'w>, String> {
        let start =
            || StandIn::start(Behaviour::default()).map_err(|error| format!("no stand-in can be started: {error}"));
        let mut stand_ins = BTreeMap::new();
        for name in asked.iter().filter_map(Asked::service) {
            if !stand_ins.contains_key(name) {
                stand_ins.insert(name.to_owned(), Arc::new(start()?));
            }
            if stand_ins.len() > MOST_SERVICES {
                return Err(format!(
                    "there are more than {MOST_SERVICES} services to stand in for: choose routes by --route"
                ));
            }
        }
        Ok(Bench {
            file,
            subject: Subject::Limits,
            stand_ins,
            other: start()?,
            services: loaded.file.services.keys().cloned().collect(),
            watch,
        })
    }

    /// A gate that nobody has asked anything.
    fn gate(&self) -> Result<TestGate, String> {
        let address = |name: &String| {
            self.stand_ins
                .get(name)
                .map_or_else(|| self.other.address(), |own| own.address())
        };
        let services = self.services.iter().map(|name| (name.clone(), address(name)));
        let isolation = Isolation {
            services: services.collect(),
            subject: self.subject,
        };
        TestGate::start(self.file, &isolation)
    }

    /// Makes all stand-ins well again.
    fn begin(&self) -> Result<(), String> {
        for stand_in in self.stand_ins.values() {
            stand_in
                .change(Behaviour::default())
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn stand_in(&self, service: &str) -> Result<Arc<StandIn>, String> {
        let found = self.stand_ins.get(service).cloned();
        found.ok_or_else(|| format!("`{service}` has no stand-in"))
    }

    /// Those whose request is answered well, or refused for its rate, when nothing else goes on.
    fn answered<'l>(&mut self, asked: Vec<Asked<'l>>, left_out: &mut Vec<LeftOut>) -> Result<Vec<Asked<'l>>, String> {
        if asked.is_empty() {
            return Ok(asked);
        }
        let gate = self.gate()?;
        let authority = gate.address().to_string();
        let (mut flows, mut routes, mut tried) = (Vec::new(), Vec::new(), Vec::new());
        for asked in asked {
            let any = Expect {
                statuses: vec![100..=599],
                checks: Vec::new(),
            };
            match asked.flow(routes.len(), 1.0, &authority, any) {
                Ok(flow) => {
                    flows.push(flow);
                    routes.push(asked.name.clone());
                    tried.push(asked);
                }
                Err(why) => left_out.push(LeftOut { what: asked.name, why }),
            }
        }
        if tried.is_empty() {
            return Ok(tried);
        }
        let first = Spike::on(&gate, flows, routes, 1).once(self.watch)?;
        let first = first.phases.into_iter().next().unwrap_or_default().routes;
        tried.retain(|asked| {
            let route = first.get(&asked.name);
            let is_well = route.is_some_and(|route| good(route) + finding::with_status(route, 429) > 0);
            if !is_well {
                let answer = route.and_then(|route| finding::others(route, &[])).unwrap_or_else(|| "no answer".to_owned());
                let why = format!(
                    "its first request ended so: {answer}. Give what it needs by --header 'Name: value' or --value NAME=VALUE"
                );
                left_out.push(LeftOut {
                    what: asked.name.clone(),
                    why,
                });
            }
            is_well
        });
        Ok(tried)
    }
}

impl Gathered {
    fn add(&mut self, tested: Tested) {
        let failed = || tested.findings.iter().filter(|finding| !finding.judged.met);
        if failed().any(|finding| finding.needs_generator) {
            // A generator in trouble makes latencies longer and requests fewer, never the other way round: what holds, holds.
            self.invalid.extend(verdict::invalid(&tested.measured, Model::Open));
        }
        self.failed |= failed().any(|finding| !finding.needs_generator);
        self.judged
            .extend(tested.findings.into_iter().map(|finding| finding.judged));
        self.remarks.extend(tested.remarks);
        join(&mut self.measured, tested.measured);
    }

    /// # Errors
    /// When nothing was tested.
    fn report(mut self, file: &Path, loaded: &Loaded, began: SystemTime) -> Result<Report, String> {
        let left_out = self
            .left_out
            .iter()
            .map(|left| format!("Left out: {}: {}.", left.what, left.why.trim_end_matches('.')));
        let left_out: Vec<String> = left_out.collect();
        if self.judged.is_empty() && !self.interrupted {
            let why = match left_out.is_empty() {
                true => "it has none of rate limits, circuit breakers, retries and `overload.requests`".to_owned(),
                false => left_out.join("\n"),
            };
            return Err(format!(
                "{}: there is no policy that a spike could test: {why}",
                file.display()
            ));
        }
        self.remarks.extend(left_out);
        if self.failed && !self.interrupted {
            self.remarks.append(&mut self.invalid);
        }
        let environment = environment::fingerprint(&Given {
            configuration: Some(loaded.record.digest().to_owned()),
            ..Given::default()
        });
        let began = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Ok(Report {
            version: 1,
            name: file.display().to_string(),
            target: "a gate of its own, with stand-ins".to_owned(),
            profile: "policies".to_owned(),
            began: u64::try_from(began.as_millis()).unwrap_or(u64::MAX),
            environment,
            measured: self.measured,
            found: BTreeMap::new(),
            remarks: self.remarks,
            verdict: verdict::of(&self.invalid, &self.judged),
            objectives: self.judged,
            invalid: self.invalid,
            interrupted: self.interrupted,
            resources: None,
        })
    }
}
