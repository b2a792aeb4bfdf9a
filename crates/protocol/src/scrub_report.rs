//! What a scrub finds: a replicator reads its own files in the background and compares each with its own record.

use serde::{Deserialize, Serialize};

/// What a scrub says of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScrubOutcome {
    /// It holds what its record says.
    Clean,
    /// It holds other bytes, is not there, or its bytes cannot be had any more.
    Damaged,
    /// It holds the bytes of an older record.
    Stale,
    /// Rounds or repairs changed it each time that it was read.
    Changing,
    /// It could not be compared. Never counted as clean.
    Unknown,
    /// There is a file, though no record knows it.
    Extra,
}

impl ScrubOutcome {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Clean, Self::Damaged, Self::Stale, Self::Changing, Self::Unknown, Self::Extra];

    /// Its name, as it goes over the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Damaged => "damaged",
            Self::Stale => "stale",
            Self::Changing => "changing",
            Self::Unknown => "unknown",
            Self::Extra => "extra",
        }
    }
}

/// A file that a restore would put right.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrubFinding {
    /// The file's path, or the name of a foreign file.
    pub name: String,
    /// What it was found to be.
    pub outcome: ScrubOutcome,
    /// More about it, for people.
    pub detail: Option<String>,
}

/// One pass over all files of one replicator. Its counts grow while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrubReport {
    /// When it began, in milliseconds of Unix time.
    pub started_at_ms: u64,
    /// When it had looked at every file; none while it runs.
    pub finished_at_ms: Option<u64>,
    /// Files that were looked at.
    pub files: u64,
    /// Bytes that they hold by their records.
    pub bytes: u64,
    /// Files that hold what their records say.
    pub clean: u64,
    /// Files with other bytes, or none.
    pub damaged: u64,
    /// Files with the bytes of an older record.
    pub stale: u64,
    /// Files that changed whenever they were read.
    pub changing: u64,
    /// Files that could not be compared.
    pub unknown: u64,
    /// Files without a record.
    pub extra: u64,
    /// The damaged, stale and extra ones, at most [`ScrubReport::FINDINGS_MAX`] of them.
    pub findings: Vec<ScrubFinding>,
    /// Why something could not be compared, for people.
    pub detail: Option<String>,
}

impl ScrubReport {
    /// How many files are named in a report.
    pub const FINDINGS_MAX: usize = 100;

    /// The report of a pass that begins.
    #[must_use]
    pub fn started(at_ms: u64) -> Self {
        Self { started_at_ms: at_ms, ..Self::default() }
    }

    /// How many files had this outcome.
    #[must_use]
    pub fn count(&self, outcome: ScrubOutcome) -> u64 {
        match outcome {
            ScrubOutcome::Clean => self.clean,
            ScrubOutcome::Damaged => self.damaged,
            ScrubOutcome::Stale => self.stale,
            ScrubOutcome::Changing => self.changing,
            ScrubOutcome::Unknown => self.unknown,
            ScrubOutcome::Extra => self.extra,
        }
    }

    /// Counts a file.
    pub fn add(&mut self, outcome: ScrubOutcome) {
        self.files += 1;
        *self.counter(outcome) += 1;
    }

    /// Names a file that was counted, if there is room.
    pub fn name(&mut self, finding: ScrubFinding) {
        if self.findings.len() < Self::FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// A file that was named as damaged holds the bytes of an older record.
    pub fn is_stale(&mut self, name: &str) {
        let named = |finding: &&mut ScrubFinding| finding.name == name && finding.outcome == ScrubOutcome::Damaged;
        if let Some(finding) = self.findings.iter_mut().find(named) {
            finding.outcome = ScrubOutcome::Stale;
            self.damaged -= 1;
            self.stale += 1;
        }
    }

    /// How many files a restore would put right.
    #[must_use]
    pub fn to_restore(&self) -> u64 {
        self.damaged + self.stale + self.extra
    }

    /// What was found that is not clean, for people: `2 damaged, 1 extra`; none if everything is.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let counted = ScrubOutcome::ALL.into_iter().filter(|outcome| *outcome != ScrubOutcome::Clean);
        let parts: Vec<_> = counted
            .filter(|outcome| self.count(*outcome) > 0)
            .map(|outcome| format!("{} {}", self.count(outcome), outcome.as_str()))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    fn counter(&mut self, outcome: ScrubOutcome) -> &mut u64 {
        match outcome {
            ScrubOutcome::Clean => &mut self.clean,
            ScrubOutcome::Damaged => &mut self.damaged,
            ScrubOutcome::Stale => &mut self.stale,
            ScrubOutcome::Changing => &mut self.changing,
            ScrubOutcome::Unknown => &mut self.unknown,
            ScrubOutcome::Extra => &mut self.extra,
        }
    }
}

/// The passes of one replicator, as far as the coordinator has heard of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrubStatus {
    /// The last one that looked at every file.
    pub last: Option<ScrubReport>,
    /// The one that runs now.
    pub running: Option<ScrubReport>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_compared_is_told_and_a_stale_file_is_no_longer_counted_as_damaged() {
        let mut report = ScrubReport::started(1);
        assert_eq!(report.summary(), None);
        for outcome in [ScrubOutcome::Clean, ScrubOutcome::Damaged, ScrubOutcome::Damaged, ScrubOutcome::Unknown] {
            report.add(outcome);
        }
        report.name(ScrubFinding { name: "a".to_owned(), outcome: ScrubOutcome::Damaged, detail: None });
        report.is_stale("a");
        report.is_stale("a");
        assert_eq!((report.files, report.clean, report.to_restore()), (4, 1, 2));
        assert_eq!(report.summary().as_deref(), Some("1 damaged, 1 stale, 1 unknown"));
    }
}
