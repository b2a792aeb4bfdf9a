//! What two replicators must have in common to behave alike from now on: all of their state but what is named here. A model that
//! explores every order of events recognises by it where it has been.

use super::Replicator;
use std::hash::{Hash, Hasher};

impl Hash for Replicator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Without a rest pattern, so that a new field cannot be forgotten here.
        let Self {
            identity,
            state: logged,
            prepared_sequence,
            awaiting,
            learner,
            distrusted,
            recent,
            capacity,
            disk_told,
            vote_abort_next,
            link,
            doubt,
            pacing: _, // It never changes.
            effects,
        } = self;
        debug_assert!(effects.is_empty(), "effects are taken before anything else happens");
        (identity, logged, prepared_sequence, awaiting, learner, distrusted).hash(state);
        (recent, capacity, disk_told, vote_abort_next, link, doubt).hash(state);
    }
}
