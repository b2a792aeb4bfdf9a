//! The protocol's rules, each by what the core asks of its driver: a state is built, one event is fed, and the effects are
//! compared. No disk, no network and no clock takes part; what needs many steps in many orders is the simulator's.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod fixture;
mod recovery;
mod replica;
mod scripted_holder;
mod spoken;
mod values;

mod acked_never_lost;
mod agreement;
mod app_servers;
mod ballots;
mod catch_up;
mod cooperative_termination;
mod disk_space;
mod durable_decision;
mod durable_vote;
mod epoch_fence;
mod following;
mod found_by_seeds;
mod frozen_participants;
mod full_disks;
mod honest_answer;
mod in_sync;
mod learner;
mod membership;
mod min_in_sync;
#[cfg(feature = "mutants")]
mod mutants;
mod no_amnesia;
mod no_phantom;
mod no_stale_coordinator;
mod no_way_back;
mod once;
mod order;
mod restoration;
mod restoration_faults;
mod safe_trim;
mod scrub;
mod validity;
mod view_durable;
mod votes;
mod waiting;
