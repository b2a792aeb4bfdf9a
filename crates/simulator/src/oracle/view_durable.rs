//! ViewDurable: a change of the view is durable before a round uses it.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{Prepare, ViewNumber};
use two_phase::coordinator::Decision;

impl Oracle {
    pub(super) fn view_changed(&mut self, view: ViewNumber) -> Held {
        let before = self.view;
        self.view = view;
        ensure(view > before, Rule::ViewDurable, || format!("view {view} follows view {before}"))
    }

    pub(super) fn prepares_in_view(&self, prepare: &Prepare) -> Held {
        self.is_in_force(prepare.view, || format!("round {} is begun", prepare.round))
    }

    pub(super) fn decided_in_view(&self, decision: &Decision) -> Held {
        self.is_in_force(decision.view, || format!("round {} is decided", decision.round))
    }

    pub(super) fn welcomes_in_view(&self, view: ViewNumber) -> Held {
        self.is_in_force(view, || "a replicator is welcomed".to_owned())
    }

    fn is_in_force(&self, view: ViewNumber, what: impl FnOnce() -> String) -> Held {
        ensure(view <= self.view, Rule::ViewDurable, || {
            format!("{} in view {view}, but only view {} is durable", what(), self.view)
        })
    }
}
