//! What happened in runs, counted.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by name; those whose names begin with `fault: ` are faults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures(BTreeMap<&'static str, u64>);

impl Figures {
    /// Counts one.
    pub fn count(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// Counts several.
    pub fn add(&mut self, name: &'static str, number: u64) {
        *self.0.entry(name).or_default() += number;
    }

    /// How many were counted.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// All counts, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(name, number)| (*name, *number))
    }

    /// How many faults were counted.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.0.iter().filter(|(name, _)| name.starts_with("fault: ")).map(|(_, number)| number).sum()
    }

    /// Adds those of another run.
    pub fn merge(&mut self, other: &Self) {
        for (name, number) in &other.0 {
            self.add(name, *number);
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, number)| writeln!(formatter, "{number:>12}  {name}"))
    }
}
