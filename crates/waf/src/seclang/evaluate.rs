//! Runs the rules of a phase.

use std::borrow::Cow;
use std::sync::Arc;

use super::action::{Allowed, Change, Engine};
use super::operator::{self, Found};
use super::pattern::GROUPS;
use super::rules::{Consequence, Decision, Rule, RuleSet, TxName};
use super::template::{Part, Template};
use super::texts::Text;
use super::transaction::{Hit, Prepared, Refusal, Resolved, Transaction, Value};
use super::variable::{Name, Selector, Target};

/// The longest value of `TX`, in bytes.
const LONGEST_VALUE: usize = 64 << 10;

/// How many values of `TX` a transaction may make whose names the rule set doesn't know.
const MOST_MADE: usize = 4_096;

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

    /// The values of a list and what a chain makes of them, found out once for each set of facts.
    fn prepare(&mut self, rules: &RuleSet, pair: usize) -> (Resolved, Prepared) {
        let (list, chain) = rules.pairs[pair];
        let resolved = self.resolve(rules, list);
        if self.prepared[pair].epoch == self.epoch {
            return (resolved, self.prepared[pair]);
        }
        let start = self.prepared_texts.len();
        let row = self.texts.new_row(&rules.words);
        let mut set = super::bytes::ByteSet::EMPTY;
        for nth in 0..resolved.length {
            let value = self.values[resolved.start + nth];
            let text = self.texts.derive(&rules.chains, value.text, chain);
            set.union(&self.texts.set(text));
            let of_text = self.texts.words_of(&rules.words, text);
            self.texts.add_row(&rules.words, of_text, row);
            self.prepared_texts.push(text);
        }
        let epoch = self.epoch;
        self.prepared[pair] = Prepared { epoch, start, set, row };
        (resolved, self.prepared[pair])
    }

    fn resolve(&mut self, rules: &RuleSet, list: usize) -> Resolved {
        if self.resolved[list].epoch == self.epoch {
            return self.resolved[list];
        }
        let mut values = std::mem::take(&mut self.values);
        let start = values.len();
        self.collect(rules, list, &mut values);
        let length = values.len() - start;
        self.values = values;
        let epoch = self.epoch;
        self.resolved[list] = Resolved { epoch, start, length };
        self.resolved[list]
    }

    /// Adds the values that a list names.
    fn collect(&mut self, rules: &RuleSet, list: usize, values: &mut Vec<Value>) {
        let targets = &rules.lists[list].targets;
        let start = values.len();
        for target in targets.iter().filter(|target| !target.excluded) {
            let first = values.len();
            self.values_of(rules, target, values);
            if target.count {
                let count = values.len() - first;
                values.truncate(first);
                let text = self.texts.add(count.to_string().as_bytes());
                values.push(Value {
                    name: target.name,
                    key: Text::NONE,
                    text,
                });
            }
        }
        let excluded: Vec<&Target> = targets.iter().filter(|target| target.excluded).collect();
        if excluded.is_empty() {
            return;
        }
        let mut kept = start;
        for at in start..values.len() {
            let value = values[at];
            let key = self.texts.get(value.key);
            if !excluded
                .iter()
                .any(|target| target.name == value.name && target.selector.admits(key))
            {
                values[kept] = value;
                kept += 1;
            }
        }
        values.truncate(kept);
    }

    /// Adds the values that one item of a list names.
    pub(super) fn values_of(&mut self, rules: &RuleSet, target: &Target, values: &mut Vec<Value>) {
        let name = target.name;
        match name {
            Name::Tx => self.tx_values(rules, &target.selector, values),
            Name::MatchedVar => values.extend(self.matched.last().map(|value| Value { name, ..*value })),
            Name::MatchedVars => values.extend_from_slice(&self.matched),
            Name::MatchedVarName | Name::MatchedVarsNames => {
                let from = if name == Name::MatchedVarName {
                    self.matched.len().saturating_sub(1)
                } else {
                    0
                };
                for at in from..self.matched.len() {
                    let text = self.name_of(&self.matched[at]);
                    let text = self.texts.add(&text);
                    values.push(Value {
                        name,
                        key: Text::NONE,
                        text,
                    });
                }
            }
            Name::Duration | Name::HighestSeverity => {
                let number = match name {
                    Name::Duration => self.began.elapsed().as_micros(),
                    _ => self.highest_severity.into(),
                };
                let text = self.texts.add(number.to_string().as_bytes());
                values.push(Value {
                    name,
                    key: Text::NONE,
                    text,
                });
            }
            _ => {
                for fact in &self.facts[name as usize] {
                    if target.selector.admits(self.texts.get(fact.key)) {
                        values.push(Value {
                            name,
                            key: fact.key,
                            text: fact.text,
                        });
                    }
                }
            }
        }
    }

    fn tx_values(&mut self, rules: &RuleSet, selector: &Selector, values: &mut Vec<Value>) {
        let name = Name::Tx;
        if let Selector::Key(key) = selector {
            let text = self.tx_place(rules, key).map_or(Text::NONE, |place| self.tx[place]);
            if text != Text::NONE {
                values.push(Value {
                    name,
                    key: Text::NONE,
                    text,
                });
            }
            return;
        }
        let known = rules.tx_names.iter().map(|(key, place)| (&**key, *place));
        let made = self.tx_made.iter().map(|(key, place)| (&**key, *place));
        let mut selected: Vec<(&[u8], Text)> = known
            .chain(made)
            .map(|(key, place)| (key, self.tx[place]))
            .filter(|(key, text)| *text != Text::NONE && selector.admits(key))
            .collect();
        selected.sort_unstable_by_key(|(key, _)| *key);
        for (key, text) in selected {
            let key = self.texts.add(key);
            values.push(Value { name, key, text });
        }
    }

    fn tx_place(&self, rules: &RuleSet, key: &[u8]) -> Option<usize> {
        rules.tx_names.get(key).or_else(|| self.tx_made.get(key)).copied()
    }

    /// The full name of a value, such as `ARGS:id`.
    fn name_of(&self, value: &Value) -> Vec<u8> {
        let name = value.name.as_str().as_bytes();
        match self.texts.get(value.key) {
            b"" => name.to_vec(),
            key => [name, b":", key].concat(),
        }
    }

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

    fn take_effect(&mut self, rule: &Rule, id: u32) {
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
        let number = |text: &[u8]| operator::number(text);
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
