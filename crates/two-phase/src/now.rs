//! The time, as an input.

/// The time at which something happens. The driver reads the clocks; the core never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Now {
    /// Milliseconds of a clock that never jumps. All timers run on it.
    pub monotonic_ms: u64,
    /// Milliseconds of Unix time: only shown to people, never compared.
    pub unix_ms: u64,
}
