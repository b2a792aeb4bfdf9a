//! What two coordinators must have in common to behave alike from now on: all of their state but what is named here. A model that
//! explores every order of events recognises by it where it has been.

use super::Coordinator;
use std::hash::{Hash, Hasher};

impl Hash for Coordinator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Without a rest pattern, so that a new field cannot be forgotten here.
        let Self {
            identity,
            settings: _, // They never change.
            epoch,
            state: logged,
            newest_view,
            mandate,
            log_is_damaged,
            parties,
            members,
            membership,
            survey,
            app_servers,
            waiting,
            no_room,
            round,
            last_round,
            next_number,
            awaiting,
            catch_ups,
            reads,
            copies,
            restoration,
            next_restoration_request,
            last_scrub_restore_ms,
            effects,
            now,
        } = self;
        debug_assert!(effects.is_empty(), "effects are taken before anything else happens");
        (identity, epoch, logged, newest_view, mandate, log_is_damaged, parties, members, membership).hash(state);
        (survey, app_servers, waiting, no_room, round, last_round, next_number, awaiting, catch_ups, reads, copies)
            .hash(state);
        (restoration, next_restoration_request, last_scrub_restore_ms, now).hash(state);
    }
}
