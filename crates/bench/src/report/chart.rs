//! Charts as SVG inside of a page: drawn by us, stretched by the page, and readable without scripts.
//!
//! A chart has a fixed height in pixels and the width of its page. Lines are drawn in a box of [`WIDTH`] units that the page
//! stretches; texts stand beside it at places in percent, so that they are as large on a phone as on a screen.

use std::fmt::Write as _;

pub(crate) mod scale;

pub(crate) mod over_time;
pub(crate) mod percentiles;
pub(crate) mod process;
pub(crate) mod shift;
pub(crate) mod spread;

use super::escape::Markup;
use scale::Scale;

/// How wide the stretched box is, in its own units.
const WIDTH: f64 = 1000.0;
/// How far apart the names of two lines must stand, in pixels.
const LINE_OF_TEXT: f64 = 14.0;
/// What a character of a small label takes at most, in pixels.
const CHARACTER: f64 = 6.8;
/// What a chart's area is wide at least on a phone, in pixels. `page.css` shows what is for `wide` ones where they are wider than [`WIDE`].
const NARROW: f64 = 230.0;
/// The same on a screen.
const WIDE: f64 = 690.0;

/// A chart that is being drawn.
pub(crate) struct Chart<'c> {
    /// What tells it from other charts of the page: a word.
    pub(crate) name: &'c str,
    /// What it shows, for those who can't see it.
    pub(crate) title: &'c str,
    /// What there is to see, likewise.
    pub(crate) description: String,
    /// In pixels.
    pub(crate) height: f64,
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    behind: String,
    stretched: String,
    before: String,
    names: Vec<(f64, String, &'static str)>,
}

