//! What disks, people and backups do to a data directory behind the back of its process, which must not run meanwhile.

use std::path::{Path, PathBuf};

/// Records of a log begin with this byte, which occurs nowhere else in it.
const RECORD_SEPARATOR: u8 = 0x1e;

/// Changes one bit of one byte in the middle of what a file holds, not counting the zeroes at its end. Doing it twice undoes it.
pub fn flip_byte_in_the_middle(file: &Path) {
    let mut content = std::fs::read(file).unwrap();
    let middle = used_bytes(&content) / 2;
    content[middle] ^= 1;
    std::fs::write(file, content).unwrap();
}

/// Makes the second half of a log's last record zeroes: what a crash leaves of a record of which a part was written.
pub fn tear_last_record(segment: &Path) {
    let mut content = std::fs::read(segment).unwrap();
    let end = used_bytes(&content);
    let start = content.iter().rposition(|byte| *byte == RECORD_SEPARATOR).expect("a log has records");
    content[(start + end) / 2..end].fill(0);
    std::fs::write(segment, content).unwrap();
}

/// The newest segment of the log in a data directory.
///
/// # Panics
/// If there is none that holds anything.
#[must_use]
pub fn newest_segment(data: &Path) -> PathBuf {
    let entries = std::fs::read_dir(data.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let segments = entries.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    let with_records = segments.filter(|path| used_bytes(&std::fs::read(path).unwrap()) > 0);
    with_records.max().expect("the log has a segment")
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn used_bytes(content: &[u8]) -> usize {
    content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}
