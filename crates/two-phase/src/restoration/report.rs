//! The report of a restore, made from its state at any time.

use super::ballot::Winner;
use super::{Known, Restoration, Suspect};
use catalogue::BookPath;
use protocol::{
    Basis, FileReport, Finding, HealAction, HealReport, HolderId, HoldingKind, HoldingReport, Phase, RestorationReport,
    RestorationState, Summary,
};

impl Restoration {
    /// The report as it stands.
    pub(crate) fn report(&self, known: &Known<'_>) -> RestorationReport {
        let done = self.phase == Phase::Done;
        let mut files: Vec<_> = if matches!(self.phase, Phase::Scanning | Phase::Comparing) {
            Vec::new()
        } else {
            self.suspects.iter().map(|(path, suspect)| self.file_report(*path, suspect, known)).collect()
        };
        files.extend(self.foreign_reports.iter().cloned());
        if self.dry_run || !done {
            files.extend(
                self.foreign
                    .iter()
                    .flat_map(|(holder, names)| names.iter().map(|name| left_foreign_file(name, holder))),
            );
        }
        RestorationReport {
            id: self.id,
            state: if done { RestorationState::Done } else { RestorationState::Running },
            dry_run: self.dry_run,
            started_at_ms: self.started_unix_ms,
            finished_at_ms: done.then_some(known.now.unix_ms),
            version: self.version,
            progress: self.progress(),
            summary: self.summary(&files, known),
            not_compared: self.not_compared.clone(),
            files,
            detail: None,
        }
    }

    fn summary(&self, files: &[FileReport], known: &Known<'_>) -> Summary {
        let count = |which: &dyn Fn(&FileReport) -> bool| files.iter().filter(|file| which(file)).count() as u64;
        let committed = known.manifest.files();
        // "Could not compare" is never counted as clean.
        let compared = if self.compared.is_empty() { 0 } else { committed };
        let healed = |file: &FileReport| {
            !file.actions.is_empty() && file.actions.iter().all(|done| done.action == HealAction::Healed)
        };
        let is_open = |file: &FileReport| !matches!(file.verdict, Basis::Lost | Basis::Undecided) && !healed(file);
        Summary {
            holders: self.compared.len() as u64,
            files: committed,
            intact: compared.saturating_sub(count(&|file| file.record.is_some())),
            damaged: files.len() as u64,
            healed: count(&healed),
            lost: count(&|file| file.verdict == Basis::Lost),
            undecided: count(&|file| file.verdict == Basis::Undecided),
            left: count(&is_open),
        }
    }

    fn file_report(&self, path: BookPath, suspect: &Suspect, known: &Known<'_>) -> FileReport {
        let not_compared = self.not_compared.iter().map(|one| &one.holder);
        let ballot =
            self.compared.iter().chain(not_compared).map(|holder| self.holding_report(path, suspect, holder, known));
        let verdict = suspect.verdict;
        let winner = verdict.map(|verdict| verdict.winner);
        FileReport {
            name: path.to_string(),
            record: suspect.record,
            ballot: ballot.collect(),
            verdict: verdict.map_or(Basis::Undecided, |verdict| verdict.basis),
            winner: winner.and_then(|winner| if let Winner::File(digest) = winner { Some(digest) } else { None }),
            winner_is_absence: winner == Some(Winner::Absence),
            actions: suspect.actions.clone(),
        }
    }

    fn holding_report(&self, path: BookPath, suspect: &Suspect, holder: &HolderId, known: &Known<'_>) -> HoldingReport {
        let (holding, found) = match suspect.findings.get(holder) {
            _ if !self.compared.contains(holder) => (HoldingKind::NoAnswer, None),
            Some(judged) => (judged.kind, judged.found),
            None => (HoldingKind::Intact, suspect.record.as_ref().map(Finding::of)),
        };
        let note =
            found.filter(|_| holding != HoldingKind::Intact).and_then(|found| note(path, holding, &found, known));
        let (digest, size) = (found.map(|found| found.digest), found.map(|found| found.size));
        HoldingReport { holder: holder.clone(), holding, digest, size, note }
    }
}

/// What else is known of these bytes.
fn note(path: BookPath, holding: HoldingKind, found: &Finding, known: &Known<'_>) -> Option<String> {
    if holding == HoldingKind::Stale {
        let mut decisions = known.answers.decisions();
        let has = |decision: &&crate::coordinator::Decision| {
            decision.changes.iter().any(|change| change.path == path && change.digest == Some(found.digest))
        };
        return decisions.find(has).map(|decision| format!("its bytes of version {}", decision.version));
    }
    let mut entries = known.manifest.entries();
    let other = entries.find(|(other, record)| **other != path && record.digest == found.digest);
    other.map(|(other, _)| format!("the bytes of {other}"))
}

/// The report on a file that is no book's and was moved away.
pub(super) fn of_foreign_file(name: String, action: HealReport) -> FileReport {
    let holding = HoldingReport {
        holder: action.holder.clone(),
        holding: HoldingKind::Extra,
        digest: None,
        size: None,
        note: Some("no book's file has this name".to_owned()),
    };
    FileReport {
        name,
        record: None,
        ballot: vec![holding],
        verdict: Basis::Proven,
        winner: None,
        winner_is_absence: true,
        actions: vec![action],
    }
}

fn left_foreign_file(name: &str, holder: &HolderId) -> FileReport {
    let (action, detail, quarantined) = (HealAction::WouldHeal, None, None);
    of_foreign_file(name.to_owned(), HealReport { holder: holder.clone(), action, detail, quarantined })
}
