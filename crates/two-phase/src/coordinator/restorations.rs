//! Runs restores: one at a time, asked for by app-servers, over the connections that rounds use.

use super::members::Place;
use super::{Coordinator, CoordinatorEffect, Mandate, SessionId};
use crate::restoration::{Ask, Known, Restoration};
use protocol::{
    ClusterEvent, HolderAnswer, HolderId, NotCompared, Phase, RequestId, RestorationId, RestorationReport, ToAppServer,
    ToReplicator,
};

impl Coordinator {
    /// The report of the restore that runs now.
    #[must_use]
    pub fn running_report(&self) -> Option<RestorationReport> {
        self.restoration.as_ref().map(|restoration| restoration.report(&self.known()))
    }

    pub(super) fn start_restoration(
        &mut self,
        session: SessionId,
        request: RequestId,
        id: RestorationId,
        dry_run: bool,
    ) {
        let refused = self.why_no_restoration();
        let starts = refused.is_none();
        self.tell(session, ToAppServer::Done { request, refused });
        if starts {
            self.begin_restoration(id, dry_run);
        }
    }

    /// Why none can be started now; none if one can.
    pub(super) fn why_no_restoration(&self) -> Option<String> {
        match (&self.restoration, &self.mandate) {
            (Some(running), _) => Some(format!("restore {} is still running; wait until it is done", running.id())),
            (None, Mandate::Open) => None,
            (None, _) => Some(self.why_no_round().unwrap_or_default()),
        }
    }

    pub(super) fn begin_restoration(&mut self, id: RestorationId, dry_run: bool) {
        let registered: Vec<_> = self.state.view.voters().map(|member| member.id.clone()).collect();
        let (holders, not_compared) = self.holders();
        let (restoration, asks) = Restoration::start(
            id,
            dry_run,
            registered,
            holders,
            not_compared,
            self.next_restoration_request,
            &self.known(),
        );
        self.happened(ClusterEvent::RestorationStarted { restoration: id, dry_run });
        self.go_on_with(restoration, asks, Phase::Scanning);
    }

    /// Everybody whose copy can be compared, and why the others' cannot.
    fn holders(&self) -> (Vec<HolderId>, Vec<NotCompared>) {
        let (mut holders, mut not_compared) = (Vec::new(), Vec::new());
        for member in &self.state.view.members {
            let holder = HolderId::Replicator(member.id.clone());
            match self.members.link(&member.id) {
                Some(link) if matches!(link.place, Place::Level | Place::Following) => holders.push(holder),
                Some(_) => not_compared.push(NotCompared { holder, reason: "it is being brought level".to_owned() }),
                None => not_compared.push(NotCompared { holder, reason: "it is not connected".to_owned() }),
            }
        }
        holders.extend(self.app_servers.ids().into_iter().map(HolderId::AppServer));
        (holders, not_compared)
    }

    pub(super) fn handle_holder(&mut self, holder: &HolderId, answer: HolderAnswer) {
        self.with_restoration(|restoration, known| restoration.handle_answer(holder, answer, known));
    }

    pub(super) fn lose_holder(&mut self, holder: &HolderId, reason: &str) {
        self.with_restoration(|restoration, known| restoration.lose(holder, reason, known));
    }

    pub(super) fn hurry_restoration(&mut self) {
        self.with_restoration(|restoration, known| restoration.handle_timer(known));
    }

    fn with_restoration(&mut self, step: impl FnOnce(&mut Restoration, &Known<'_>) -> Vec<Ask>) {
        if let Some(mut restoration) = self.restoration.take() {
            let before = restoration.progress().phase;
            let asks = step(&mut restoration, &self.known());
            self.go_on_with(restoration, asks, before);
        }
    }

    fn go_on_with(&mut self, mut restoration: Restoration, mut asks: Vec<Ask>, before: Phase) {
        // Somebody who has gone since cannot be asked; that may lead to other questions.
        while let Some((holder, request)) = asks.pop() {
            match (self.holder_session(&holder), &holder) {
                (Some(session), HolderId::Replicator(_)) => self.say(session, ToReplicator::Files(request)),
                (Some(session), HolderId::AppServer(_)) => self.tell(session, ToAppServer::Files(request)),
                (None, _) => asks.extend(restoration.lose(&holder, "it is not connected any more", &self.known())),
            }
        }
        let (id, progress) = (restoration.id(), restoration.progress());
        self.next_restoration_request = restoration.next_request();
        if restoration.is_done() {
            let report = restoration.report(&self.known());
            self.happened(ClusterEvent::RestorationEnded { restoration: id, detail: outcome(&report) });
            if !report.dry_run {
                self.scrub_what_was_restored();
            }
            self.effects.push(CoordinatorEffect::KeepReport(Box::new(report)));
        } else {
            if progress.phase != before {
                let detail = format!("The restore is {}.", doing(progress.phase));
                self.happened(ClusterEvent::RestorationProgressed { restoration: id, detail });
            }
            self.restoration = Some(restoration);
        }
    }

    pub(super) fn holder_session(&self, holder: &HolderId) -> Option<SessionId> {
        match holder {
            HolderId::Replicator(member) => self.members.link(member).map(|link| link.session),
            HolderId::AppServer(id) => self.app_servers.session(id),
        }
    }

    fn known(&self) -> Known<'_> {
        Known {
            manifest: &self.state.manifest,
            version: self.state.version,
            answers: &self.state.answers,
            now: self.now,
            holder_timeout_ms: self.settings.holder_timeout_ms,
        }
    }
}

fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Scanning => "reading every file of every copy",
        Phase::Comparing => "comparing the copies",
        Phase::Deciding => "looking for the right bytes and taking the ballots",
        Phase::Healing => "putting copies right",
        Phase::Done => "done",
    }
}

fn outcome(report: &RestorationReport) -> String {
    let summary = &report.summary;
    let mut parts = vec![format!("{} of {} files are intact everywhere", summary.intact, summary.files)];
    let counts = [
        (summary.healed, "healed"),
        (summary.left, "left as they are"),
        (summary.lost, "lost"),
        (summary.undecided, "undecided"),
    ];
    parts.extend(counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    if !report.not_compared.is_empty() {
        parts.push(format!("{} copies could not be compared", report.not_compared.len()));
    }
    format!("The restore ended: {}.", parts.join(", "))
}
