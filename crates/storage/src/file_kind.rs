//! What a file of a data directory is, as its place tells: crash points and injected faults speak of kinds, not of paths.

use faults::CrashPoint;
use std::ffi::OsStr;
use std::path::Path;

/// The kinds of files that services keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// Which service the directory belongs to, and its lock.
    Format,
    /// Who the service is, and whom it obeys.
    Identity,
    /// A secret key.
    Key,
    /// A manifest with its MAC.
    Checkpoint,
    /// What is kept for people.
    Report,
    /// The bytes that were replaced.
    Quarantine,
    /// Books.
    Books,
    /// The segments of a log.
    Log,
}

impl FileKind {
    /// The kind of the file or folder at this place; nothing that services keep lies anywhere else.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?;
        let in_directory = match name.to_str() {
            Some("format" | "lock" | "place") => Some(Self::Format),
            Some("identity") => Some(Self::Identity),
            Some("checkpoint" | "catalogue") => Some(Self::Checkpoint),
            Some("last-scrub") => Some(Self::Report),
            Some(name) if name.ends_with(".key") => Some(Self::Key),
            _ => None,
        };
        // The nearest folder counts: a data directory may lie below one called `log`.
        let folders = || path.ancestors().filter_map(Path::file_name).take(3);
        in_directory.or_else(|| folders().find_map(Self::of_folder))
    }

    fn of_folder(name: &OsStr) -> Option<Self> {
        match name.to_str()? {
            "log" => Some(Self::Log),
            "books" => Some(Self::Books),
            "quarantine" => Some(Self::Quarantine),
            "restorations" | "recoveries" => Some(Self::Report),
            _ => None,
        }
    }

    /// The crash points before and after a file of this kind takes the place of an older one.
    pub(crate) fn replacing(self) -> Option<(CrashPoint, CrashPoint)> {
        match self {
            Self::Identity => Some((CrashPoint::IdentityWrittenAside, CrashPoint::IdentityReplaced)),
            Self::Key => Some((CrashPoint::KeyWrittenAside, CrashPoint::KeyReplaced)),
            Self::Checkpoint => Some((CrashPoint::CheckpointWrittenAside, CrashPoint::CheckpointReplaced)),
            Self::Report => Some((CrashPoint::ReportWrittenAside, CrashPoint::ReportReplaced)),
            Self::Quarantine => Some((CrashPoint::QuarantineWrittenAside, CrashPoint::QuarantineReplaced)),
            Self::Format | Self::Books | Self::Log => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_place_in_the_data_directory() {
        for (path, kind) in [
            ("/var/log/replicator-1/log/0001-00000000000000000001.log", Some(FileKind::Log)),
            ("/var/log/replicator-1/log/damaged-0001/0001-1.log", Some(FileKind::Log)),
            ("/var/log/replicator-1/checkpoint", Some(FileKind::Checkpoint)),
            ("/data/app-server/catalogue", Some(FileKind::Checkpoint)),
            ("/data/app-server/copy.key", Some(FileKind::Key)),
            ("/data/replicator-1/books/0f/x.xml", Some(FileKind::Books)),
            ("books/0f/x.xml", Some(FileKind::Books)),
            ("/data/replicator-1/quarantine/foreign/x", Some(FileKind::Quarantine)),
            ("/data/coordinator/restorations/x.json", Some(FileKind::Report)),
            ("/data/replicator-1/last-scrub", Some(FileKind::Report)),
            ("/data/replicator-1/lock", Some(FileKind::Format)),
            ("/data/replicator-1/place", Some(FileKind::Format)),
            ("/data/replicator-1", None),
        ] {
            assert_eq!(FileKind::of(Path::new(path)), kind, "{path}");
        }
    }
}
