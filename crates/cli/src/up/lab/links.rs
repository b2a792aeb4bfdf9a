//! The links between replicators and the coordinator: each goes through a small proxy that can be cut and slowed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use link_proxy::{Link, LinkState, Way};
use protocol::LinkCondition;

use super::super::plan::ServicePlan;

/// What is carried after one delay: more than any message of a round is carried in pieces.
const PIECE_BYTES: usize = 16 << 10;
/// A longer delay than this is no slow link but a cut one.
const DELAY_MS_MAX: u64 = 10_000;
/// The flag that says whom a service dials.
const FLAG: &str = "--coordinator";
const SCHEME: &str = "ws://";

/// The links by the names of their replicators.
#[derive(Debug, Default)]
pub(super) struct Links(Mutex<BTreeMap<String, Link>>);

impl Links {
    /// Has the replicator of this plan dial through a link of its own; a link that is there already stays as it is.
    pub(super) async fn lead_through(&self, plan: &mut ServicePlan) -> std::io::Result<()> {
        let Some(place) = plan.arguments.iter().position(|argument| argument == FLAG).map(|flag| flag + 1) else {
            return Ok(());
        };
        let known = self.lock().get(&plan.name).map(Link::address);
        let address = match known {
            Some(address) => address,
            None => {
                let target = plan.arguments[place].to_string_lossy().trim_start_matches(SCHEME).to_owned();
                let link = Link::to(target).await?;
                let address = link.address();
                self.lock().insert(plan.name.clone(), link);
                address
            }
        };
        plan.arguments[place] = format!("{SCHEME}{address}").into();
        Ok(())
    }

    pub(super) fn set(&self, service: &str, condition: LinkCondition) -> Result<(), String> {
        let state = match condition {
            LinkCondition::Whole => LinkState::OPEN,
            LinkCondition::Cut => LinkState::Cut,
            LinkCondition::Slow { delay_ms: delay_ms @ 1..=DELAY_MS_MAX } => {
                let way = Way::Slow(Duration::from_millis(delay_ms), PIECE_BYTES);
                LinkState::Up(way, way)
            }
            LinkCondition::Slow { .. } => return Err(format!("a link is slowed by 1 to {DELAY_MS_MAX} ms each way")),
        };
        let links = self.lock();
        let link = links.get(service).ok_or_else(|| format!("there is no link of {service} that could be changed"))?;
        link.set(state);
        Ok(())
    }

    pub(super) fn condition(&self, service: &str) -> Option<LinkCondition> {
        let state = self.lock().get(service)?.state();
        Some(match state {
            LinkState::Cut => LinkCondition::Cut,
            LinkState::Up(Way::Slow(delay, _), _) => {
                LinkCondition::Slow { delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX) }
            }
            LinkState::Up(..) => LinkCondition::Whole,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Link>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> ServicePlan {
        ServicePlan {
            name: "replicator-1".to_owned(),
            program: "replicator".into(),
            arguments: ["--id", "replicator-1", FLAG, "ws://127.0.0.1:7410"].map(Into::into).to_vec(),
            address: ([127, 0, 0, 1], 1).into(),
            faces_clients: false,
        }
    }

    #[tokio::test]
    async fn a_replicator_dials_its_link_and_finds_it_again_as_it_was() {
        let links = Links::default();
        let (mut first, mut again) = (plan(), plan());
        links.lead_through(&mut first).await.unwrap();
        assert_ne!(first.arguments[3], "ws://127.0.0.1:7410");
        links.set("replicator-1", LinkCondition::Cut).unwrap();
        links.lead_through(&mut again).await.unwrap();
        assert_eq!(first.arguments, again.arguments);
        assert_eq!(links.condition("replicator-1"), Some(LinkCondition::Cut));
    }

    #[tokio::test]
    async fn what_cannot_be_done_to_a_link_is_refused_with_a_sentence() {
        let links = Links::default();
        assert!(links.set("replicator-1", LinkCondition::Cut).unwrap_err().contains("no link of replicator-1"));
        links.lead_through(&mut plan()).await.unwrap();
        let refused = links.set("replicator-1", LinkCondition::Slow { delay_ms: 0 }).unwrap_err();
        assert!(refused.contains("1 to 10000 ms"), "{refused}");
        assert_eq!(links.condition("replicator-1"), Some(LinkCondition::Whole));
    }
}
