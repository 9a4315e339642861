//! One under the load of a case.

use std::path::Path;

use super::engine::Shop;
use super::requests::{self, Case};
use super::subject::Subject;
use crate::bench::load_process::Load;
use crate::bench::process_tree;

/// How many requests of a case differ.
const DIFFERENT: usize = 2000;

/// Loads for this long before it counts, so that connections, statements and memory are warm.
const WARM_UP: u32 = 1;

/// What one round of one case cost.
pub(super) struct Sample {
    /// Requests in a second.
    pub(super) rate: f64,
    /// Microseconds of CPU for a request: the service's, and the database server's.
    pub(super) service: f64,
    pub(super) database: f64,
    /// How long the first answer's content was.
    pub(super) note: String,
}

impl Sample {
    /// Microseconds of CPU for a request, of both.
    pub(super) fn whole(&self) -> f64 {
        self.service + self.database
    }
}

/// # Errors
/// At the first answer that isn't of the class 2xx.
pub(super) fn sample(
    load: &Load,
    subject: &Subject,
    case: Case,
    shop: &Shop,
    folder: &Path,
    seconds: u32,
) -> Result<Sample, String> {
    let file = folder.join("requests");
    let mut content = Vec::new();
    for number in 0..DIFFERENT {
        let request = requests::of(subject.kind, case, number).ok_or("it can't do that")?;
        let bytes = request.bytes();
        content.extend_from_slice(format!("{}\n", bytes.len()).as_bytes());
        content.extend_from_slice(&bytes);
    }
    std::fs::write(&file, content).map_err(|failure| failure.to_string())?;
    let (address, path) = (subject.address().to_string(), file.display().to_string());
    let run = |seconds: u32| load.run_words(&["requests", &address, &seconds.to_string(), &path]);
    run(WARM_UP)?;
    let (service, database) = (process_tree::spent(subject.pid()), shop.spent());
    let done = run(seconds)?;
    let service = process_tree::spent(subject.pid()).since(service).whole();
    let database = shop.spent().since(database).whole();
    if done.count < 1.0 {
        return Err("nothing was done".to_owned());
    }
    Ok(Sample {
        rate: done.count / done.seconds,
        service: service.as_secs_f64() * 1e6 / done.count,
        database: database.as_secs_f64() * 1e6 / done.count,
        note: done.note,
    })
}
