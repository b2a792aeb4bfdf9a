//! Rounds that are committed without this replicator: it was evicted and comes back, it is new, or it only observes.
//!
//! They arrive with all their bytes, in order and without gaps. While a catch-up is under way they go on top of it; afterwards
//! each is a record of the log like a round that was voted on, except that nothing was voted.

use super::{FileChange, Learner, Replicator, ReplicatorEffect, ReplicatorRecord, Then};
use crate::mutant::Mutant;
use crate::{SyncWhen, committed_record};
use protocol::{CommittedRound, Outcome, Standing};

impl Replicator {
    pub(super) fn handle_committed(&mut self, round: CommittedRound) {
        if let Some(catch_up) = self.learner.as_ref().map(Learner::catch_up) {
            self.step_learner(catch_up, |learner| learner.follow(round));
        } else {
            self.follow(round);
        }
    }

    /// Rule Order: the next version and no other.
    pub(super) fn follow(&mut self, round: CommittedRound) {
        let state = &self.state;
        if round.version <= state.version {
            return;
        }
        if let Some(prepared) = &state.prepared {
            if prepared.round == round.round {
                return self.conclude(round.round, Outcome::Committed);
            }
            let in_doubt = prepared.round;
            return self.disconnect(format!("round {} was committed while {in_doubt} is in doubt here", round.round));
        }
        let size_bytes = round.changes.iter().map(|change| change.action.size()).sum();
        if let Some(lack) = self.capacity.lack_of_disk(size_bytes) {
            return self.disconnect(lack);
        }
        let follows = round.version == state.version.next() || Mutant::FollowsWithGaps.is_on();
        if !follows || state.standing != Standing::Trusted {
            let reason =
                format!("version {} does not follow what is held here, version {}", round.version, state.version);
            return self.disconnect(reason);
        }
        self.append_followed(round);
    }

    /// The record shares a sync with others; the files are written and the acknowledgement said after it.
    fn append_followed(&mut self, round: CommittedRound) {
        let mut manifest = self.state.manifest.clone();
        for change in &round.changes {
            manifest.set(change.path, committed_record(change, round.version));
        }
        if manifest.root() != round.root && !Mutant::FollowsWithGaps.is_on() {
            let version = round.version;
            return self
                .disconnect(format!("version {version} would have another root here; the copy is compared anew"));
        }
        let record = ReplicatorRecord::Followed(round);
        let files = self.state.apply(&record);
        let sequence = self.awaiting.append(Then::Conclude(files, self.acknowledgement()));
        self.effects.push(ReplicatorEffect::Append { sequence, record, sync: SyncWhen::Soon });
    }

    /// A round on top of a catch-up: its files are written at once, as fetched ones are. None of it counts before the catch-up
    /// is installed.
    pub(super) fn write_on_top(&mut self, round: &CommittedRound) {
        let files = round.changes.iter().map(|change| FileChange::of(change.path, &change.action)).collect();
        self.effects.push(ReplicatorEffect::WriteFiles { version: round.version, files });
    }
}
