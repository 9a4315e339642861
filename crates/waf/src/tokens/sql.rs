//! Whether a value changes the SQL statement that it is put into.

mod fold;
mod kind;
mod lexer;
mod rules;
mod words;

use memchr::memchr;

use super::fingerprint::Fingerprint;
use fold::Folded;
use lexer::{Dialect, Lexer};

/// Looks at the input in each of the places where it may stand, until it is an attack in one.
pub(super) fn injection(input: &[u8]) -> Option<Fingerprint> {
    if is_one_word(input) {
        return None;
    }
    judge(input, None)
        .or_else(|| memchr(b'\'', input).and_then(|_| judge(input, Some(b'\''))))
        .or_else(|| memchr(b'"', input).and_then(|_| judge(input, Some(b'"'))))
}

/// Numbers, names, dates, addresses: what most values are, and what can't be two tokens that matter.
fn is_one_word(input: &[u8]) -> bool {
    let mut dash = false;
    input.iter().all(|byte| {
        let second_dash = dash && *byte == b'-';
        dash = *byte == b'-';
        !second_dash && (byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':'))
    })
}

fn judge(input: &[u8], quote: Option<u8>) -> Option<Fingerprint> {
    let (attack, standard) = judge_in(input, quote, Dialect::Standard, true);
    if attack.is_some() {
        return attack;
    }
    // The two differ by their comments only.
    if standard || memchr(b'#', input).is_some() {
        let (attack, _) = judge_in(input, quote, Dialect::MySql, true);
        if attack.is_some() {
            return attack;
        }
    }
    // In standard SQL a backslash is a character like others, and the quote behind it ends the text.
    let escaped = |quote: u8| memchr::memmem::find(input, &[b'\\', quote]).is_some();
    if quote.is_some_and(escaped) {
        return judge_in(input, quote, Dialect::Standard, false).0;
    }
    None
}

/// The fingerprint if it is an attack, and whether there was a comment that MySQL reads differently.
fn judge_in(input: &[u8], quote: Option<u8>, dialect: Dialect, escapes: bool) -> (Option<Fingerprint>, bool) {
    let mut tokens = Lexer::new(input, dialect, escapes);
    let mut folded = Folded::default();
    if let Some(quote) = quote {
        folded.push(tokens.head(quote));
    }
    let mut dashes = false;
    for token in &mut tokens {
        dashes |= token.text.starts_with(b"--");
        if !folded.push(token) {
            break;
        }
    }
    if folded.is_prose() {
        return (None, dashes);
    }
    let folded = folded.finish(quote);
    (rules::is_attack(&folded).then_some(folded.fingerprint), dashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn attack(input: &str, expected: &str) {
        let found = injection(input.as_bytes());
        assert_eq!(found.as_ref().map(Fingerprint::as_str), Some(expected), "{input}");
    }

    #[test]
    fn attacks_have_the_fingerprint_of_what_they_do() {
        attack("1 or 1=1", "1&b");
        attack("1) OR (2>1", "1&b");
        attack("' or '1'='1", "q&b");
        attack("\" or \"\"=\"", "q&b");
        attack("x' or full_name like '%bob%", "q&m");
        attack("admin'--", "qc");
        attack("admin' #", "qc");
        attack("admin'/*", "qc");
        attack("1 union select null,null", "1US1");
        attack("-1/**/UnIoN/**/aLL/**/SeLeCt/**/1,2,3--", "1US1c");
        attack("/*!50000union*/ /*!50000select*/ 1,2", "US1");
        attack("/*!%55NiOn*/", "o1nc");
        attack("1e0union select 1", "1US1");
        attack("1; drop table users", "1;En");
        attack("'; exec master..xp_cmdshell 'dir'--", "q;Tsc");
        attack("1 waitfor delay '0:0:5'", "1Ts");
        attack("1; declare @s varchar(99)", "1;Tn");
        attack("sleep(5)", "F");
        attack("1-sleep(5)", "F");
        attack("'||pg_sleep(5)--", "q&Fc");
        attack("1 and 1=(select count(*) from tabs)", "1&Q");
        attack("(select 1)", "Q");
        attack("1 and (select 1 from (select count(*)", "1&S1kSf");
        attack("case when 1=1 then 1 else 2 end", "Cbx1x1x");
        attack("1 order by 10", "1B1");
        attack("' order by 10--", "qB1c");
        attack("' having 1=1--", "qwbc");
        attack("1 and @@version=5", "1&F");
        attack("' into outfile '/tmp/x", "qTs");
        attack("'-alert(1)//", "qofoo");
        attack("'='", "q=s");
        attack("'+'", "qos");
        attack("' like '", "q~s");
        attack("x' or 1 #", "q&1c");
        attack("\\' or 1=1--", "q&bc");
        attack("1 or `a`=`a`-- ", "1&mc");
        attack("select * from users where id=1", "S1knwm");
    }

    #[test]
    fn honest_values_are_left_alone() {
        for benign in [
            "",
            "42",
            "-17.5e3",
            "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "2026-11-22T18:00:00+01:00",
            "O'Brien",
            "D'Arcy O'Neill",
            "it's a dog's life",
            "I don't know or don't care",
            "Rock 'n' roll",
            "5'10\"",
            "16\" or 18\" necklace",
            "cats and dogs",
            "this or that is good",
            "2 and 3",
            "sexy and 17",
            "1 or 2",
            "Tom & Jerry",
            "AT&T",
            "C# and F#",
            "R&D; sales",
            "Please select one from the list",
            "Select an item from the menu",
            "the credit union select committee",
            "union",
            "drop the table",
            "insert coin",
            "group by the river",
            "order by phone",
            "delete me",
            "update: all set",
            "the boys' -- all of them -- went",
            "the boys' and girls' room",
            "'quoted' and 'quoted'",
            "foo@example.com",
            "Joe Bloggs <joe@example.com>; Jane <jane@example.com>",
            "a -- b",
            "a - b - c",
            "#hashtag",
            "issue #12 and #13",
            "# Title\n\n- one\n- two\n\n`code`",
            "**bold** and _it_",
            "[text](https://example.com/?a=b&c=d#e)",
            "{\"a\": 1, \"b\": [\"x\", \"y\"]}",
            "if (a == b && c != d) { return sleepy(5); }",
            "let x = 'a' + 'b';",
            "x = \"=\";",
            "thread::sleep(delay);",
            "fn(a, b) -> c",
            "status = 'open' and age > 5",
            "name:foo AND size:>5",
            "price gt 5 and name eq 'x'",
            "$100, or $1 a day",
            "50% off!",
            "(555) 123-4567",
            "voil\u{e0} l'\u{e9}t\u{e9}",
            "what's in a name? that which we call a rose",
            "SELECT COMMITTEE ON UNION MATTERS",
            "1--2",
            "a=b",
            "1=1",
            "x@@y",
            "@user",
            "C:\\Users\\n",
            "--help",
            "'--help'",
            "'#fff'",
            "/*! licence */",
            "/*!\n * licence */",
        ] {
            assert_eq!(injection(benign.as_bytes()), None, "{benign}");
        }
    }

    #[test]
    fn what_never_ends_takes_linear_time() {
        for piece in [
            "1+", "(", "`a", "{a", "$a", "/*", "'\\\\", "a.", "[", "((a", "'' ", "--\n", "\\'", "q'",
        ] {
            let long = piece.repeat(1 << 16);
            let start = std::time::Instant::now();
            injection(long.as_bytes());
            assert!(start.elapsed().as_secs() < 2, "{piece}");
        }
    }
}
