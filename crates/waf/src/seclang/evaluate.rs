//! Runs the rules of a phase.

use std::borrow::Cow;
use std::sync::Arc;

use super::action::{Allowed, Engine};
use super::operator::Found;
use super::pattern::GROUPS;
use super::rules::{Decision, Rule, RuleSet};
use super::template::Template;
use super::texts::Text;
use super::transaction::{Hit, Refusal, Transaction, Value};

/// How many variables a hit names, and how much of a name.
const MOST_VARIABLES: usize = 8;
const LONGEST_NAME: usize = 128;

/// How much of what it found a hit repeats, in bytes.
const LONGEST_DATA: usize = 512;

impl Transaction {
    pub(super) fn run(&mut self, phase: usize) {
        let rules = Arc::clone(&self.rules);
        let of_phase = &rules.phases[phase - 1];
        if self.allowed == Some(Allowed::Phase) {
            self.allowed = None;
        }
        self.epoch += 1;
        let mut at = 0;
        while let Some(rule) = of_phase.get(at) {
            if self.engine == Engine::Off || self.allowed.is_some() || self.is_decided() {
                return;
            }
            at += 1;
            if self.removed.get(rule.number) == Some(&true) {
                continue;
            }
            self.matched.clear();
            if !self.chain_matches(&rules, rule) {
                continue;
            }
            self.conclude_match(rule);
            if let Some(to) = rule.skip_to {
                at = to;
            }
        }
    }

    fn chain_matches(&mut self, rules: &RuleSet, head: &Rule) -> bool {
        let mut link = Some(head);
        while let Some(rule) = link {
            if !self.matches(rules, rule, head.id) {
                return false;
            }
            link = rule.next.as_deref();
        }
        true
    }

