//! When a dead voter is replaced, and what comes next: a new one is added, and when it is in sync the dead one removed.
//!
//! Only decides; asks nobody and has no clock. One replacement at a time, and none while the cluster takes no writes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, Member};

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A new replicator is to be added for this one.
    Add { dead: String, down: Duration },
    /// The new one is in sync: the dead one is to be removed.
    Remove { dead: String, new: String },
    /// The replacement came to nothing.
    End { why: String },
}

/// The state of replacing.
#[derive(Debug)]
pub(crate) struct Replacement {
    after: Duration,
    /// Since when each voter is not in sync, from the moment at which it was down.
    down_since: BTreeMap<String, Instant>,
    under_way: Option<UnderWay>,
    not_before: Option<Instant>,
}

#[derive(Clone, Debug)]
struct UnderWay {
    dead: String,
    new: String,
}

impl Replacement {
    pub(crate) fn new(after: Duration) -> Self {
        Replacement { after, down_since: BTreeMap::new(), under_way: None, not_before: None }
    }

    /// The new one was asked for.
    pub(crate) fn begin(&mut self, dead: String, new: String) {
        self.under_way = Some(UnderWay { dead, new });
    }

    /// The dead one was removed.
    pub(crate) fn end(&mut self) {
        self.under_way = None;
    }

    /// A step was refused: nothing more for a while.
    pub(crate) fn postpone(&mut self, now: Instant) {
        self.not_before = Some(now + self.after);
    }

    pub(crate) fn next(&mut self, cluster: &Cluster, now: Instant) -> Option<Step> {
        self.watch(cluster, now);
        if !cluster.accepting_writes || self.not_before.is_some_and(|moment| now < moment) {
            return None;
        }
        match self.under_way.clone() {
            Some(under_way) => self.go_on(under_way, cluster),
            None => self.first_overdue(cluster, now),
        }
    }

    /// One that comes back only to die again stays on the list until it was in sync.
    fn watch(&mut self, cluster: &Cluster, now: Instant) {
        self.down_since.retain(|id, _| member(cluster, id).is_some_and(|one| one.state != "in_sync"));
        for dead in cluster.members.iter().filter(|one| one.role == "voter" && one.state == "down") {
            self.down_since.entry(dead.id.clone()).or_insert(now);
        }
    }

    fn first_overdue(&self, cluster: &Cluster, now: Instant) -> Option<Step> {
        let is_down = |id: &str| member(cluster, id).is_some_and(|one| one.role == "voter" && one.state == "down");
        self.down_since
            .iter()
            .map(|(id, &since)| (id, now.saturating_duration_since(since)))
            .find(|(id, down)| *down >= self.after && is_down(id))
            .map(|(id, down)| Step::Add { dead: id.clone(), down })
    }

    fn go_on(&mut self, UnderWay { dead, new }: UnderWay, cluster: &Cluster) -> Option<Step> {
        let (dead_one, new_one) = (member(cluster, &dead), member(cluster, &new));
        let why = match (dead_one, new_one) {
            (None, _) => format!("{dead} is no longer a member: nothing is left to replace"),
            (_, None) => format!("{new} is not a member: {dead} was not replaced"),
            (Some(one), _) if one.state == "in_sync" => format!(
                "{dead} is back: it was not replaced, and {new} is a member beside it (`concordance member remove {new}` \
                 sends that one away)"
            ),
            (Some(one), Some(other)) => {
                let is_due = one.state == "down" && other.role == "voter" && other.state == "in_sync";
                return is_due.then_some(Step::Remove { dead, new });
            }
        };
        self.under_way = None;
        Some(Step::End { why })
    }
}

