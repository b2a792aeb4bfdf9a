//! The second half of a restore: who has the right bytes, the verdicts, and the repairs.

use super::ballot::{self, Holding, Knowledge, Winner};
use super::{Ask, Known, QUESTION_FILES_MAX, Question, Restoration, Suspect};
use catalogue::BookPath;
use protocol::{
    Basis, Digest, FetchedFile, HealAction, HealOutcome, HealReport, HealResult, HolderId, HolderRequest, HoldingKind,
    Phase, Repair, WantedFile,
};
use std::collections::BTreeMap;

/// Most files, and most bytes of them, that are mended together.
const BATCH_FILES_MAX: usize = 256;
const BATCH_BYTES_MAX: u64 = 4 * 1024 * 1024;

impl Restoration {
    /// Asks everybody for bytes that no compared copy holds: they may be in a log or in a quarantine.
    pub(super) fn search(&mut self, known: &Known<'_>) -> Vec<Ask> {
        self.phase = Phase::Deciding;
        self.suspects.retain(|_, suspect| !suspect.findings.is_empty());
        self.progress_total = self.suspects.len() as u64;
        let nowhere = |suspect: &Suspect| self.compared.iter().all(|holder| suspect.findings.contains_key(holder));
        let wanted: Vec<_> = self
            .suspects
            .iter()
            .filter(|(_, suspect)| nowhere(suspect))
            .filter_map(|(path, suspect)| Some(WantedFile { path: *path, digest: suspect.record?.digest }))
            .collect();
        let holders: Vec<_> = self.compared.iter().cloned().collect();
        let mut asks = Vec::new();
        for files in wanted.chunks(QUESTION_FILES_MAX) {
            for holder in &holders {
                let files = files.to_vec();
                let request = |request| HolderRequest::ReadFiles { request, files, anywhere: true };
                asks.push(self.ask(holder.clone(), Question::Search, known, request));
            }
        }
        asks
    }

    pub(super) fn take_contents(&mut self, files: Vec<FetchedFile>) {
        for FetchedFile { wanted, content } in files {
            let Some(content) = content.filter(|content| Digest::of(content.bytes()) == wanted.digest) else {
                continue;
            };
            if let Some(suspect) = self.suspects.get_mut(&wanted.path) {
                suspect.found_elsewhere = true;
                self.contents.insert(wanted.path, content);
            }
        }
    }

    /// Takes the ballots.
    pub(super) fn decide(&mut self) -> Vec<Ask> {
        self.phase = Phase::Healing;
        for (path, suspect) in &mut self.suspects {
            let holding = |member: &protocol::MemberId| {
                let holder = HolderId::Replicator(member.clone());
                match suspect.findings.get(&holder) {
                    _ if !self.compared.contains(&holder) => Holding::NoAnswer,
                    Some(judged) if judged.kind == HoldingKind::Changing => Holding::NoAnswer,
                    Some(judged) => judged.found.map_or(Holding::Nothing, |found| Holding::File(found.digest)),
                    None => suspect.record.map_or(Holding::Nothing, |record| Holding::File(record.digest)),
                }
            };
            let replicators: Vec<_> = self.registered.iter().map(holding).collect();
            let app_servers = self.compared.iter().filter(|holder| matches!(holder, HolderId::AppServer(_)));
            let working_copy =
                suspect.record.is_some() && app_servers.clone().any(|holder| !suspect.findings.contains_key(holder));
            let knowledge = suspect.record.map_or(Knowledge::Absent, Knowledge::Present);
            let mut verdict = ballot::decide(knowledge, &replicators, suspect.found_elsewhere || working_copy);
            if verdict.basis == Basis::Lost && !self.searched_everywhere {
                verdict.basis = Basis::Undecided;
            }
            suspect.verdict = Some(verdict);
            let mendable = verdict.winner != Winner::None;
            if mendable && !self.dry_run {
                self.to_heal.push_back(*path);
            }
            let action = if mendable { HealAction::WouldHeal } else { HealAction::Left };
            if self.dry_run || !mendable {
                suspect.actions = suspect
                    .findings
                    .iter()
                    .map(|(holder, judged)| report(holder, of(judged.kind, action), None))
                    .collect();
            }
        }
        self.progress_total = self.to_heal.len() as u64;
        Vec::new()
    }

    /// Fetches the bytes of the next files, or mends those whose bytes are there.
    pub(super) fn heal_next_batch(&mut self, known: &Known<'_>) -> Vec<Ask> {
        if self.batch.is_empty() {
            self.fill_batch();
        }
        let asks = self.fetch(known);
        if !asks.is_empty() {
            return asks;
        }
        let asks = self.repair(known);
        if asks.is_empty() && self.to_heal.is_empty() && self.batch.is_empty() {
            self.phase = Phase::Done;
        }
        asks
    }

