//! What proxies hold for idle connections by TLS.

use super::cases::IDLE;
use super::compare;
use super::load_process::Load;
use super::options::Options;
use super::process_tree;
use super::proxies::{Contender, Place};
use super::table;

const COUNT: u32 = 10_000;

/// As many as are made and closed before it counts: what a proxy needs that has served anything is no cost of an idle connection.
const WARM_UP: u32 = 200;

pub(super) const NAME: &str = IDLE.name;

/// Measures each proxy in turn, by the memory of its processes that isn't shared, and prints a table.
///
/// # Errors
/// When ours can't be measured.
pub(super) fn run(options: &Options) -> Result<(), String> {
    let load = Load::build(!options.debug)?;
    let field = compare::field(&IDLE, options)?;
    let place = Place::make()?;
    let mut held: Vec<Result<Vec<f64>, String>> = field.contenders.iter().map(|_| Ok(Vec::new())).collect();
    for _ in 0..options.rounds {
        for (contender, held) in field.contenders.iter().zip(&mut held) {
            let Ok(samples) = held else { continue };
            match measure(&load, contender, &place) {
                Ok(each) => samples.push(each),
                Err(reason) => *held = Err(reason),
            }
        }
    }
    table::print_heading(options, "");
    let medians: Vec<Option<f64>> = held
        .iter()
        .map(|held| held.as_ref().ok().map(|samples| table::middle(samples.clone())))
        .collect();
    let best = table::least(medians[1..].iter().flatten().copied());
    println!("\n| {NAME} | bytes per connection of {COUNT} | to the best peer |\n|---|---|---|");
    for ((contender, held), median) in field.contenders.iter().zip(&held).zip(&medians) {
        let ratio = median.zip(best).map_or_else(
            || "no peer".to_owned(),
            |(median, best)| format!("{:.2}", median / best),
        );
        match (held, median) {
            (Err(reason), _) => println!("| {} | {} | |", contender.name, table::in_one_line(reason)),
            (Ok(_), median) => println!("| {} | {:.0} | {ratio} |", contender.name, median.unwrap_or(f64::NAN)),
        }
    }
    table::print_absent(&field);
    match held.swap_remove(0) {
        Ok(_) => Ok(()),
        Err(reason) => Err(format!("bench {NAME}: {reason}")),
    }
}

/// Bytes for each connection.
fn measure(load: &Load, contender: &Contender, place: &Place) -> Result<f64, String> {
    let upstream = load.upstream(IDLE.upstream)?;
    let proxy = contender.start(place, upstream.address)?;
    let address = proxy.address(IDLE.port);
    load.hold(address, WARM_UP)?.end()?;
    let before = process_tree::memory(proxy.pid());
    let held = load.hold(address, COUNT)?;
    let after = process_tree::memory(proxy.pid());
    // They are all still there: none was closed to save memory.
    let answered = held.end()?;
    if answered != COUNT.to_string() {
        return Err(format!("only {answered} of {COUNT} connections still answer"));
    }
    let grown = u32::try_from(after.saturating_sub(before) / 1024).unwrap_or(u32::MAX);
    Ok(f64::from(grown) * 1024.0 / f64::from(COUNT))
}
