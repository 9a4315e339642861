//! Rows as they come.

use std::pin::Pin;

use futures_util::TryStreamExt as _;
use portcullis_tables::output::Outputs;
use portcullis_tables::statement::Failure;
use tokio_postgres::{Error, RowStream};

use super::transaction::Failed;
use super::values::Cells;
use crate::failure::unmet;
use crate::script::Taker;

/// The rows of one execution, on their way into content.
pub(super) struct Rows {
    stream: Pin<Box<RowStream>>,
    taker: Taker,
    /// Whether rows are of interest, or only how many were touched.
    has_outputs: bool,
}

impl Rows {
    pub(super) fn new(stream: RowStream, taker: Taker, outputs: &Outputs) -> Rows {
        Rows {
            stream: Box::pin(stream),
            taker,
            has_outputs: outputs.shown_columns() + outputs.hidden > 0 || outputs.checked,
        }
    }

    /// Takes all rows. Their content may have that many bytes.
    pub(super) async fn take(mut self, most: usize) -> Result<Taker, Failed> {
        let refused = |failure: Failure| Failed::Refused(unmet(failure));
        while let Some(row) = self.stream.try_next().await? {
            if self.has_outputs {
                self.taker.row(&Cells(&row)).map_err(refused)?;
                if self.taker.ready() > most {
                    return Err(Failed::TooLarge);
                }
            }
        }
        if !self.has_outputs {
            let touched = self.stream.rows_affected().unwrap_or(0);
            self.taker.touched(touched).map_err(refused)?;
        }
        Ok(self.taker)
    }
}

/// Takes what is left of rows that nobody wants, and gives their number.
pub(super) async fn drain(stream: RowStream) -> Result<u64, Error> {
    let mut stream = Box::pin(stream);
    let mut rows = 0;
    while stream.try_next().await?.is_some() {
        rows += 1;
    }
    Ok(rows)
}
