//! Who looks on at a run: a person at a terminal, who may end it.

use std::ops::ControlFlow;

use portcullis_bench::duel::{Side, Spectator};
use portcullis_bench::engine::{Progress, Watch};
use portcullis_bench::live::Live;

use crate::bench::interrupt;

/// Shows how a run is going, and ends it when somebody asks for that.
pub(crate) struct Looking {
    live: Option<Live>,
}

impl Looking {
    /// One that shows nothing, if it is to be quiet.
    pub(crate) fn new(quiet: bool) -> Looking {
        // From now on ctrl-C ends a run in order.
        let _ = interrupt::asked();
        Looking {
            live: (!quiet).then(Live::on_standard_error),
        }
    }

    /// Tells which of several runs begins.
    pub(crate) fn begins_run(&mut self, run: usize, of: usize) {
        if let Some(live) = self.live.as_mut().filter(|_| of > 1) {
            live.say(&format!("run {run} of {of}"));
        }
    }
}

impl Watch for Looking {
    fn look(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        if let Some(live) = &mut self.live {
            live.look(progress)?;
        }
        match interrupt::asked() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Spectator for Looking {
    fn begins(&mut self, side: Side, run: usize, of: usize) {
        let side = match side {
            Side::Base => "what is compared with",
            Side::Head => "what is compared",
        };
        if let Some(live) = &mut self.live {
            live.say(&format!("run {run} of {of}: {side}"));
        }
    }
}
