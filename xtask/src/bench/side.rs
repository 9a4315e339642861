//! Gates that are measured beside each other, under the same load.

use super::load;
use crate::gate::Gate;

const ROUNDS: usize = 7;
const REQUESTS: usize = 60_000;
const CONNECTIONS: usize = 32;

/// One of the gates, and what it is asked.
pub(super) struct Side {
    pub(super) gate: Gate,
    connections: Vec<load::Connection>,
    requests: Vec<Vec<u8>>,
    spent: Vec<f64>,
}

/// Loads all in turn, so that what disturbs the machine disturbs each; the first round warms up and isn't counted.
///
/// # Errors
/// At the first answer that isn't 200.
pub(super) fn rounds(sides: &mut [Side]) -> Result<(), String> {
    for round in 0..=ROUNDS {
        for side in &mut *sides {
            let spent = side.round()?;
            if round > 0 {
                side.spent.push(spent);
            }
        }
    }
    Ok(())
}

impl Side {
    pub(super) fn new(gate: Gate, requests: Vec<Vec<u8>>) -> Result<Side, String> {
        Ok(Side {
            connections: load::connect(gate.address, CONNECTIONS)?,
            gate,
            requests,
            spent: Vec::new(),
        })
    }

    /// Microseconds of CPU for a request.
    fn round(&mut self) -> Result<f64, String> {
        let before = self.gate.cpu();
        load::run(&mut self.connections, &self.requests, REQUESTS)?;
        let count = u32::try_from(REQUESTS).expect("the number of requests is small");
        Ok((self.gate.cpu() - before).as_secs_f64() * 1e6 / f64::from(count))
    }

    /// The median of the rounds.
    pub(super) fn median(&mut self) -> f64 {
        self.spent.sort_by(f64::total_cmp);
        self.spent[self.spent.len() / 2]
    }
}
