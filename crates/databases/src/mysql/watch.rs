//! Whether the schema may have changed, for next to nothing: the server counts how often each kind of statement was begun.
//! As long as no definition was changed, nothing needs to be read.

use mysql_async::prelude::Queryable as _;

use super::failure::describe;
use super::session::Session;

/// Looks at which the schema is read again after a count changed: a statement is counted when it begins, and one that takes
/// long changes the schema at its end.
const SETTLING: u32 = 2;
/// Looks after which it is read in any case, for what takes longer than that.
const AT_THE_LATEST: u32 = 60;

/// What the server counted when it was asked last.
#[derive(Debug, Default)]
pub(super) struct Watch {
    counts: Vec<(String, String)>,
    unsettled: u32,
    looks: u32,
}

impl Watch {
    /// Before the schema is read.
    ///
    /// # Errors
    /// One line: what the server had against it.
    pub(super) async fn begin(session: &mut Session) -> Result<Watch, String> {
        Ok(Watch {
            counts: counts(session).await?,
            unsettled: 0,
            looks: 0,
        })
    }

    /// Whether the schema is to be read again.
    ///
    /// # Errors
    /// One line: what the server had against it.
    pub(super) async fn look(&mut self, session: &mut Session) -> Result<bool, String> {
        let counts = counts(session).await?;
        Ok(self.note(counts))
    }

    /// The schema could not be read: the next look is to have it read.
    pub(super) fn forget(&mut self) {
        self.counts.clear();
    }

    fn note(&mut self, counts: Vec<(String, String)>) -> bool {
        self.looks += 1;
        if counts != self.counts {
            self.counts = counts;
            self.unsettled = SETTLING;
        } else if self.unsettled > 0 {
            self.unsettled -= 1;
        } else if self.looks < AT_THE_LATEST {
            return false;
        }
        self.looks = 0;
        true
    }
}

/// How often each kind of statement was begun that changes definitions. Another server behind the same address, or the same
/// one started anew, counts differently.
async fn counts(session: &mut Session) -> Result<Vec<(String, String)>, String> {
    let question = "SHOW GLOBAL STATUS WHERE Variable_name REGEXP \
        '^Com_(create|alter|drop|rename|optimize|repair|grant|revoke)' OR Variable_name = 'Com_analyze'";
    session.connection().query(question).await.map_err(|failure| {
        format!(
            "the server does not say whether its schema changed: {}",
            describe(&failure)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_read_when_a_count_changed_and_for_a_while_after_that() {
        let counts = |number: u32| vec![("Com_alter_table".to_owned(), number.to_string())];
        let mut watch = Watch::default();
        let mut looks = |number, times: u32| (0..times).filter(|_| watch.note(counts(number))).count();
        assert_eq!(looks(1, 1), 1);
        assert_eq!(looks(1, 10), 2);
        assert_eq!(looks(2, 10), 3);
        assert_eq!(looks(2, AT_THE_LATEST), 1);
    }
}
