//! Which fingerprints are attacks.

use super::fold::Summary;

/// A rule: how fingerprints that are attacks begin.
///
/// A letter stands for itself, `[…]` for any of its letters, `@` for any operand, and `$` for the end. Behind a `*` it may begin
/// anywhere.
struct Rule(&'static str, Unless);

/// When a fingerprint that a rule covers is benign all the same.
enum Unless {
    Never,
    /// Unless it ends in a short text that the program's quote closes.
    Loose,
    /// Unless it ends in a text that the program's quote closes and makes empty.
    Filled,
    /// Unless the first quote may begin a text.
    Opening,
    /// Unless the comment goes on like prose.
    Wordy,
    /// Unless there is nothing in it but words.
    Words,
    /// Unless no comment stands between its tokens.
    Uncommented,
}

const RULES: &[Rule] = &[
    // As it is, in the place of a number.
    Rule("@&[bFQC]", Unless::Never),
    Rule("[1sbv]&f", Unless::Never),
    Rule("[1s]&m$", Unless::Never),
    Rule("[1s]&mc", Unless::Wordy),
    Rule("@&[1sv]c", Unless::Wordy),
    Rule("@&[1sv][UB]", Unless::Never),
    Rule("@US", Unless::Words),
    Rule("[1s]B[1fF]", Unless::Never),
    Rule("nB1", Unless::Never),
    Rule("@;[ETR]", Unless::Never),
    Rule("[1s];f", Unless::Never),
    Rule("@;S[1svfFQ]", Unless::Never),
    Rule("@;Sn[kc;]", Unless::Never),
    Rule("@w[bF]", Unless::Never),
    Rule("@w@c", Unless::Wordy),
    Rule("1E[mbfF]", Unless::Never),
    Rule("F", Unless::Never),
    Rule("Q", Unless::Never),
    Rule("C[bmFQ]", Unless::Never),
    Rule("C[1sv]x", Unless::Never),
    Rule("En", Unless::Words),
    Rule("S@k@", Unless::Words),
    Rule("S[FQ]", Unless::Never),
    Rule("Sf", Unless::Words),
    Rule("[1s]S1k", Unless::Never),
    Rule("1knw", Unless::Never),
    Rule("f&f", Unless::Never),
    // Between quotes: the text ends, and SQL follows.
    Rule("q&[bmFQCf]", Unless::Never),
    Rule("q&[1v]$", Unless::Never),
    Rule("q&s$", Unless::Loose),
    Rule("q&@[c&;BU]", Unless::Wordy),
    Rule("qo[FQC]", Unless::Never),
    Rule("qof", Unless::Opening),
    Rule("q[o=~]@US", Unless::Never),
    Rule("qo@$", Unless::Filled),
    Rule("qo[bm]$", Unless::Loose),
    Rule("qo[f1]s$", Unless::Loose),
    Rule("q[o=]s$", Unless::Loose),
    Rule("q~s$", Unless::Filled),
    Rule("q[o=~]@c", Unless::Wordy),
    Rule("q[o=~]@&", Unless::Words),
    Rule("q=[bFQC]", Unless::Never),
    Rule("qUS", Unless::Never),
    Rule("q;[STRfF]", Unless::Never),
    Rule("q;E", Unless::Never),
    Rule("qE@c", Unless::Wordy),
    Rule("qB1", Unless::Never),
    Rule("qBn[cw]", Unless::Wordy),
    Rule("q[TFQ]", Unless::Never),
    Rule("qR@c", Unless::Wordy),
    Rule("qw[bmF]", Unless::Never),
    Rule("qc", Unless::Wordy),
    Rule("q;c", Unless::Wordy),
    Rule("q,@c", Unless::Wordy),
    Rule("q,[FQ]", Unless::Never),
    Rule("q,s$", Unless::Filled),
    // Wherever it stands.
    Rule("*US", Unless::Uncommented),
    Rule("*US[1svfFQ]", Unless::Never),
    Rule("*UQ", Unless::Never),
    Rule("*[&=o~]S[1svfFQ]", Unless::Never),
    Rule("*[&=~]fS[1svnfFQ]", Unless::Never),
    Rule("*T", Unless::Words),
    Rule("*;nF", Unless::Never),
    Rule("*[&=~]f[FQ]", Unless::Never),
];

/// Whether a rule covers it.
pub(super) fn is_attack(summary: &Summary) -> bool {
    let letters = summary.fingerprint.letters();
    // What databases but one skip is written for that one.
    if summary.executed && !letters.is_empty() {
        return true;
    }
    let quoted = letters.first() == Some(&b'q');
    RULES.iter().any(|Rule(pattern, unless)| {
        if !pattern.starts_with('*') && pattern.starts_with('q') != quoted {
            return false;
        }
        let found = match pattern.as_bytes() {
            [b'*', rest @ ..] => (0..letters.len()).any(|from| covers(rest, &letters[from..])),
            pattern => covers(pattern, letters),
        };
        found
            && match unless {
                Unless::Never => true,
                Unless::Loose => summary.open_end,
                Unless::Filled => summary.empty_end,
                Unless::Opening => !summary.opening,
                Unless::Wordy => !summary.wordy_comment,
                Unless::Uncommented => summary.inner_comments,
                Unless::Words => summary.symbols || summary.inner_comments,
            }
    })
}

fn covers(pattern: &[u8], letters: &[u8]) -> bool {
    let mut pattern = pattern;
    let mut letters = letters;
    loop {
        let (class, rest) = match pattern {
            [] => return true,
            [b'$', ..] => return letters.is_empty(),
            [b'[', ..] => {
                let end = pattern
                    .iter()
                    .position(|byte| *byte == b']')
                    .unwrap_or(pattern.len() - 1);
                (&pattern[1..end], &pattern[end + 1..])
            }
            [b'@', rest @ ..] => (&b"1svnfbmCQF"[..], rest),
            [_, rest @ ..] => (&pattern[..1], rest),
        };
        match letters {
            [letter, behind @ ..] if class.contains(letter) => letters = behind,
            _ => return false,
        }
        pattern = rest;
    }
}
