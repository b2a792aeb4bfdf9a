//! Figures of many runs in a file, so that a long range of seeds can be stopped and gone on with. Owns that file; runs nothing.

use serde::{Deserialize, Serialize};
use simulator::Figures;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What the file holds: the figures of all seeds of one range, from its beginning up to `next`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Totals {
    /// The first seed.
    from: u64,
    /// The first seed that was not run yet.
    next: u64,
    /// What happened, counted.
    figures: BTreeMap<String, u64>,
}

/// The file, and what it holds by now.
pub(crate) struct TotalsFile {
    path: PathBuf,
    totals: Totals,
}

impl TotalsFile {
    /// Reads the file, or begins one for these seeds.
    ///
    /// # Errors
    /// If it cannot be read, or is of another range: figures with a gap, or with seeds that count twice, say nothing.
    pub(crate) fn open(path: &Path, seeds: &Range<u64>) -> Result<Self, String> {
        let totals = match std::fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Totals { from: seeds.start, next: seeds.start, figures: BTreeMap::new() }
            }
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        if totals.from != seeds.start {
            let (path, from) = (path.display(), totals.from);
            return Err(format!(
                "{path} holds the seeds from {from} on: ask for --seeds {from}..N, or name another file"
            ));
        }
        Ok(Self { path: path.to_owned(), totals })
    }

    /// The first seed that is not in it.
    pub(crate) fn next_seed(&self) -> u64 {
        self.totals.next
    }

    /// Adds the figures of the next seeds, up to `next`, and writes the file: whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn add(&mut self, next: u64, figures: &Figures) -> Result<(), String> {
        self.totals.next = next;
        for (name, number) in figures.iter() {
            *self.totals.figures.entry(name.to_owned()).or_default() += number;
        }
        let aside = self.path.with_added_extension("new");
        let text = serde_json::to_vec_pretty(&self.totals).expect("totals have only text keys and numbers");
        let written = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, &self.path));
        written.map_err(|error| format!("{}: {error}", self.path.display()))
    }

    /// One line a figure.
    pub(crate) fn print(&self) {
        for (name, number) in &self.totals.figures {
            println!("{number:>12}  {name}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_range_that_was_stopped_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("totals.json");
        let of_seeds = |range: Range<u64>| simulator::run_all(range, 1, &|_| {}).unwrap();
        let mut file = TotalsFile::open(&path, &(0..4)).unwrap();
        file.add(2, &of_seeds(0..2)).unwrap();
        let mut file = TotalsFile::open(&path, &(0..4)).unwrap();
        assert_eq!(file.next_seed(), 2);
        file.add(4, &of_seeds(2..4)).unwrap();
        let whole: BTreeMap<_, _> = of_seeds(0..4).iter().map(|(name, number)| (name.to_owned(), number)).collect();
        assert_eq!(TotalsFile::open(&path, &(0..9)).unwrap().totals, Totals { from: 0, next: 4, figures: whole });
    }

    #[test]
    fn file_of_another_range_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("totals.json");
        TotalsFile::open(&path, &(10..20)).unwrap().add(20, &Figures::default()).unwrap();
        assert!(TotalsFile::open(&path, &(0..20)).is_err_and(|error| error.contains("--seeds 10..N")));
    }
}
