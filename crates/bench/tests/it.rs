//! The load tester against servers whose behaviour is known.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod it {
    mod targets;

    mod flows;
    mod profiles;
    mod truths;
}