impl<'c> Chart<'c> {
    /// An empty one.
    pub(crate) fn new(name: &'c str, title: &'c str, height: f64, x: Scale, y: Scale) -> Chart<'c> {
        Chart {
            name,
            title,
            description: String::new(),
            height,
            x,
            y,
            behind: String::new(),
            stretched: String::new(),
            before: String::new(),
            names: Vec::new(),
        }
    }

    /// Where a value is on the way from left to right, in percent.
    fn percent(&self, x: f64) -> f64 {
        self.x.part(x) * 100.0
    }

    /// Where a value is from the top, in pixels.
    fn down(&self, y: f64) -> f64 {
        self.height * (1.0 - self.y.part(y))
    }

    /// Lines across for the ticks of the upright axis, with their texts.
    pub(crate) fn rows(&mut self, text: &dyn Fn(f64) -> String) {
        for tick in self.y.ticks(5) {
            let y = self.down(tick);
            put(
                &mut self.behind,
                format_args!(
                    "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                     <text class=\"tick\" x=\"-8\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    y + 4.0,
                    Markup(&text(tick))
                ),
            );
        }
    }

    /// Marks on the level axis, with their texts. Where a phone has no room for all it shows every second.
    pub(crate) fn columns(&mut self, text: &dyn Fn(f64) -> String) {
        let ticks = self.x.ticks(9);
        let longest = ticks.iter().map(|tick| text(*tick).chars().count()).max().unwrap_or(0);
        let room = NARROW / (longest as f64 * CHARACTER + 10.0);
        let every = (ticks.len() as f64 / room.max(1.0)).ceil().max(1.0);
        for (at, tick) in ticks.into_iter().enumerate() {
            let x = self.percent(tick);
            let class = if at as f64 % every == 0.0 { "" } else { " wide" };
            put(
                &mut self.behind,
                format_args!(
                    "<line class=\"mark{class}\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"{h}\" y2=\"{}\"/>\
                     <text class=\"tick{class}\" x=\"{x:.2}%\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                    self.height + 4.0,
                    self.height + 18.0,
                    Markup(&text(tick)),
                    h = self.height,
                ),
            );
        }
    }

    /// A stretch of the level axis with a name above it, where there is room for one, or a number.
    pub(crate) fn band(&mut self, number: usize, name: &str, from: f64, to: f64) {
        let (left, right) = (self.percent(from), self.percent(to));
        let width = (right - left).max(0.0);
        let class = if number.is_multiple_of(2) { "band" } else { "band other" };
        put(
            &mut self.behind,
            format_args!(
                "<rect class=\"{class}\" x=\"{left:.2}%\" y=\"-20\" width=\"{width:.2}%\" height=\"{}\"><title>{}</title></rect>",
                self.height + 20.0,
                Markup(name)
            ),
        );
        self.names_of_band(left, width, &number.to_string(), name);
    }

    /// The name where a screen has room for it, and for a phone, too, if that has; else the number, likewise.
    fn names_of_band(&mut self, left: f64, width: f64, number: &str, name: &str) {
        let fits = |text: &str, room: f64| text.chars().count() as f64 * CHARACTER + 8.0 <= room * width / 100.0;
        match [NARROW, WIDE].map(|room| {
            if fits(name, room) {
                Some(name)
            } else {
                fits(number, room).then_some(number)
            }
        }) {
            [Some(narrow), Some(wide)] if narrow == wide => self.name_of_band(left, width, "", wide),
            [narrow, wide] => {
                if let Some(narrow) = narrow {
                    self.name_of_band(left, width, " narrow", narrow);
                }
                if let Some(wide) = wide {
                    self.name_of_band(left, width, " wide", wide);
                }
            }
        }
    }

    fn name_of_band(&mut self, left: f64, width: f64, class: &str, name: &str) {
        put(
            &mut self.before,
            format_args!(
                "<text class=\"phase{class}\" x=\"{:.2}%\" y=\"-7\" text-anchor=\"middle\">{}</text>",
                left + width / 2.0,
                Markup(name)
            ),
        );
    }

    /// A line through points; nothing where a value is missing. Its name stands at its end.
    pub(crate) fn line(&mut self, class: &'static str, name: &str, points: &[(f64, Option<f64>)]) {
        let mut path = String::new();
        let mut drawing = false;
        for (x, y) in points {
            let Some(y) = y else {
                drawing = false;
                continue;
            };
            let command = if drawing { 'L' } else { 'M' };
            let (x, y) = (self.x.part(*x) * WIDTH, self.down(*y));
            // A single point would be no line; a short one shows where it is.
            let dot = if drawing { "" } else { "h.1" };
            put(&mut path, format_args!("{command}{x:.1} {y:.1}{dot}"));
            drawing = true;
        }
        put(
            &mut self.stretched,
            format_args!("<path class=\"line {class}\" d=\"{path}\"/>"),
        );
        if let Some(last) = points.iter().rev().find_map(|(_, y)| *y) {
            self.names.push((self.down(last), name.to_owned(), class));
        }
    }

    /// A bar that stands on the level axis.
    pub(crate) fn bar(&mut self, class: &str, from: f64, to: f64, value: f64, title: &str) {
        let (left, right, top) = (self.x.part(from) * WIDTH, self.x.part(to) * WIDTH, self.down(value));
        put(
            &mut self.stretched,
            format_args!(
                "<rect class=\"bar {class}\" x=\"{left:.2}\" y=\"{top:.1}\" width=\"{:.2}\" height=\"{:.1}\"><title>{}</title></rect>",
                (right - left).max(0.0),
                (self.height - top).max(0.0),
                Markup(title)
            ),
        );
    }

    /// What is told of a stretch of the level axis when a pointer rests upon it.
    pub(crate) fn told(&mut self, from: f64, to: f64, title: &str) {
        let (left, right) = (self.x.part(from) * WIDTH, self.x.part(to) * WIDTH);
        put(
            &mut self.stretched,
            format_args!(
                "<rect class=\"told\" x=\"{left:.2}\" y=\"0\" width=\"{:.2}\" height=\"{}\"><title>{}</title></rect>",
                right - left,
                self.height,
                Markup(title)
            ),
        );
    }

    /// A line across at a limit, with its words at the left.
    pub(crate) fn limit(&mut self, value: f64, text: &str) {
        let y = self.down(value);
        let beside = if y < 2.0 * LINE_OF_TEXT {
            y + LINE_OF_TEXT
        } else {
            y - 5.0
        };
        put(
            &mut self.before,
            format_args!(
                "<line class=\"limit\" x1=\"0\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"note\" x=\"5\" y=\"{beside:.1}\">{}</text>",
                Markup(text)
            ),
        );
    }

    /// A line upright at a value, with what it means beside its top, `step` lines of text lower than the top.
    pub(crate) fn upright(&mut self, class: &str, value: f64, text: &str, step: u8) {
        let x = self.percent(value);
        let (anchor, shift) = if x > 70.0 { ("end", -5) } else { ("start", 5) };
        put(
            &mut self.before,
            format_args!(
                "<line class=\"upright {class}\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"{}\"/>\
                 <text class=\"note\" x=\"{x:.2}%\" dx=\"{shift}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                self.height,
                11.0 + f64::from(step) * LINE_OF_TEXT,
                Markup(text)
            ),
        );
    }

    /// A stretch of the upright axis over the whole width, with what it means; a line where it has no height.
    pub(crate) fn across(&mut self, class: &str, low: f64, high: f64, text: &str) {
        let (top, bottom) = (self.down(high), self.down(low));
        put(
            &mut self.behind,
            format_args!(
                "<rect class=\"{class}\" x=\"0\" y=\"{top:.1}\" width=\"100%\" height=\"{:.1}\"/>\
                 <text class=\"tick\" x=\"100%\" dx=\"-4\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                (bottom - top).max(1.0),
                top - 4.0,
                Markup(text)
            ),
        );
    }

    /// An upright interval with its estimate.
    pub(crate) fn interval(&mut self, class: &str, x: f64, low: f64, value: f64, high: f64) {
        let (x, top, at, bottom) = (self.percent(x), self.down(high), self.down(value), self.down(low));
        put(
            &mut self.before,
            format_args!(
                "<line class=\"interval {class}\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>\
                 <circle class=\"{class}\" cx=\"{x:.2}%\" cy=\"{at:.1}\" r=\"4\"/>"
            ),
        );
    }

    /// A name below a place of the level axis, which a phone may have no room for.
    pub(crate) fn named(&mut self, x: f64, name: &str, wide_only: bool) {
        let class = if wide_only { "tick wide" } else { "tick" };
        let (x, y) = (self.percent(x), self.height + 18.0);
        put(
            &mut self.behind,
            format_args!(
                "<text class=\"{class}\" x=\"{x:.2}%\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
                Markup(name)
            ),
        );
    }

    /// A stretch with ends, near the top, and what it means.
    pub(crate) fn span(&mut self, from: f64, to: f64, text: &str) {
        let (left, right) = (self.percent(from), self.percent(to));
        let (anchor, at) = if left > 50.0 { ("end", right) } else { ("start", left) };
        put(
            &mut self.before,
            format_args!(
                "<g class=\"span\"><line x1=\"{left:.2}%\" x2=\"{right:.2}%\" y1=\"22\" y2=\"22\"/>\
                 <line x1=\"{left:.2}%\" x2=\"{left:.2}%\" y1=\"17\" y2=\"27\"/>\
                 <line x1=\"{right:.2}%\" x2=\"{right:.2}%\" y1=\"17\" y2=\"27\"/>\
                 <text class=\"note\" x=\"{at:.2}%\" y=\"13\" text-anchor=\"{anchor}\">{}</text></g>",
                Markup(text)
            ),
        );
    }

    /// The chart as SVG.
    pub(crate) fn svg(mut self) -> String {
        self.put_names();
        let Chart { name, height, .. } = self;
        format!(
            "<svg class=\"chart\" width=\"100%\" height=\"{height}\" role=\"img\" aria-labelledby=\"{name}-title {name}-text\">\
             <title id=\"{name}-title\">{}</title><desc id=\"{name}-text\">{}</desc>{}\
             <svg class=\"stretched\" width=\"100%\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" preserveAspectRatio=\"none\">{}</svg>\
             {}</svg>",
            Markup(self.title),
            Markup(&self.description),
            self.behind,
            self.stretched,
            self.before
        )
    }

    /// The names of lines at their ends, moved apart where they would cover each other.
    fn put_names(&mut self) {
        let mut names = std::mem::take(&mut self.names);
        names.sort_by(|one, other| one.0.total_cmp(&other.0));
        let most = self.height - LINE_OF_TEXT * (names.len() as f64 - 1.0);
        let mut free = 4.0_f64;
        for (at, (down, name, class)) in names.into_iter().enumerate() {
            let y = down.clamp(free, (most + LINE_OF_TEXT * at as f64).max(free));
            free = y + LINE_OF_TEXT;
            put(
                &mut self.before,
                format_args!(
                    "<text class=\"name {class}\" x=\"100%\" dx=\"6\" y=\"{:.1}\">{}</text>",
                    y + 4.0,
                    Markup(&name)
                ),
            );
        }
    }
}

