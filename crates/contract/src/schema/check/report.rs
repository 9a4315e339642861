//! What is told of a value that breaks a schema.

use super::super::node::Types;
use super::{Place, Violation};
use crate::json::shown;
use crate::pointer;

/// The longest pointer that is told, bytes.
const LONGEST: usize = 256;

/// What has been found so far.
pub(super) struct Report {
    most: usize,
    violations: Vec<Violation>,
}

impl Report {
    pub(super) fn new(most: usize) -> Report {
        Report {
            most,
            violations: Vec::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.violations.len() >= self.most
    }

    pub(super) fn add(&mut self, place: &Place<'_>, what: String) {
        let pointer = place.pointer();
        if !self.is_full() {
            self.violations.push(Violation { pointer, what });
        }
    }

    pub(super) fn into_violations(self) -> Vec<Violation> {
        self.violations
    }
}

impl Place<'_> {
    fn pointer(&self) -> String {
        let mut steps = Vec::new();
        let mut place = self;
        loop {
            place = match place {
                Place::Root => break,
                Place::Member(parent, _) | Place::Item(parent, _) => {
                    steps.push(place);
                    parent
                }
            };
        }
        let mut out = String::new();
        for step in steps.into_iter().rev() {
            if out.len() > LONGEST {
                out.push('…');
                break;
            }
            match step {
                Place::Member(_, name) => pointer::push(&mut out, &shown(name)),
                Place::Item(_, index) => pointer::push_index(&mut out, *index),
                Place::Root => {}
            }
        }
        out
    }
}

pub(super) fn type_mismatch(types: Types) -> String {
    match types {
        Types::NONE => "this may not be here".to_owned(),
        types => format!("this must be {}", types.words()),
    }
}
