//! What matches do: texts that are put together, values that are set, rules that are taken out.

use std::sync::Arc;

use super::action::Change;
use super::operator::number;
use super::rules::{Consequence, Rule, TxName};
use super::template::{Part, Template};
use super::texts::Text;
use super::transaction::Transaction;
use super::variable::{Name, Selector, Target};

/// The longest value of `TX`, in bytes.
const LONGEST_VALUE: usize = 64 << 10;

/// How many values of `TX` a transaction may make whose names the rule set doesn't know.
const MOST_MADE: usize = 4_096;

impl Transaction {
    /// A text with what it refers to put in.
    pub(super) fn expand(&self, template: &Template, id: u32) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &template.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Value(target) => self.expand_value(target, id, &mut out),
            }
            if out.len() > LONGEST_VALUE {
                out.truncate(LONGEST_VALUE);
                break;
            }
        }
        out
    }

    fn expand_value(&self, target: &Target, id: u32, out: &mut Vec<u8>) {
        match target.name {
            Name::Tx => {
                if let Selector::Key(key) = &target.selector
                    && let Some(place) = self.tx_place(&self.rules, key)
                {
                    out.extend_from_slice(self.texts.get(self.tx[place]));
                }
            }
            Name::MatchedVar => out.extend(
                self.matched
                    .last()
                    .into_iter()
                    .flat_map(|value| self.texts.get(value.text)),
            ),
            Name::MatchedVarName => out.extend(self.matched.last().into_iter().flat_map(|value| self.name_of(value))),
            Name::Rule => out.extend_from_slice(id.to_string().as_bytes()),
            name => {
                let facts = self.facts[name as usize].iter();
                let first = facts
                    .into_iter()
                    .find(|fact| target.selector.admits(self.texts.get(fact.key)));
                out.extend(first.into_iter().flat_map(|fact| self.texts.get(fact.text)));
            }
        }
    }

    pub(super) fn take_effect(&mut self, rule: &Rule, id: u32) {
        for effect in &rule.effects {
            match effect {
                Consequence::Set { name, change } => self.set_tx(name, change, id),
                Consequence::Engine(engine) => self.engine = *engine,
                Consequence::RequestBody(on) => self.request_body_on = *on,
                Consequence::BodyProcessor(processor) => self.set_processor(*processor),
                Consequence::ForceBodyVariable(on) => self.force_body = *on,
                Consequence::RemoveRules(numbers) => {
                    self.removed.resize(self.rules.count, false);
                    for number in numbers.iter() {
                        self.removed[*number] = true;
                    }
                }
                Consequence::RemoveTarget(numbers, target) => {
                    let known = self.removed_targets.iter().any(|(_, other)| Arc::ptr_eq(other, target));
                    if !known {
                        self.removed_targets.push((Arc::clone(numbers), Arc::clone(target)));
                    }
                }
            }
        }
    }

    fn set_tx(&mut self, name: &TxName, change: &Change, id: u32) {
        let place = match name {
            TxName::Known(place) => *place,
            TxName::Made(template) => match self.made_place(template, id) {
                Some(place) => place,
                None => return,
            },
        };
        let rules = Arc::clone(&self.rules);
        if rules.pinned.iter().any(|(pinned, _)| *pinned == place) {
            return;
        }
        let before = self.tx[place];
        self.tx[place] = match change {
            Change::Removed => Text::NONE,
            Change::To(template) => {
                let value = self.expand(template, id);
                self.texts.add(&value)
            }
            Change::Add(template) | Change::Subtract(template) => {
                let amount = number(&self.expand(template, id));
                let amount = if matches!(change, Change::Add(_)) {
                    amount
                } else {
                    amount.saturating_neg()
                };
                let sum = number(self.texts.get(before)).saturating_add(amount);
                self.texts.add(sum.to_string().as_bytes())
            }
        };
    }

    /// The place of a name that is made of what the request holds; `None` when there are too many of them.
    fn made_place(&mut self, template: &Template, id: u32) -> Option<usize> {
        let name = self.expand(template, id).to_ascii_lowercase();
        let rules = Arc::clone(&self.rules);
        if let Some(place) = self.tx_place(&rules, &name) {
            return Some(place);
        }
        if self.tx_made.len() >= MOST_MADE {
            self.exceed("the rules would have to remember more than is allowed");
            return None;
        }
        self.tx.push(Text::NONE);
        self.tx_made.insert(name.into(), self.tx.len() - 1);
        Some(self.tx.len() - 1)
    }
}
