//! Threads that have an event loop of their own.

use std::future::Future;
use std::io;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions};

/// Starts a thread with an event loop. `begin` runs on that thread, within the loop's context, and what it gives back runs until the
/// thread ends. When this returns, the loop runs.
///
/// # Errors
/// Those of the system, which may have no thread or descriptor left, and those of `begin`.
pub(super) fn start<B, F>(name: String, begin: B) -> io::Result<JoinHandle<()>>
where
    B: FnOnce() -> io::Result<F> + Send + 'static,
    F: Future<Output = ()>,
{
    let (report, begun) = sync_channel(1);
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build_local(LocalOptions::default());
        let ready = runtime.and_then(|runtime| {
            let work = {
                let _context = runtime.enter();
                begin()?
            };
            Ok((runtime, work))
        });
        // Whoever asked waits for exactly this.
        match ready {
            Ok((runtime, work)) => {
                let _ = report.send(Ok(()));
                runtime.block_on(work);
            }
            Err(error) => {
                let _ = report.send(Err(error));
            }
        }
    })?;
    begun
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the thread ended as it began")))?;
    Ok(thread)
}
