//! A run on a terminal while it goes on: redrawn in its place, or a line from time to time where there is no terminal.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use rustix::termios::tcgetwinsize;

mod line;
mod view;

use crate::engine::{Progress, Watch};
use crate::report::escape::plain;

/// How often a line is written where nothing can be redrawn.
const BETWEEN_LINES: Duration = Duration::from_secs(5);
/// The size of a terminal that doesn't tell its own.
const USUAL_SIZE: Size = Size { columns: 80, rows: 24 };

/// Shows how a run goes. What it last showed remains.
pub struct Live {
    output: Box<dyn Write + Send>,
    terminal: Option<Terminal>,
    /// Lines of the view, above which the cursor has to go to draw it again.
    drawn: usize,
    /// When a line was last written, from the start of the run.
    told: Option<Duration>,
}

/// What a terminal is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Whether it may have colours.
    pub colours: bool,
    /// Its size; nothing where it is to be asked each time, because it changes.
    pub size: Option<Size>,
}

/// How much a terminal shows, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// In a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

impl Live {
    /// On standard error: redrawn where that is a terminal which can do it, and without colours where `NO_COLOR` is set
    /// (no-color.org).
    pub fn on_standard_error() -> Live {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let able = io::stderr().is_terminal() && set("TERM").is_some_and(|kind| kind != "dumb");
        let terminal = able.then(|| Terminal {
            colours: set("NO_COLOR").is_none(),
            size: None,
        });
        Live::to(Box::new(io::stderr()), terminal)
    }

    /// Anywhere else; in lines where there is no terminal.
    pub fn to(output: Box<dyn Write + Send>, terminal: Option<Terminal>) -> Live {
        Live {
            output,
            terminal,
            drawn: 0,
            told: None,
        }
    }

    /// Says something that remains above what is shown from now on, such as which run of several begins. What was shown before
    /// remains, too.
    pub fn say(&mut self, text: &str) {
        self.drawn = 0;
        self.told = None;
        self.write(&format!("{}\n", plain(text)));
    }

    fn draw(&mut self, progress: &Progress<'_>, terminal: Terminal) {
        let size = terminal.size.or_else(asked_size).unwrap_or(USUAL_SIZE);
        let mut lines = view::lines(progress, size.columns);
        // What is higher than the terminal can't be drawn again: the cursor goes no further than to its top.
        lines.truncate(size.rows.saturating_sub(1).max(1));
        let mut text = match self.drawn {
            0 => String::new(),
            // As many as were drawn, unless the terminal has become lower than that since.
            drawn => format!("\x1b[{}A", drawn.min(size.rows.saturating_sub(1).max(1))),
        };
        for line in &lines {
            text.push_str("\r\x1b[2K");
            line.put(&mut text, size.columns.saturating_sub(1), terminal.colours);
            text.push('\n');
        }
        text.push_str("\x1b[J");
        self.drawn = lines.len();
        self.write(&text);
    }

    fn tell(&mut self, progress: &Progress<'_>) {
        // Several runs may follow each other, each from its own beginning.
        let since = self.told.map_or(Duration::MAX, |told| progress.elapsed.abs_diff(told));
        if since >= BETWEEN_LINES && !progress.seconds.is_empty() {
            self.told = Some(progress.elapsed);
            self.write(&format!("{}\n", view::sentence(progress)));
        }
    }

    /// A view that can't be written is no reason to end a run.
    fn write(&mut self, text: &str) {
        let _ = self.output.write_all(text.as_bytes());
        let _ = self.output.flush();
    }
}

impl Watch for Live {
    fn look(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        match self.terminal {
            Some(terminal) => self.draw(progress, terminal),
            None => self.tell(progress),
        }
        ControlFlow::Continue(())
    }
}

fn asked_size() -> Option<Size> {
    let size = tcgetwinsize(io::stderr()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| Size {
        columns: usize::from(size.ws_col),
        rows: usize::from(size.ws_row),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::live::view::samples::Run;

    /// What was written.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn on(columns: usize, rows: usize, colours: bool) -> (Live, Written) {
        let written = Written::default();
        let size = Some(Size { columns, rows });
        let live = Live::to(Box::new(written.clone()), Some(Terminal { colours, size }));
        (live, written)
    }

    #[test]
    fn a_view_is_drawn_over_the_one_before() {
        let (mut live, written) = on(80, 24, false);
        let run = Run::after(12);
        assert_eq!(live.look(&run.progress()), ControlFlow::Continue(()));
        let first = written.take();
        assert!(first.starts_with("\r\x1b[2K"), "{first:?}");
        let lines = first.matches('\n').count();
        let _ = live.look(&Run::after(13).progress());
        assert!(written.take().starts_with(&format!("\x1b[{lines}A\r\x1b[2K")));
    }

    #[test]
    fn what_is_said_remains() {
        let (mut live, written) = on(80, 24, false);
        let run = Run::after(12);
        let _ = live.look(&run.progress());
        written.take();
        live.say("run 2 of 10\u{1b}[2J");
        let _ = live.look(&run.progress());
        let text = written.take();
        assert!(text.starts_with("run 2 of 10\\u{1b}[2J\n\r\x1b[2K"), "{text:?}");
    }

    #[test]
    fn colours_are_there_only_where_they_may_be() {
        for colours in [false, true] {
            let (mut live, written) = on(80, 24, colours);
            let _ = live.look(&Run::after(12).progress());
            assert_eq!(written.take().contains("\x1b[31m"), colours);
        }
    }

    #[test]
    fn a_low_terminal_gets_no_more_lines_than_it_has() {
        let (mut live, written) = on(80, 3, false);
        let _ = live.look(&Run::after(12).progress());
        assert_eq!(written.take().matches('\n').count(), 2);
    }

    #[test]
    fn without_a_terminal_there_is_a_line_from_time_to_time() {
        let written = Written::default();
        let mut live = Live::to(Box::new(written.clone()), None);
        for quarter in 0..80 {
            let mut run = Run::after(quarter / 4);
            run.elapsed = Duration::from_millis(250) * quarter;
            let _ = live.look(&run.progress());
        }
        let text = written.take();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(!text.contains('\x1b'));
        let mut again = Run::after(1);
        again.elapsed = Duration::from_secs(1);
        let _ = live.look(&again.progress());
        assert_eq!(written.take().lines().count(), 1, "the next run is told of at once");
    }
}
