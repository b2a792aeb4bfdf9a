//! ViewDurable: a change of the view is durable before a round uses it.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{Prepare, View, ViewNumber};
use two_phase::coordinator::Decision;

impl Oracle {
    pub(super) fn view_changed(&mut self, view: &View) -> Held {
        let before = self.newest_view();
        self.views.insert(view.number, view.clone());
        ensure(view.number == before.next(), Rule::ViewDurable, || {
            format!("view {} follows view {before}", view.number)
        })?;
        Self::leaves_enough(view)
    }

    fn newest_view(&self) -> ViewNumber {
        self.views.last_key_value().map_or(ViewNumber::ZERO, |(number, _)| *number)
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

    pub(super) fn is_in_force(&self, view: ViewNumber, what: impl FnOnce() -> String) -> Held {
        let newest = self.newest_view();
        ensure(view <= newest, Rule::ViewDurable, || {
            format!("{} in view {view}, but only view {newest} is durable", what())
        })
    }
}
