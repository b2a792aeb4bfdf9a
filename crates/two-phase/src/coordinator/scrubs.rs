//! What replicators find wrong with their own files, and what follows from it.
//!
//! A scrub only reports. With `scrub_heals` a normal restore is started for what it found: the same ballots, the same care. Files
//! that no restore can put right (they are lost, or undecided) must not start one restore after the other: the scrub that checks a
//! restore starts none.

use super::{Coordinator, SessionId};
use protocol::{ClusterEvent, MemberId, RequestId, RestorationId, ScrubReport, ScrubStatus, ToAppServer, ToReplicator};

/// Restores that scrubs lead to are at least so far apart: each reads every file of every copy.
const RESTORE_PAUSE_MS: u64 = 60_000;

/// What is known of one member's files.
#[derive(Debug, Clone, Hash, Default)]
pub(super) struct MemberScrub {
    pub status: ScrubStatus,
    /// A restore has not been started for what was found.
    wants_restore: bool,
    /// The next pass that ends was asked for to check a restore.
    checks: bool,
}

impl MemberScrub {
    /// What was found last that a restore would put right.
    fn found(&self) -> u64 {
        let reports = [&self.status.running, &self.status.last];
        reports.into_iter().flatten().map(ScrubReport::to_restore).find(|found| *found > 0).unwrap_or(0)
    }

    /// Takes in a report. Returns whether it is the first of its pass that names something to put right, and whether its pass
    /// has ended now.
    fn take_in(&mut self, report: ScrubReport, heals: bool) -> (bool, bool) {
        let same_pass = |other: &&ScrubReport| other.started_at_ms == report.started_at_ms;
        if self.status.last.as_ref().is_some_and(|last| same_pass(&last)) {
            return (false, false); // Told again on a new connection.
        }
        let found_before = self.status.running.as_ref().filter(same_pass).map_or(0, ScrubReport::to_restore);
        let first_damage = found_before == 0 && report.to_restore() > 0;
        self.wants_restore |= heals && report.to_restore() > 0 && !self.checks;
        let ended = report.finished_at_ms.is_some();
        if ended {
            self.checks = false;
            self.status = ScrubStatus { last: Some(report), running: None };
        } else {
            self.status.running = Some(report);
        }
        (first_damage, ended)
    }
}

impl Coordinator {
    pub(super) fn handle_scrubbed(&mut self, member: &MemberId, report: ScrubReport) {
        let told = self.told_of(member, &report);
        let heals = self.settings.scrub_heals;
        let (first_damage, ended) = self.members.scrub_mut(member).take_in(report, heals);
        if ended {
            self.happened(ClusterEvent::ScrubEnded { member: member.clone(), detail: told });
        } else if first_damage {
            self.happened(ClusterEvent::ScrubFoundDamage { member: member.clone(), detail: told });
        }
        self.restore_what_scrubs_found();
    }

    /// A report as a sentence, with what is done about it.
    fn told_of(&self, member: &MemberId, report: &ScrubReport) -> String {
        let files = if report.files == 1 { "1 file".to_owned() } else { format!("{} files", report.files) };
        let found = match (report.summary(), report.finished_at_ms) {
            (None, _) => format!("{member} has read {files}: all are as committed"),
            (Some(found), Some(_)) => format!("{member} has read {files}: {found}"),
            (Some(found), None) => format!("{member} reads its files and has found {found} so far"),
        };
        let next = match (report.to_restore(), self.settings.scrub_heals) {
            (0, _) => "",
            (_, true) => "; a restore puts right what can be",
            (_, false) => "; run concordance restore",
        };
        let why = report.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        format!("{found}{why}{next}.")
    }

    /// Somebody asked for a scrub now.
    pub(super) fn scrub_now(&mut self, session: SessionId, request: RequestId) {
        let accepted = self.members.links().filter(|(_, link)| link.accepted);
        let sessions: Vec<_> = accepted.map(|(_, link)| link.session).collect();
        let refused = sessions.is_empty().then(|| "no replicator is connected".to_owned());
        if refused.is_none() {
            self.say_to_all(sessions, ToReplicator::Scrub);
        }
        self.tell(session, ToAppServer::Done { request, refused });
    }

    /// Starts a restore if a scrub has found something, if that is wanted, and if it is time.
    pub(super) fn restore_what_scrubs_found(&mut self) {
        if self.next_scrub_timer_ms().is_some_and(|due_ms| due_ms <= self.now.monotonic_ms) {
            self.last_scrub_restore_ms = Some(self.now.monotonic_ms);
            let id = RestorationId::started_by(self.identity.coordinator, self.now.unix_ms);
            self.begin_restoration(id, false);
        }
    }

    /// When a restore is to be started because of a scrub, in milliseconds of the monotonic clock; none while none can be.
    pub(super) fn next_scrub_timer_ms(&self) -> Option<u64> {
        let wanted = self.members.scrubs().any(|(_, scrub)| scrub.wants_restore);
        if !wanted || self.why_no_restoration().is_some() {
            return None;
        }
        let since_last = self.last_scrub_restore_ms.map(|last_ms| last_ms + RESTORE_PAUSE_MS);
        Some(since_last.unwrap_or(self.now.monotonic_ms))
    }

    /// A restore has ended: those who found something read their files again, so that nobody is shown what was put right.
    pub(super) fn scrub_what_was_restored(&mut self) {
        let found = self.members.scrubs().filter(|(_, scrub)| scrub.found() > 0 || scrub.wants_restore);
        let members: Vec<_> = found.map(|(id, _)| id.clone()).collect();
        for member in members {
            let session = self.members.link(&member).filter(|link| link.accepted).map(|link| link.session);
            let scrub = self.members.scrub_mut(&member);
            (scrub.wants_restore, scrub.checks) = (false, session.is_some());
            if let Some(session) = session {
                self.say(session, ToReplicator::Scrub);
            }
        }
    }
}
