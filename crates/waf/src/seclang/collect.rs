//! The values that rules look at: found once for each list of variables, and transformed once for each chain.

use super::bytes::ByteSet;
use super::rules::RuleSet;
use super::texts::Text;
use super::transaction::{Prepared, Resolved, Transaction, Value};
use super::variable::{Name, Selector, Target};

impl Transaction {
    /// The values of a list and what a chain makes of them, found out once for each set of facts.
    pub(super) fn prepare(&mut self, rules: &RuleSet, pair: usize) -> (Resolved, Prepared) {
        let (list, chain) = rules.pairs[pair];
        let resolved = self.resolve(rules, list);
        if self.prepared[pair].epoch == self.epoch {
            return (resolved, self.prepared[pair]);
        }
        let start = self.prepared_texts.len();
        let row = self.texts.new_row(&rules.words);
        let mut set = ByteSet::EMPTY;
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

    pub(super) fn resolve(&mut self, rules: &RuleSet, list: usize) -> Resolved {
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
    pub(super) fn collect(&mut self, rules: &RuleSet, list: usize, values: &mut Vec<Value>) {
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

    pub(super) fn tx_place(&self, rules: &RuleSet, key: &[u8]) -> Option<usize> {
        rules.tx_names.get(key).or_else(|| self.tx_made.get(key)).copied()
    }

    /// The full name of a value, such as `ARGS:id`.
    pub(super) fn name_of(&self, value: &Value) -> Vec<u8> {
        let name = value.name.as_str().as_bytes();
        match self.texts.get(value.key) {
            b"" => name.to_vec(),
            key => [name, b":", key].concat(),
        }
    }
}
