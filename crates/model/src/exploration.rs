//! The model for the checker: its properties, and a run to the end.

use crate::cluster::{Cluster, Event};
use crate::configuration::Configuration;
use stateright::{Checker, Model, Property};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// The model.
#[derive(Debug, Clone)]
struct Exploration {
    configuration: Configuration,
    #[cfg(feature = "mutants")]
    mutant: Option<two_phase::mutant::Mutant>,
}

/// A state, compared by a fingerprint of all of it, as the checker does it.
#[derive(Debug, Clone)]
struct State(Cluster);

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let fingerprint = |state: &Self| {
            let mut hasher = DefaultHasher::new();
            state.hash(&mut hasher);
            hasher.finish()
        };
        fingerprint(self) == fingerprint(other)
    }
}

impl Model for Exploration {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        self.switch();
        vec![State(Cluster::level(&self.configuration))]
    }

    fn actions(&self, state: &State, events: &mut Vec<Event>) {
        events.extend(state.0.possible(&self.configuration));
    }

    fn next_state(&self, state: &State, event: Event) -> Option<State> {
        self.switch();
        let mut next = state.clone();
        next.0.happen(event);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("every rule holds", |_, state: &State| state.0.broken.is_none()),
            Property::sometimes("a round is committed", |_, state: &State| state.0.facts.committed > 0),
        ]
    }
}

impl Exploration {
    /// A bug is switched on in each thread that explores.
    #[cfg(feature = "mutants")]
    fn switch(&self) {
        two_phase::mutant::switch_on(self.mutant);
    }

    #[cfg(not(feature = "mutants"))]
    fn switch(&self) {
        let _ = self;
    }
}

/// What an exploration came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Explored {
    /// The configuration.
    pub configuration: Configuration,
    /// How many different states there are.
    pub states: usize,
    /// The longest of the shortest ways to a state, in events.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// Whether some round is committed on some way: otherwise it shows nothing.
    pub commits: bool,
    /// The events that lead to a rule's breach, and the breach; none if there is none.
    pub breach: Option<(Vec<Event>, String)>,
}

/// Explores every order of events within the bounds.
#[must_use]
pub fn explore(configuration: Configuration) -> Explored {
    run(Exploration {
        configuration,
        #[cfg(feature = "mutants")]
        mutant: None,
    })
}

/// Explores with a bug in the core, until it is found.
#[cfg(feature = "mutants")]
#[must_use]
pub fn explore_with(configuration: Configuration, mutant: two_phase::mutant::Mutant) -> Explored {
    run(Exploration { configuration, mutant: Some(mutant) })
}

fn run(model: Exploration) -> Explored {
    let (began, configuration) = (Instant::now(), model.configuration);
    let checker = model.checker().threads(2).spawn_bfs().join();
    let breach = checker.discovery("every rule holds").map(|path| {
        let why = path.last_state().0.broken.clone().unwrap_or_default();
        (path.into_actions(), why)
    });
    Explored {
        configuration,
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        took: began.elapsed(),
        commits: checker.discovery("a round is committed").is_some(),
        breach,
    }
}
