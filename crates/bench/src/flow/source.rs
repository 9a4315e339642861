//! Where a value comes from.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Iteration;
use super::capture::Keep;
use super::data::DataSet;
use super::value::{Kind, Seen};
use crate::request::Unfit;

/// What a placeholder stands for.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A column of the row that the iteration has taken of a set.
    Column { set: Arc<DataSet>, column: usize },
    /// What was captured.
    Captured(Keep),
    /// A whole number, each as likely as the others.
    Random { least: u64, most: u64 },
    /// A whole number, the first ones more likely than the others.
    Popular { least: u64, most: u64 },
    /// A random UUID (RFC 9562 §5.4).
    Uuid,
    /// The number of the arrival.
    Number,
    /// The seconds since 1970.
    Timestamp,
}

impl Source {
    /// Gives the value of this iteration to `look`.
    ///
    /// # Errors
    /// When there is none: data that is used up, something that was not captured. `name` is what the placeholder says.
    pub(crate) fn value<T>(
        &self,
        iteration: &mut Iteration,
        name: &str,
        look: impl FnOnce(Seen<'_>) -> Result<T, Unfit>,
    ) -> Result<T, Unfit> {
        let number = match self {
            Source::Column { set, column } => {
                let row = iteration.row(set)?;
                return look(set.value(row, *column));
            }
            Source::Captured(keep) => {
                let value = keep.value(iteration);
                let value = value.ok_or_else(|| Unfit(format!("`{name}` was not captured")))?;
                return look(value.seen());
            }
            Source::Uuid => {
                return look(Seen {
                    text: &uuid(&mut iteration.chance),
                    kind: Kind::Text,
                });
            }
            Source::Random { least, most } => iteration.chance.u64(*least..=*most),
            Source::Popular { least, most } => least + popular(&mut iteration.chance, most - least),
            Source::Number => iteration.number,
            Source::Timestamp => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
        };
        let text = number.to_string();
        look(Seen {
            text: &text,
            kind: Kind::Json,
        })
    }
}

impl Iteration {
    /// The row that it has of a set; its own from the first time on.
    fn row(&mut self, set: &DataSet) -> Result<usize, Unfit> {
        if let Some(Some(row)) = self.rows.get(set.place) {
            return Ok(*row);
        }
        let row = set.next(&mut self.chance)?;
        if self.rows.len() <= set.place {
            self.rows.resize(set.place + 1, None);
        }
        self.rows[set.place] = Some(row);
        Ok(row)
    }
}

/// A number from 0 to `most`, of which `n` has about the chance `1/(n+1)`: how popular things are, by Zipf's law with the
/// exponent one. The logarithm of an evenly chosen power is so distributed, and takes no table.
pub(crate) fn popular(chance: &mut fastrand::Rng, most: u64) -> u64 {
    #[allow(
        clippy::cast_precision_loss,
        reason = "which of 2^53 numbers it is makes no difference here"
    )]
    let span = most as f64 + 2.0;
    let place = span.powf(chance.f64()).floor() - 1.0;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between 0 and `most`; a float beyond is cut off there"
    )]
    let place = place as u64;
    place.min(most)
}

fn uuid(chance: &mut fastrand::Rng) -> String {
    let random = chance.u128(..);
    // The version, 4, and the variant, binary 10.
    let random = random & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let mut text = String::with_capacity(36);
    for (shift, digits) in [(96, 8), (80, 4), (64, 4), (48, 4), (0, 12)] {
        if !text.is_empty() {
            text.push('-');
        }
        let part = random >> shift & ((1 << (digits * 4)) - 1);
        write!(text, "{part:0digits$x}").expect("writing to a text doesn't fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_that_it_is_random() {
        let mut chance = fastrand::Rng::with_seed(7);
        for _ in 0..100 {
            let text = uuid(&mut chance);
            let bytes = text.as_bytes();
            assert_eq!(
                (text.len(), bytes[8], bytes[13], bytes[18], bytes[23]),
                (36, b'-', b'-', b'-', b'-')
            );
            assert!(bytes[14] == b'4' && b"89ab".contains(&bytes[19]), "{text}");
        }
    }

    #[test]
    fn what_is_popular_comes_more_often() {
        let mut chance = fastrand::Rng::with_seed(7);
        let mut counts = [0u32; 100];
        for _ in 0..100_000 {
            counts[usize::try_from(popular(&mut chance, 99)).expect("it is small")] += 1;
        }
        assert!(counts.iter().all(|count| *count > 0));
        // ln 2 / ln 101 = 15.0 % and ln 1.5 / ln 101 = 8.8 %, with three standard deviations of room.
        assert!((14_600..15_500).contains(&counts[0]), "{}", counts[0]);
        assert!((8_500..9_100).contains(&counts[1]), "{}", counts[1]);
        assert_eq!(popular(&mut chance, 0), 0);
        popular(&mut chance, u64::MAX - 1);
    }
}