    fn fill_batch(&mut self) {
        let mut bytes = 0;
        while self.batch.len() < BATCH_FILES_MAX
            && bytes < BATCH_BYTES_MAX
            && let Some(path) = self.to_heal.pop_front()
        {
            bytes += self.suspects[&path].record.map_or(0, |record| record.size);
            self.batch.push(path);
        }
    }

    /// Asks an intact copy for each file of the batch whose bytes are not there yet; the next one, if the last had none.
    fn fetch(&mut self, known: &Known<'_>) -> Vec<Ask> {
        let mut by_source = BTreeMap::<HolderId, Vec<WantedFile>>::new();
        for path in &self.batch {
            let suspect = self.suspects.get_mut(path).expect("a batch is made of suspects");
            let Some(record) = suspect.record.filter(|_| !self.contents.contains_key(path)) else { continue };
            let untried =
                |holder: &&HolderId| !suspect.findings.contains_key(holder) && !suspect.tried_sources.contains(*holder);
            if let Some(source) = self.compared.iter().find(untried).cloned() {
                suspect.tried_sources.insert(source.clone());
                by_source.entry(source).or_default().push(WantedFile { path: *path, digest: record.digest });
            }
        }
        let ask = |(source, files)| {
            let request = |request| HolderRequest::ReadFiles { request, files, anywhere: true };
            self.ask(source, Question::Fetch, known, request)
        };
        by_source.into_iter().map(ask).collect()
    }

    /// Sends the repairs of this batch, and with the first one the foreign files.
    fn repair(&mut self, known: &Known<'_>) -> Vec<Ask> {
        let mut by_holder = BTreeMap::<HolderId, Vec<Repair>>::new();
        for path in std::mem::take(&mut self.batch) {
            let content = self.contents.remove(&path);
            let suspect = self.suspects.get_mut(&path).expect("a batch is made of suspects");
            for (holder, judged) in &suspect.findings {
                if judged.kind == HoldingKind::Changing {
                    suspect.actions.push(report(
                        holder,
                        HealAction::Left,
                        Some("rounds change it at this moment; run restore again"),
                    ));
                } else if suspect.record.is_some() && content.is_none() {
                    suspect.actions.push(report(
                        holder,
                        HealAction::Failed,
                        Some("the holders of the right bytes could not give them"),
                    ));
                } else {
                    let repair = Repair { path, found: judged.found, record: suspect.record, content: content.clone() };
                    by_holder.entry(holder.clone()).or_default().push(repair);
                }
            }
        }
        let mut foreign = if self.dry_run { BTreeMap::new() } else { std::mem::take(&mut self.foreign) };
        for holder in foreign.keys() {
            by_holder.entry(holder.clone()).or_default();
        }
        let ask = |(holder, repairs): (HolderId, Vec<Repair>)| {
            let foreign = foreign.remove(&holder).unwrap_or_default();
            let paths = repairs.iter().map(|repair| repair.path).collect();
            let request = |request| HolderRequest::Heal { request, repairs, foreign };
            self.ask(holder, Question::Heal { paths }, known, request)
        };
        by_holder.into_iter().map(ask).collect()
    }

    pub(super) fn take_results(&mut self, holder: &HolderId, paths: &[BookPath], results: Vec<HealResult>) {
        let by_name: BTreeMap<_, _> = paths.iter().map(|path| (path.to_string(), *path)).collect();
        for HealResult { name, outcome } in results {
            let (action, detail, quarantined) = match outcome {
                HealOutcome::Healed { quarantined } => (HealAction::Healed, None, quarantined),
                HealOutcome::Changed { reason } => (HealAction::Left, Some(reason), None),
                HealOutcome::Failed { reason } => (HealAction::Failed, Some(reason), None),
            };
            let done = HealReport { holder: holder.clone(), action, detail, quarantined };
            match by_name.get(&name).and_then(|path| self.suspects.get_mut(path)) {
                Some(suspect) => suspect.actions.push(done),
                None => self.foreign_reports.push(super::report::of_foreign_file(name, done)),
            }
        }
    }

    pub(super) fn note_failed(&mut self, holder: &HolderId, paths: &[BookPath], reason: &str) {
        for path in paths {
            if let Some(suspect) = self.suspects.get_mut(path) {
                suspect.actions.push(report(holder, HealAction::Failed, Some(reason)));
            }
        }
    }
}

/// A file that rounds change at this moment is left alone.
fn of(kind: HoldingKind, action: HealAction) -> HealAction {
    if kind == HoldingKind::Changing { HealAction::Left } else { action }
}

fn report(holder: &HolderId, action: HealAction, detail: Option<&str>) -> HealReport {
    HealReport { holder: holder.clone(), action, detail: detail.map(str::to_owned), quarantined: None }
}
