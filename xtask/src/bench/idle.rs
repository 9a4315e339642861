//! An idle connection must hold next to nothing.

use std::path::Path;

use super::{Line, load, upstream::Upstream};
use crate::gate::Gate;

const IDLE: usize = 10_000;
const WAVE: usize = 50;

/// # Errors
/// When the gate doesn't start or a request fails.
pub(crate) fn run(binary: &Path) -> Result<Vec<Line>, String> {
    let upstream = Upstream::start()?;
    let configuration = format!(
        "listeners:\n  - {{bind: 127.0.0.1:0, timeouts: {{idle: 10m}}}}\nadmin: {{bind: '127.0.0.1:0'}}\n\
         services: {{up: 'http://{}'}}\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address
    );
    let gate = Gate::start(binary, "idle", &configuration, 2)?;
    let request = [load::get("/hello")];
    // What every gate needs that has served anything is no cost of an idle connection.
    load::run(&mut load::connect(gate.address, WAVE)?, &request, 2000)?;
    let before = gate.memory();
    let mut idle = Vec::with_capacity(IDLE);
    // In waves that the queue of the upstream's listener can hold.
    for _ in 0..IDLE / WAVE {
        let mut wave = load::connect(gate.address, WAVE)?;
        load::run(&mut wave, &request, WAVE)?;
        idle.extend(wave);
    }
    let after = gate.memory();
    let each = bytes(after.saturating_sub(before)) / bytes_of(IDLE);
    // They are all still there: none was closed to save memory.
    for wave in idle.chunks_mut(WAVE) {
        load::run(wave, &request, WAVE)?;
    }
    Ok(vec![
        Line::new("memory before", format!("{before} KiB"), "", true),
        Line::new(
            format!("memory with {IDLE} idle connections"),
            format!("{after} KiB"),
            "",
            true,
        ),
        Line::new("for each", format!("{each:.0} bytes"), "≤ 2048 bytes", each <= 2048.0),
        Line::new("that still answer", IDLE.to_string(), IDLE.to_string(), true),
    ])
}

fn bytes(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) * 1024.0
}

fn bytes_of(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
