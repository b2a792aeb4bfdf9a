//! Asks the supervisor of a local cluster for what the lab does to processes, links and files.

use protocol::{SupervisorAnswer, SupervisorOrder};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

/// Longer than a process takes to start or to die.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Gives an order and waits for the answer; the error is a sentence.
pub(crate) async fn ask(socket: &Path, order: &SupervisorOrder) -> Result<SupervisorAnswer, String> {
    let asked = tokio::time::timeout(ANSWER_TIMEOUT, speak(socket, order));
    match asked.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("`concordance up` does not answer: {error}")),
        Err(_) => Err(format!("`concordance up` has not answered within {} s", ANSWER_TIMEOUT.as_secs())),
    }
}

async fn speak(socket: &Path, order: &SupervisorOrder) -> std::io::Result<SupervisorAnswer> {
    let mut stream = UnixStream::connect(socket).await?;
    let mut text = serde_json::to_vec(order)?;
    text.push(b'\n');
    stream.write_all(&text).await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}
