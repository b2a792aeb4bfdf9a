//! What happens to book files behind the processes' backs, and whether it was put right. Every file stays intact on one replicator
//! that is level: that a restore refuses where nobody has the bytes is another test's matter.

use crate::books::{BOOKS, Books, FORMS};
use crate::violation::Held;
use crate::world::World;
use protocol::{Content, RestorationId, RestorationReport};

/// A restore that has not ended after so long was lost on the way, in microseconds.
const LATE_AFTER_US: u64 = 20_000_000;

/// Damage that was done, and the restore that is to mend it.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    outstanding: bool,
    /// The replicator whose files are spared as long as damage is outstanding.
    keeper: Option<usize>,
    restore: Option<Restore>,
}

#[derive(Debug)]
struct Restore {
    id: RestorationId,
    dry_run: bool,
    asked_us: u64,
    /// Nothing was damaged since it was asked for.
    complete: bool,
}

impl Damage {
    pub(crate) fn is_outstanding(&self) -> bool {
        self.outstanding
    }

    pub(crate) fn is_being_restored(&self) -> bool {
        self.restore.is_some()
    }

    fn is_done(&mut self, keeper: usize) {
        (self.outstanding, self.keeper) = (true, Some(keeper));
        if let Some(restore) = &mut self.restore {
            restore.complete = false;
        }
    }

    pub(crate) fn is_asked_for(&mut self, id: RestorationId, dry_run: bool, asked_us: u64) {
        self.restore = Some(Restore { id, dry_run, asked_us, complete: true });
    }

    /// It is over only when a restore has compared every copy since the last damage, and left nothing as it was.
    pub(crate) fn note_report(&mut self, report: &RestorationReport, holders: usize) {
        let Some(restore) = self.restore.take_if(|restore| restore.id == report.id) else { return };
        let summary = &report.summary;
        let are_compared = report.not_compared.is_empty() && summary.holders >= holders as u64;
        let all = are_compared && summary.left == 0 && summary.undecided == 0;
        self.outstanding &= restore.dry_run || !restore.complete || !all;
    }

    pub(crate) fn forget_late(&mut self, now_us: u64) {
        self.restore.take_if(|restore| restore.asked_us + LATE_AFTER_US < now_us);
    }
}

impl World {
    /// Somebody edits, deletes or adds files of some copies; but never of all.
    pub(crate) fn damage_files(&mut self) -> Held {
        // A restore that asks those who cannot answer in time never compares them.
        let work_ms = self.scenario.file_work_us / 1_000;
        let is_answered = self.scenario.settings.holder_timeout_ms > 20 * work_ms;
        if !self.some_memory_may_be_lost() || !is_answered {
            return Ok(());
        }
        let mut level = self.level_voters();
        if let Some(keeper) = self.damage.keeper.filter(|_| self.damage.outstanding) {
            level.retain(|voter| *voter == keeper);
        }
        if level.is_empty() {
            return Ok(());
        }
        let keeper = *self.random.pick(&level);
        let holders = self.replicators.len() + self.app_servers.len();
        for _ in 0..self.random.between(2, 10) {
            let (book, holder) = (self.random.index(BOOKS), self.random.index(holders));
            if holder != keeper {
                self.damage_file(holder, book);
            }
        }
        self.damage.is_done(keeper);
        self.figures.count("fault: files damaged");
        Ok(())
    }

    fn damage_file(&mut self, holder: usize, book: usize) {
        let path = Books::shared().path(book);
        let other = Books::shared().content(book, self.random.index(FORMS));
        let torn = Content::from(other.bytes()[..self.random.index(other.bytes().len())].to_vec());
        let content = match self.random.below(4) {
            0 => None,
            1 => Some(torn),
            2 => Some(Content::from([other.bytes(), b"\n"].concat())),
            _ => Some(other),
        };
        self.note(&[75, holder as u64, book as u64], || format!("{path} of holder {holder} is damaged"));
        let replicators = self.replicators.len();
        let files = match holder.checked_sub(replicators) {
            None => &mut self.replicators[holder].files,
            Some(app_server) => &mut self.app_servers[app_server].files,
        };
        files.damage(path, content);
    }
}
