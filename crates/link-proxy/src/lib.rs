//! A link between two services that can be cut, held and slowed: a small proxy on loopback, through which one of them dials.
//!
//! For tests and for the lab. Owns its listener and every connection through it. Knows nothing of what they carry.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What one way of a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It carries what comes.
    Open,
    /// It carries nothing, and keeps what comes for later: what a network does whose packets are lost one way.
    Held,
    /// It carries every piece of at most this many bytes after this delay.
    Slow(Duration, usize),
}

/// What a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Connections are there, and do this: from who dialled, and back.
    Up(Way, Way),
    /// Connections are broken, and new ones end at once.
    Cut,
}

impl LinkState {
    /// As if there were no proxy.
    pub const OPEN: Self = Self::Up(Way::Open, Way::Open);
}

/// The proxy; it ends with this value.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    state: watch::Sender<LinkState>,
}

impl Link {
    /// Starts one on a free port of loopback. Whoever dials it reaches `target`, which is `host:port`.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn to(target: String) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (state, watched) = watch::channel(LinkState::OPEN);
        tokio::spawn(accept(listener, target, watched));
        Ok(Self { address, state })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does.
    #[must_use]
    pub fn state(&self) -> LinkState {
        *self.state.borrow()
    }

    /// From now on it does this.
    pub fn set(&self, state: LinkState) {
        self.state.send_replace(state);
    }
}

async fn accept(listener: TcpListener, target: String, mut state: watch::Receiver<LinkState>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((near, _)) = accepted else { continue };
                if *state.borrow() != LinkState::Cut {
                    tokio::spawn(carry(near, target.clone(), state.clone()));
                }
            }
            // The value that holds the link is gone.
            changed = state.changed() => if changed.is_err() { return },
        }
    }
}

async fn carry(near: TcpStream, target: String, state: watch::Receiver<LinkState>) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    // Small messages must not wait for each other: the services do not let them either.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    // Where one way ends the other one does, too.
    tokio::select! {
        () = pump(near_read, far_write, state.clone(), |there, _| there) => {}
        () = pump(far_read, near_write, state, |_, back| back) => {}
    }
}

/// Carries one way until an end closes, or the link is cut.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<LinkState>,
    of: fn(Way, Way) -> Way,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let now = *state.borrow_and_update();
        let LinkState::Up(there, back) = now else { return };
        let way = of(there, back);
        let piece = if let Way::Slow(_, bytes) = way { bytes.clamp(1, buffer.len()) } else { buffer.len() };
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            read = from.read(&mut buffer[..piece]), if way != Way::Held => {
                let Ok(count @ 1..) = read else { return };
                if let Way::Slow(delay, _) = way {
                    tokio::time::sleep(delay).await;
                }
                if to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
