#[allow(dead_code, reason = "what finds a route stands before what asks it")]
mod router;

fn main() {}
