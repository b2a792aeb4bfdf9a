//! When a process stops: on SIGINT or SIGTERM, or with the process that started it.
//!
//! Everything that runs long watches one [`CancellationToken`]. The first signal cancels it, so that work in flight can
//! end; a second one ends the process at once, for the person who does not want to wait.

use std::io::Read;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long a process whose parent vanished may take to stop by itself.
const ORPHAN_GRACE: Duration = Duration::from_secs(10);

/// The exit code of a process that a second signal ended (128 + SIGINT, as shells have it).
const EXIT_INTERRUPTED: i32 = 130;

/// Gives a token that is cancelled at the first SIGINT or SIGTERM. A second signal exits the process at once.
///
/// Must be called inside a tokio runtime.
///
/// # Errors
/// If the system refuses to register a signal handler.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        tracing::info!("stopping; a second signal stops at once");
        token.cancel();
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        std::process::exit(EXIT_INTERRUPTED);
    });
    Ok(shutdown)
}

/// Stops this process when its standard input ends, which the system sees to when the parent that holds the other end
/// dies, however it dies. For `--exit-with-parent`.
pub fn with_parent(shutdown: CancellationToken) {
    watch(std::io::stdin(), shutdown, || {
        std::thread::sleep(ORPHAN_GRACE);
        std::process::exit(1);
    });
}

/// Cancels `shutdown` when `input` ends, then calls `overdue`. A thread of its own: tokio's stdin would keep the runtime
/// from shutting down while a read is pending.
fn watch(mut input: impl Read + Send + 'static, shutdown: CancellationToken, overdue: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        // What the parent writes means nothing here; only the end counts, and an error is an end.
        loop {
            match input.read(&mut ignored) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        if !shutdown.is_cancelled() {
            tracing::warn!("the process that started this one is gone: stopping");
            shutdown.cancel();
        }
        overdue();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[tokio::test]
    async fn end_of_input_stops_the_process_and_bytes_before_it_do_not() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let shutdown = CancellationToken::new();
        watch(reader, shutdown.clone(), || {});
        writer.write_all(b"still here").unwrap();
        assert!(!shutdown.is_cancelled());
        drop(writer);
        tokio::time::timeout(Duration::from_secs(10), shutdown.cancelled()).await.unwrap();
    }
}
