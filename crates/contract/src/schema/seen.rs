//! Which members or items of one value have been looked at, for `unevaluatedProperties` and `unevaluatedItems`.

/// The marks of one value, by the places of its members or items.
#[derive(Debug)]
pub(super) struct Seen(Vec<bool>);

impl Seen {
    /// Nothing of a value with so many members or items.
    pub(super) fn none_of(count: usize) -> Seen {
        Seen(vec![false; count])
    }

    pub(super) fn mark(&mut self, index: usize) {
        if let Some(mark) = self.0.get_mut(index) {
            *mark = true;
        }
    }

    pub(super) fn has(&self, index: usize) -> bool {
        self.0.get(index).copied().unwrap_or(false)
    }

    /// Takes over what another one has seen of the same value.
    pub(super) fn merge(&mut self, other: &Seen) {
        for (mark, other) in self.0.iter_mut().zip(&other.0) {
            *mark |= other;
        }
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}
