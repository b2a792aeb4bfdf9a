//! The names of the book files that are there, without a look into them.

use catalogue::BookPath;
use std::path::{Path, PathBuf};

/// The paths of all book files below the folder `books`. Names that are no book's are passed over, and so is what cannot be
/// listed.
pub(super) fn book_paths(books_folder: &Path) -> Vec<BookPath> {
    let children = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let fan_outs = children(books_folder.to_owned()).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut paths = Vec::new();
    for fan_out in fan_outs {
        let folder = fan_out.file_name();
        for file in children(fan_out.path()) {
            let text = format!("books/{}/{}", folder.to_string_lossy(), file.file_name().to_string_lossy());
            paths.extend(BookPath::parse(&text).ok());
        }
    }
    paths
}