    /// Tells of a rule that matched and does what it says.
    fn conclude_match(&mut self, rule: &Rule) {
        let refuses = matches!(rule.disruptive, Decision::Deny(_) | Decision::Redirect(..));
        if let Some(severity) = rule.severity {
            self.highest_severity = self.highest_severity.min(severity);
        }
        if rule.log {
            let text = |template: &Option<Template>| {
                let bytes = template.as_ref().map(|template| self.expand(template, rule.id));
                let bytes = bytes.as_deref().unwrap_or_default();
                String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST_DATA)]).into_owned()
            };
            let (message, data) = (text(&rule.message), text(&rule.data));
            let variables = self.matched_names();
            self.hits.push(Hit {
                rule: rule.id,
                message,
                data,
                variables,
                severity: rule.severity,
                tags: Arc::clone(&rule.tags),
                refuses,
            });
        }
        let only_reported = self.engine == Engine::DetectionOnly;
        match &rule.disruptive {
            Decision::Pass => {}
            Decision::Allow(how) if !only_reported => self.allowed = Some(*how),
            Decision::Allow(_) => {}
            Decision::Deny(status) => self.refuse(rule.id, *status, None),
            Decision::Redirect(status, to) => self.refuse(rule.id, *status, Some(Arc::clone(to))),
        }
    }

    /// The names of what the chain matched: a few of them, and the last.
    fn matched_names(&self) -> Vec<String> {
        let count = self.matched.len();
        let mut names: Vec<String> = Vec::new();
        for (nth, value) in self.matched.iter().enumerate() {
            if nth >= MOST_VARIABLES - 1 && nth + 1 < count {
                continue;
            }
            let name = self.name_of(value);
            let name = String::from_utf8_lossy(&name[..name.len().min(LONGEST_NAME)]).into_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn refuse(&mut self, rule: u32, status: u16, redirect: Option<Arc<str>>) {
        let only_reported = self.engine == Engine::DetectionOnly;
        self.refusal.get_or_insert(Refusal {
            rule,
            status,
            redirect,
            only_reported,
        });
    }

    /// Whether a rule matches any of its values. What it does for each match is done.
    fn matches(&mut self, rules: &RuleSet, rule: &Rule, id: u32) -> bool {
        let Some(list) = rule.list else {
            self.take_effect(rule, id);
            return true;
        };
        let argument = match rule.operator.argument() {
            None => Cow::Borrowed(&b""[..]),
            Some(template) => match template.constant() {
                Some(constant) => Cow::Borrowed(constant),
                None => Cow::Owned(self.expand(template, id)),
            },
        };
        if rules.lists[list].lasting && !rule.multi_match {
            return self.matches_lasting(rules, rule, id, &argument);
        }
        let mut values = Vec::new();
        self.collect(rules, list, &mut values);
        let mut matched = false;
        for value in values {
            let texts = if rule.multi_match {
                self.each_step(rules, value.text, rule.chain)
            } else {
                Vec::new()
            };
            let last = self.texts.derive(&rules.chains, value.text, rule.chain);
            for text in texts.into_iter().chain([last]) {
                matched |= self.asks(rules, rule, id, value, text, &argument);
            }
        }
        matched
    }

    /// As [`Transaction::matches`] for facts that don't change: most rules are ruled out for all values at a glance.
    fn matches_lasting(&mut self, rules: &RuleSet, rule: &Rule, id: u32, argument: &[u8]) -> bool {
        let (resolved, prepared) = self.prepare(rules, rule.pair);
        let admission = &rule.admission;
        if resolved.length == 0
            || admission
                .bytes
                .iter()
                .flatten()
                .any(|bytes| !bytes.meets(&prepared.set))
            || admission
                .words
                .iter()
                .flatten()
                .any(|list| !self.texts.row_has(prepared.row, *list))
        {
            return false;
        }
        let mut matched = false;
        for nth in 0..resolved.length {
            let value = self.values[resolved.start + nth];
            let text = self.prepared_texts[prepared.start + nth];
            matched |= self.asks(rules, rule, id, value, text, argument);
        }
        matched
    }

    /// Asks a rule's question of one value.
    fn asks(&mut self, rules: &RuleSet, rule: &Rule, id: u32, value: Value, text: Text, argument: &[u8]) -> bool {
        if !self.texts.admits(rules, text, &rule.admission) || self.is_excluded(rule, &value) {
            return false;
        }
        let length = self.texts.get(text).len();
        if !self.spend(length) {
            return false;
        }
        let set = self.texts.set(text);
        let mut found = Found::default();
        let wanted = (rule.capture && !rule.negated).then_some(&mut found);
        if rule.operator.holds(self.texts.get(text), &set, argument, wanted) == rule.negated {
            return false;
        }
        if rule.capture && !rule.negated {
            self.keep_captures(rules, text, &found);
        }
        self.matched.push(Value { text, ..value });
        self.take_effect(rule, id);
        true
    }

    fn keep_captures(&mut self, rules: &RuleSet, text: Text, found: &Found) {
        for group in 0..GROUPS {
            let piece = match (found.spans[group], &found.text) {
                (Some((start, end)), _) => Some(self.texts.get(text)[start..end].to_vec()),
                (None, Some(text)) if group == 0 => Some(text.as_bytes().to_vec()),
                _ => None,
            };
            let place = rules.capture_places[group];
            self.tx[place] = piece.map_or(Text::NONE, |piece| self.texts.add(&piece));
        }
    }

    /// The texts that the steps of a chain make, but the last.
    fn each_step(&mut self, rules: &RuleSet, text: Text, chain: usize) -> Vec<Text> {
        let mut texts = Vec::new();
        let mut chain = chain;
        let last = self.texts.derive(&rules.chains, text, chain);
        while let Some((before, _)) = rules.chains[chain].last {
            chain = before;
            let made = self.texts.derive(&rules.chains, text, chain);
            if made != last && !texts.contains(&made) {
                texts.push(made);
            }
        }
        texts.reverse();
        texts
    }

    fn is_excluded(&self, rule: &Rule, value: &Value) -> bool {
        self.removed_targets.iter().any(|(numbers, target)| {
            target.name == value.name
                && numbers.binary_search(&rule.number).is_ok()
                && target.selector.admits(self.texts.get(value.key))
        })
    }
}
