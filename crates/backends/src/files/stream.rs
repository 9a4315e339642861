use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use portcullis_core::{BodyStream, Error, Frame, Result, codes};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// How much is read at a time: enough that the hop to the slow runtime is little beside the copying.
const PIECE: u64 = 128 * 1024;

/// Part of a file, read on the slow runtime: one piece ahead of what was taken, so that disk and network work at the
/// same time and two pieces at the most are in memory.
pub(super) struct FileStream {
    file: Arc<File>,
    /// What no read was started for yet.
    unread: Range<u64>,
    /// What was not handed out yet.
    remaining: u64,
    ahead: Option<JoinHandle<io::Result<Bytes>>>,
    slow: Handle,
}

impl FileStream {
    /// Starts to read.
    pub(super) fn new(file: File, range: Range<u64>, slow: Handle) -> FileStream {
        let remaining = range.end - range.start;
        let mut stream = FileStream {
            file: Arc::new(file),
            unread: range,
            remaining,
            ahead: None,
            slow,
        };
        stream.read_ahead();
        stream
    }

    fn read_ahead(&mut self) {
        if self.unread.is_empty() {
            return;
        }
        let end = self.unread.end.min(self.unread.start + PIECE);
        let piece = self.unread.start..end;
        self.unread.start = end;
        let file = Arc::clone(&self.file);
        self.ahead = Some(self.slow.spawn_blocking(move || read(&file, piece)));
    }
}

impl BodyStream for FileStream {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let Some(ahead) = &mut self.ahead else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(ahead).poll(cx));
        self.ahead = None;
        Poll::Ready(Some(match read {
            Ok(Ok(bytes)) => {
                self.remaining -= bytes.len() as u64;
                self.read_ahead();
                Ok(Frame::Data(bytes))
            }
            Ok(Err(error)) => Err(Error::new(&codes::FILE_FAILED).with_cause(error)),
            Err(error) => Err(Error::new(&codes::INTERNAL).with_cause(error)),
        }))
    }

    fn remaining(&self) -> Option<u64> {
        Some(self.remaining)
    }
}

/// Reads a range of a file, whole. Blocks.
///
/// # Errors
/// The disk's, and `UnexpectedEof` for a file that was cut short since it was opened.
pub(super) fn read(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut piece = vec![0; length];
    file.read_exact_at(&mut piece, range.start)?;
    Ok(piece.into())
}
