//! Calls of functions.

use ipnet::IpNet;
use regex::RegexBuilder;

use super::{Checker, Node, Typed, a, closest};
use crate::functions::{Function, OVERLOADS, Overload, Style};
use crate::problem::Problem;
use crate::syntax::Expression;
use crate::time::{Duration, Timestamp, Zone};
use crate::types::Type;
use crate::value::Constant;

/// The most bytes that a compiled pattern may take: what `\w{100}` needs, but not what `(\w{100}){100}` does.
const PATTERN_BYTES: usize = 1 << 20;

/// The most bytes that each thread may remember of a pattern's states.
const PATTERN_CACHE: usize = 1 << 19;

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        at: usize,
        of: Option<&Expression>,
        function: &str,
        arguments: &[Expression],
    ) -> Result<Typed, Problem> {
        if let (None, "has", [argument]) = (of, function, arguments) {
            return self.has(at, argument);
        }
        if let Some(range) = of
            && let Some(found) = self.comprehension(at, range, function, arguments)?
        {
            return Ok(found);
        }
        let style = if of.is_some() { Style::Method } else { Style::Global };
        let mut given = Vec::with_capacity(arguments.len() + 1);
        for argument in of.into_iter().chain(arguments) {
            given.push(self.check(argument)?);
        }
        let named: Vec<&Overload> = OVERLOADS
            .iter()
            .filter(|overload| overload.name == function && (overload.style == style || overload.style == Style::Both))
            .collect();
        if named.is_empty() {
            return Err(Problem::new(at, unknown(function, style)));
        }
        let fitting: Vec<_> = named
            .into_iter()
            .filter(|overload| overload.takes.len() == given.len())
            .filter(|overload| {
                overload
                    .takes
                    .iter()
                    .zip(&given)
                    .all(|(shape, given)| shape.takes(&given.r#type))
            })
            .collect();
        let Some(first) = fitting.first() else {
            return Err(Problem::new(at, unfit(function, style, &given)));
        };
        let same = fitting.iter().all(|overload| overload.gives == first.gives);
        let r#type = if same { first.gives.as_type() } else { Type::Dyn };
        let nodes = given.into_iter().map(|given| given.node).collect();
        let at_last = arguments.last().map_or(at, |argument| argument.at);
        Ok(Typed::folded(node(first.function, nodes, at_last)?, r#type))
    }
}

fn unknown(function: &str, style: Style) -> String {
    let other = OVERLOADS.iter().find(|overload| overload.name == function);
    match (other, style) {
        (Some(_), Style::Method) => format!("`{function}` is a function, not a method: write `{function}(…)`"),
        (Some(_), _) => format!("`{function}` is a method: write `….{function}(…)`"),
        (None, _) => {
            let macros = ["all", "exists", "exists_one", "filter", "has", "map"];
            let names = OVERLOADS.iter().map(|overload| overload.name).chain(macros);
            format!("there is no function `{function}`{}", closest(function, names))
        }
    }
}

fn unfit(function: &str, style: Style, given: &[Typed]) -> String {
    let types: Vec<_> = given.iter().map(|given| a(&given.r#type)).collect();
    match (style, types.split_first()) {
        (_, None) => format!("`{function}` takes arguments"),
        (Style::Method, Some((receiver, []))) => format!("{receiver} has no `{function}` without arguments"),
        (Style::Method, Some((receiver, rest))) => {
            format!("{receiver} has no `{function}` that takes {}", rest.join(" and "))
        }
        _ => format!("`{function}` can't take {}", types.join(" and ")),
    }
}

/// The node of a call. What would be costly to read for each evaluation must be written in the expression, and is read here.
fn node(function: Function, mut arguments: Vec<Node>, at: usize) -> Result<Node, Problem> {
    let wrong = |message: String| Err(Problem::new(at, message));
    match (function, &arguments[..]) {
        (Function::Matches, [_, pattern]) => {
            let Node::Constant(Constant::String(pattern)) = pattern else {
                return wrong("the pattern of `matches` must be written in the expression".to_owned());
            };
            let built = RegexBuilder::new(pattern)
                .size_limit(PATTERN_BYTES)
                .dfa_size_limit(PATTERN_CACHE)
                .build();
            match built {
                Ok(regex) => Ok(Node::Matches(arguments.swap_remove(0).into(), regex.into())),
                Err(regex::Error::CompiledTooBig(_)) => wrong("the pattern of `matches` is too large".to_owned()),
                Err(error) => wrong(format!("the pattern of `matches` can't be read: {}", one_line(&error))),
            }
        }
        (Function::InNetwork, [_, Node::Constant(networks)]) => {
            let networks = read_networks(networks).map_err(|message| Problem::new(at, message))?;
            Ok(Node::InNetwork(arguments.swap_remove(0).into(), networks))
        }
        (Function::InNetwork, _) => wrong("the networks of `inNetwork` must be written in the expression".to_owned()),
        (Function::Time(part), [_]) => Ok(Node::Time(part, arguments.swap_remove(0).into(), Zone::Fixed(0).into())),
        (Function::Time(part), [_, Node::Constant(Constant::String(name))]) => match Zone::find(name) {
            Some(zone) => Ok(Node::Time(part, arguments.swap_remove(0).into(), zone.into())),
            None => wrong(format!(
                "there is no time zone `{name}`; it is `Europe/Berlin` or `+02:00`"
            )),
        },
        (Function::Time(_), _) => wrong("the time zone must be written in the expression".to_owned()),
        (Function::ToTimestamp, [Node::Constant(Constant::String(text))]) if text.parse::<Timestamp>().is_err() => {
            wrong(format!("`{text}` is no time; one is `2026-01-31T12:00:00Z`"))
        }
        (Function::ToDuration, [Node::Constant(Constant::String(text))]) if text.parse::<Duration>().is_err() => {
            wrong(format!("`{text}` is no duration; one is `1h30m` or `0.5s`"))
        }
        _ => Ok(Node::Call(function, arguments.into())),
    }
}

fn read_networks(networks: &Constant) -> Result<Box<[IpNet]>, String> {
    let texts: &[Constant] = match networks {
        Constant::List(texts) => texts,
        text => std::slice::from_ref(text),
    };
    let read = |text: &Constant| match text {
        Constant::String(text) => crate::evaluate::read_network(text)
            .ok_or_else(|| format!("`{text}` is no network; one is `10.0.0.0/8` or `2001:db8::1`")),
        _ => Err("the networks of `inNetwork` are strings".to_owned()),
    };
    texts.iter().map(read).collect()
}

/// The last line of the message, which says what is wrong; those before it draw the place.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