pub(crate) fn put(svg: &mut String, what: std::fmt::Arguments<'_>) {
    svg.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart<'static> {
        Chart::new(
            "test",
            "A test",
            200.0,
            Scale::linear(0.0, 10.0),
            Scale::linear(0.0, 100.0),
        )
    }

    #[test]
    fn names_of_lines_stand_apart() {
        let mut chart = chart();
        for name in ["a", "b", "c"] {
            chart.line("p50", name, &[(0.0, Some(1.0)), (10.0, Some(1.0))]);
        }
        let svg = chart.svg();
        for y in ["\"176.0\"", "\"190.0\"", "\"204.0\""] {
            assert!(svg.contains(&format!("dx=\"6\" y={y}")), "{y} in {svg}");
        }
    }

    #[test]
    fn a_line_has_a_gap_where_nothing_is_known() {
        let mut chart = chart();
        chart.line("p50", "p50", &[(0.0, Some(0.0)), (5.0, None), (10.0, Some(100.0))]);
        assert!(chart.svg().contains("d=\"M0.0 200.0h.1M1000.0 0.0h.1\""));
    }

    #[test]
    fn a_narrow_band_has_a_number_a_narrower_one_nothing() {
        let named = |to: f64| {
            let mut chart = chart();
            chart.band(7, "warming up", 0.0, to);
            let svg = chart.svg();
            let texts = svg.split("<text class=\"phase").skip(1);
            texts
                .map(|text| text.split(['>', '<']).nth(1).unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(named(10.0), ["warming up"]);
        assert_eq!(named(2.0), ["7", "warming up"]);
        assert_eq!(named(0.8), ["7"]);
        assert!(named(0.1).is_empty());
    }

    #[test]
    fn texts_remain_texts() {
        let mut chart = chart();
        chart.band(1, "<b>\"'&", 0.0, 10.0);
        chart.upright("quantile", 5.0, "<i>", 0);
        chart.description = "</desc><script>".to_owned();
        let svg = chart.svg();
        assert!(
            !svg.contains("<b>") && !svg.contains("<i>") && !svg.contains("<script"),
            "{svg}"
        );
    }
}
