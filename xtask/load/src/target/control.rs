//! Commands by standard input, a line each: `delay MICROSECONDS`, `mode well|unavailable|reset`, `count`.

use std::io::BufRead;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc::unbounded_channel;

use super::{Mode, Target};

/// Does what is commanded until there is no one left to command.
pub(super) async fn obey(target: &Target) {
    let (sender, mut lines) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    while let Some(line) = lines.recv().await {
        match command(target, &line) {
            Some(answer) => println!("{answer}"),
            None => println!("`{line}` is no command"),
        }
    }
}

fn command(target: &Target, line: &str) -> Option<String> {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("delay", value) => target.delay.store(value.parse().ok()?, Ordering::Relaxed),
        ("mode", value) => {
            let mode = match value {
                "well" => Mode::Well,
                "unavailable" => Mode::Unavailable,
                "reset" => Mode::Reset,
                _ => return None,
            };
            target.mode.store(mode as u8, Ordering::Relaxed);
        }
        ("count", "") => {
            let (requests, connections) = (&target.requests, &target.connections);
            return Some(format!(
                "{} {}",
                requests.load(Ordering::Relaxed),
                connections.load(Ordering::Relaxed)
            ));
        }
        _ => return None,
    }
    Some("done".to_owned())
}