fn member<'a>(cluster: &'a Cluster, id: &str) -> Option<&'a Member> {
    cluster.members.iter().find(|one| one.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const AFTER: Duration = Duration::from_secs(30);

    /// A cluster of members that are given as `number role state`.
    fn cluster(accepting_writes: bool, members: &[(u16, &str, &str)]) -> Cluster {
        let members: Vec<_> = members
            .iter()
            .map(|(number, role, state)| {
                json!({ "id": format!("replicator-{number}"), "role": role, "state": state, "connected": *state != "down" })
            })
            .collect();
        let value = json!({
            "epoch": 1, "version": 0, "root": "", "min_in_sync": 2, "commit_policy": "in-sync",
            "accepting_writes": accepting_writes, "members": members, "coordinator": { "connected": true },
            "app_server": { "id": "app-server", "level": true },
        });
        serde_json::from_value(value).unwrap()
    }

    fn third(state: &str) -> Cluster {
        cluster(true, &[(1, "voter", "in_sync"), (2, "voter", "in_sync"), (3, "voter", state)])
    }

    fn with_new(third: &str, fourth_role: &str, fourth: &str) -> Cluster {
        cluster(
            true,
            &[(1, "voter", "in_sync"), (2, "voter", "in_sync"), (3, "voter", third), (4, fourth_role, fourth)],
        )
    }

    fn under_way() -> (Replacement, Instant) {
        let (mut replacement, start) = (Replacement::new(AFTER), Instant::now());
        assert_eq!(replacement.next(&third("down"), start), None);
        let dead = "replicator-3".to_owned();
        let step = replacement.next(&third("down"), start + AFTER);
        assert_eq!(step, Some(Step::Add { dead: dead.clone(), down: AFTER }));
        replacement.begin(dead, "replicator-4".to_owned());
        (replacement, start + AFTER)
    }

    #[test]
    fn dead_one_is_removed_when_the_new_one_is_in_sync_and_not_before() {
        let (mut replacement, now) = under_way();
        for (role, state) in [("joining", "down"), ("joining", "catching_up"), ("joining", "in_sync")] {
            assert_eq!(replacement.next(&with_new("down", role, state), now), None, "{role} {state}");
        }
        let step = replacement.next(&with_new("down", "voter", "in_sync"), now);
        assert_eq!(step, Some(Step::Remove { dead: "replicator-3".to_owned(), new: "replicator-4".to_owned() }));
    }

    #[test]
    fn one_that_is_back_is_not_removed() {
        let (mut replacement, now) = under_way();
        assert_eq!(replacement.next(&with_new("catching_up", "voter", "in_sync"), now), None);
        let step = replacement.next(&with_new("in_sync", "voter", "in_sync"), now);
        assert!(matches!(&step, Some(Step::End { why }) if why.contains("replicator-3 is back")), "{step:?}");
        assert_eq!(replacement.next(&with_new("in_sync", "voter", "in_sync"), now + AFTER * 2), None);
    }

    #[test]
    fn one_that_was_in_sync_meanwhile_begins_anew_and_one_that_only_tried_does_not() {
        let (mut replacement, start) = (Replacement::new(AFTER), Instant::now());
        assert_eq!(replacement.next(&third("down"), start), None);
        assert_eq!(replacement.next(&third("in_sync"), start + AFTER / 2), None);
        assert_eq!(replacement.next(&third("down"), start + AFTER), None);
        assert_eq!(replacement.next(&third("catching_up"), start + AFTER * 2), None);
        let step = replacement.next(&third("down"), start + AFTER * 2);
        assert_eq!(step, Some(Step::Add { dead: "replicator-3".to_owned(), down: AFTER }));
    }

    #[test]
    fn nobody_is_replaced_while_no_writes_are_accepted_or_if_it_has_no_vote() {
        let (mut replacement, start) = (Replacement::new(AFTER), Instant::now());
        let no_writes = cluster(false, &[(1, "voter", "in_sync"), (2, "voter", "down"), (3, "voter", "down")]);
        let observer = cluster(true, &[(1, "voter", "in_sync"), (2, "voter", "in_sync"), (3, "observer", "down")]);
        for cluster in [no_writes, observer] {
            assert_eq!(replacement.next(&cluster, start), None);
            assert_eq!(replacement.next(&cluster, start + AFTER * 2), None);
        }
    }

    #[test]
    fn refused_step_is_tried_again_after_a_while() {
        let (mut replacement, now) = under_way();
        let due = with_new("down", "voter", "in_sync");
        replacement.postpone(now);
        assert_eq!(replacement.next(&due, now), None);
        assert!(matches!(replacement.next(&due, now + AFTER), Some(Step::Remove { .. })));
    }
}
