//! What may happen in a run of the model, and how often. Small numbers: each one multiplies the states.

/// The bounds of an exploration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configuration {
    /// Its name on the command line.
    pub name: &'static str,
    /// Changes that are submitted, one after the other; each wants a round of its own.
    pub changes: u8,
    /// How often the coordinator crashes and starts again.
    pub coordinator_crashes: u8,
    /// How often replicators crash and start again, all together.
    pub replicator_crashes: u8,
    /// How often a connection breaks.
    pub breaks: u8,
    /// How often the coordinator's time for votes is up.
    pub timeouts: u8,
    /// Whether the coordinator may hang while another one is started on its disk, and go on beside it.
    pub predecessor: bool,
    /// Whether the others go on without a replicator that is gone: a change of the view.
    pub in_sync: bool,
    /// How often replicators in doubt ask their peers, all together.
    pub questions: u8,
    /// How often one replicator dials.
    pub dials: u8,
}

const NOTHING: Configuration = Configuration {
    name: "",
    changes: 2,
    coordinator_crashes: 0,
    replicator_crashes: 0,
    breaks: 0,
    timeouts: 0,
    predecessor: false,
    in_sync: false,
    questions: 0,
    dials: 1,
};

impl Configuration {
    /// Those that are explored in every test run.
    pub const ALL: [Self; 6] = [
        Self { name: "timeout", timeouts: 1, ..NOTHING },
        Self { name: "break", breaks: 1, ..NOTHING },
        Self { name: "view-change", changes: 1, breaks: 1, in_sync: true, ..NOTHING },
        Self { name: "crash", changes: 1, coordinator_crashes: 1, ..NOTHING },
        Self { name: "predecessor", changes: 1, predecessor: true, ..NOTHING },
        Self { name: "peers", changes: 1, questions: 1, ..NOTHING },
    ];

    /// Those that take longer.
    pub const LARGE: [Self; 7] = [
        Self { name: "peers-and-break", changes: 1, breaks: 1, questions: 1, ..NOTHING },
        Self { name: "view-change-and-crash", changes: 1, breaks: 1, in_sync: true, coordinator_crashes: 1, ..NOTHING },
        Self {
            name: "view-change-and-predecessor",
            changes: 1,
            breaks: 1,
            in_sync: true,
            predecessor: true,
            ..NOTHING
        },
        Self { name: "two-rounds-and-crash", coordinator_crashes: 1, ..NOTHING },
        Self { name: "two-rounds-and-predecessor", predecessor: true, ..NOTHING },
        Self { name: "two-crashes", changes: 1, coordinator_crashes: 1, replicator_crashes: 1, ..NOTHING },
        Self {
            name: "predecessor-and-crash",
            changes: 1,
            replicator_crashes: 1,
            predecessor: true,
            breaks: 2,
            ..NOTHING
        },
    ];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain(Self::LARGE).find(|configuration| configuration.name == name)
    }
}
