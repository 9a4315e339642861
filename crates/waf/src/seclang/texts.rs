//! The texts of a transaction: values as they came and as transformations left them, in one piece of memory.

use super::bytes::ByteSet;
use super::rules::{Chain, RuleSet, Words};

/// A text of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text(u32);

impl Text {
    /// No text.
    pub(super) const NONE: Text = Text(u32::MAX);
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    length: usize,
    set: ByteSet,
    /// Where the row of what chains made of it begins, plus one; 0 while there is none.
    derived: usize,
    /// Where the row of words that were found in it begins, plus one; 0 while there is none.
    words: usize,
}

/// All texts.
#[derive(Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    derived: Vec<Text>,
    words: Vec<u64>,
    scratch: Vec<u8>,
}

impl Texts {
    /// Keeps a text.
    pub(super) fn add(&mut self, text: &[u8]) -> Text {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.keep(start)
    }

    /// Keeps a text of several parts.
    pub(super) fn add_parts(&mut self, parts: &[&[u8]]) -> Text {
        let start = self.bytes.len();
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.keep(start)
    }

    fn keep(&mut self, start: usize) -> Text {
        let number = u32::try_from(self.spans.len()).expect("a transaction's bodies and work are limited to less");
        self.spans.push(Span {
            start,
            length: self.bytes.len() - start,
            set: ByteSet::of(&self.bytes[start..]),
            derived: 0,
            words: 0,
        });
        Text(number)
    }

    pub(super) fn get(&self, text: Text) -> &[u8] {
        match self.spans.get(text.0 as usize) {
            Some(span) => &self.bytes[span.start..span.start + span.length],
            None => b"",
        }
    }

    pub(super) fn set(&self, text: Text) -> ByteSet {
        self.spans.get(text.0 as usize).map_or(ByteSet::EMPTY, |span| span.set)
    }

    /// All that is kept, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// What a chain of transformations makes of a text. A text that it leaves alone is returned itself.
    pub(super) fn derive(&mut self, chains: &[Chain], text: Text, chain: usize) -> Text {
        let Some((before, step)) = chains[chain].last else {
            return text;
        };
        let span = self.spans[text.0 as usize];
        if chains[chain].needs.is_some_and(|needs| !needs.meets(&span.set)) {
            return text;
        }
        let row = match span.derived {
            0 => {
                let row = self.derived.len();
                self.derived.resize(row + chains.len(), Text::NONE);
                self.spans[text.0 as usize].derived = row + 1;
                row
            }
            place => place - 1,
        };
        if self.derived[row + chain] != Text::NONE {
            return self.derived[row + chain];
        }
        let base = self.derive(chains, text, before);
        let unchanged = step
            .needs()
            .is_some_and(|needs| !needs.meets(&self.spans[base.0 as usize].set));
        let made = if unchanged {
            base
        } else {
            self.apply(base, step, row..row + chains.len())
        };
        self.derived[row + chain] = made;
        made
    }

    /// The transformed text; one that another chain has made already, where it is the same.
    fn apply(&mut self, base: Text, step: super::transform::Transform, row: std::ops::Range<usize>) -> Text {
        let mut made = std::mem::take(&mut self.scratch);
        made.clear();
        step.apply(self.get(base), &mut made);
        let of_others = self.derived[row].iter().copied().filter(|other| *other != Text::NONE);
        let same = std::iter::once(base)
            .chain(of_others)
            .find(|other| self.get(*other) == made);
        let text = same.unwrap_or_else(|| self.add(&made));
        self.scratch = made;
        text
    }

    /// Where the row of words of a text begins: bit n says whether a word of list n occurs.
    pub(super) fn words_of(&mut self, words: &Words, text: Text) -> usize {
        let span = self.spans[text.0 as usize];
        if span.words > 0 {
            return span.words - 1;
        }
        let row = self.new_row(words);
        match &words.searcher {
            Some(searcher) => {
                let value = &self.bytes[span.start..span.start + span.length];
                for found in searcher.find_overlapping_iter(value) {
                    let word = found.pattern().as_usize();
                    for list in &words.lists[words.starts[word] as usize..words.starts[word + 1] as usize] {
                        self.words[row + (*list as usize >> 6)] |= 1 << (list & 63);
                    }
                }
            }
            None => self.words[row..].fill(u64::MAX),
        }
        self.spans[text.0 as usize].words = row + 1;
        row
    }

    /// An empty row of words.
    pub(super) fn new_row(&mut self, words: &Words) -> usize {
        let row = self.words.len();
        self.words.resize(row + words.row(), 0);
        row
    }

    /// Adds what one row has to another.
    pub(super) fn add_row(&mut self, words: &Words, from: usize, to: usize) {
        for word in 0..words.row() {
            self.words[to + word] |= self.words[from + word];
        }
    }

    pub(super) fn row_has(&self, row: usize, list: u32) -> bool {
        self.words[row + (list as usize >> 6)] & 1 << (list & 63) != 0
    }

    /// Whether a text holds what a rule needs.
    pub(super) fn admits(&mut self, rules: &RuleSet, text: Text, admission: &super::rules::Admission) -> bool {
        let set = self.set(text);
        if admission.bytes.iter().flatten().any(|bytes| !bytes.meets(&set)) {
            return false;
        }
        if admission.words[0].is_none() {
            return true;
        }
        let row = self.words_of(&rules.words, text);
        admission.words.iter().flatten().all(|list| self.row_has(row, *list))
    }
}

impl Words {
    /// How long a row of bits is, in words of 64.
    fn row(&self) -> usize {
        self.count.div_ceil(64)
    }
}
