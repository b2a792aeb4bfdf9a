//! What a simulated copy answers to questions about its files, and how it mends them. A real one does the same on a real disk.

use crate::simulated_files::SimulatedFiles;
use catalogue::BookPath;
use protocol::{
    BUCKETS, BucketNumber, Content, Digest, FetchedFile, Finding, FoundFile, HealOutcome, HealResult, HolderAnswer,
    HolderRequest, Repair, RequestId, ScanSummary, SetDigest, Version, WantedFile,
};

/// Answers a question; `version` is what the files show at least, `elsewhere` a place beside them.
pub fn answer(
    files: &SimulatedFiles,
    request: HolderRequest,
    version: Version,
    elsewhere: impl Fn(WantedFile) -> Option<Content>,
) -> HolderAnswer {
    match request {
        HolderRequest::Scan { request } => HolderAnswer::Scanned { request, summary: scan(files, version) },
        HolderRequest::ListBuckets { request, buckets } => {
            let is_asked = |path: &BookPath| buckets.contains(&BucketNumber::of(path));
            let paths = files.all().map(|(path, _)| *path).filter(is_asked);
            HolderAnswer::Found { request, version, files: paths.map(|path| examine(files, path)).collect() }
        }
        HolderRequest::Examine { request, paths } => {
            let files = paths.into_iter().map(|path| examine(files, path)).collect();
            HolderAnswer::Found { request, version, files }
        }
        HolderRequest::ReadFiles { request, files: wanted, anywhere } => {
            let read = |wanted: WantedFile| {
                let from_file = files.matching(&wanted.path, wanted.digest).cloned();
                let beside = || files.quarantined(wanted.digest).cloned().or_else(|| elsewhere(wanted));
                FetchedFile { wanted, content: from_file.or_else(|| if anywhere { beside() } else { None }) }
            };
            HolderAnswer::FilesRead { request, files: wanted.into_iter().map(read).collect() }
        }
        HolderRequest::Heal { request, .. } => {
            HolderAnswer::Failed { request, reason: "repairs are not answered as a question".to_owned() }
        }
    }
}

fn scan(files: &SimulatedFiles, version: Version) -> ScanSummary {
    let mut sums = vec![SetDigest::EMPTY; BUCKETS];
    for (path, content) in files.all() {
        let sum = &mut sums[BucketNumber::of(path).index()];
        *sum = sum.plus(finding(content).element(path));
    }
    ScanSummary { version, sums, files: files.all().count() as u64, foreign: Vec::new() }
}

fn examine(files: &SimulatedFiles, path: BookPath) -> FoundFile {
    FoundFile { path, found: files.read(&path).map(finding) }
}

fn finding(content: &Content) -> Finding {
    Finding { digest: Digest::of(content.bytes()), size: content.size() }
}

/// Puts files right that still hold what was found; with `blindly` also those that do not. Returns the answer and what was written.
pub fn heal(
    files: &mut SimulatedFiles,
    request: RequestId,
    repairs: Vec<Repair>,
    left: Vec<HealResult>,
    blindly: bool,
) -> (HolderAnswer, Vec<(BookPath, Option<Digest>)>) {
    let (mut results, mut written) = (left, Vec::new());
    for repair in repairs {
        let outcome = if blindly || files.read(&repair.path).map(finding) == repair.found {
            written.push((repair.path, repair.content.as_ref().map(|content| Digest::of(content.bytes()))));
            files.replace_damaged(repair.path, repair.content);
            HealOutcome::Healed { quarantined: None }
        } else {
            HealOutcome::Changed { reason: "the file holds something else now than when it was judged".to_owned() }
        };
        results.push(HealResult { name: repair.path.to_string(), outcome });
    }
    (HolderAnswer::Healed { request, results }, written)
}
