//! What must hold for book files whatever somebody does to them with an editor, a link or a shell.

use super::*;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Mutex;
use tempfile::TempDir;

fn path(number: u128) -> BookPath {
    let digits = format!("{:032x}", 0x0190_0000_0000_7000_8000_0000_0000_0000 + number);
    let id = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-");
    BookPath::parse(&format!("books/{}/{id}.xml", &digits[30..])).unwrap()
}

fn files() -> (TempDir, BookFiles) {
    let home = tempfile::tempdir().unwrap();
    let data = DataDirectory::open(&home.path().join("data"), "replicator").unwrap();
    let files = BookFiles::open(&data).unwrap();
    (home, files)
}

impl BookFiles {
    fn on_disk(&self, path: BookPath) -> PathBuf {
        self.data.path().join(path.to_string())
    }
}

#[test]
fn a_file_is_created_overwritten_by_longer_and_shorter_and_removed() {
    let (_home, files) = files();
    let path = path(1);
    assert_eq!(files.read(path, 100).unwrap(), None);
    assert!(!files.remove(path).unwrap());
    for content in ["first", "second, longer", "", "x"] {
        files.write(path, content.as_bytes()).unwrap();
        assert_eq!(fs::read(files.on_disk(path)).unwrap(), content.as_bytes());
        assert_eq!(files.read(path, 100).unwrap().unwrap(), content.as_bytes());
        let digest = files.digest(path).unwrap().unwrap();
        assert_eq!(digest.bytes, content.len() as u64);
        assert_eq!(digest.sha256, <[u8; 32]>::from(Sha256::digest(content)));
    }
    files.sync().unwrap();
    assert!(files.remove(path).unwrap());
    assert_eq!(files.digest(path).unwrap(), None);
}

#[test]
fn no_more_is_read_than_shows_that_a_file_is_too_large() {
    let (_home, files) = files();
    files.write(path(1), &[b'x'; 5000]).unwrap();
    assert_eq!(files.read(path(1), 5000).unwrap().unwrap().len(), 5000);
    assert_eq!(files.read(path(1), 4999).unwrap().unwrap().len(), 5000);
    assert_eq!(files.read(path(1), 100).unwrap().unwrap().len(), 101);
    assert_eq!(files.digest(path(1)).unwrap().unwrap().bytes, 5000);
}

#[test]
fn a_linked_file_is_not_read_and_writing_replaces_the_link_only() {
    let (home, files) = files();
    let outside = home.path().join("outside.xml");
    fs::write(&outside, "outside").unwrap();
    files.write(path(1), b"book").unwrap();
    fs::remove_file(files.on_disk(path(1))).unwrap();
    symlink(&outside, files.on_disk(path(1))).unwrap();
    assert!(matches!(files.read(path(1), 10), Err(BookFilesError::NotAFile { .. })));
    assert!(matches!(files.digest(path(1)), Err(BookFilesError::NotAFile { .. })));
    files.write(path(1), b"book").unwrap();
    assert_eq!(fs::read(&outside).unwrap(), b"outside");
    assert_eq!(files.read(path(1), 10).unwrap().unwrap(), b"book");
}

#[test]
fn a_file_with_a_second_name_is_not_overwritten_under_that_name() {
    let (home, files) = files();
    files.write(path(1), b"old").unwrap();
    let backup = home.path().join("backup.xml");
    fs::hard_link(files.on_disk(path(1)), &backup).unwrap();
    files.write(path(1), b"new").unwrap();
    assert_eq!(fs::read(&backup).unwrap(), b"old");
    assert_eq!(files.read(path(1), 10).unwrap().unwrap(), b"new");
}

#[test]
fn linked_folders_are_refused_for_everything() {
    let (home, files) = files();
    files.write(path(1), b"book").unwrap();
    let fan_out = files.on_disk(path(1)).parent().unwrap().to_owned();
    let moved = home.path().join("moved");
    for folder in [fan_out.clone(), fan_out.parent().unwrap().to_owned()] {
        fs::rename(&folder, &moved).unwrap();
        symlink(&moved, &folder).unwrap();
        let errors = [
            files.read(path(1), 10).unwrap_err(),
            files.digest(path(1)).unwrap_err(),
            files.write(path(1), b"evil").unwrap_err(),
            files.remove(path(1)).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, BookFilesError::NotAFile { .. }), "{error}");
        }
        fs::remove_file(&folder).unwrap();
        fs::rename(&moved, &folder).unwrap();
    }
    assert_eq!(files.read(path(1), 10).unwrap().unwrap(), b"book");
}

#[test]
fn what_is_at_the_path_now_counts_not_what_was_open_before() {
    let (home, files) = files();
    files.write(path(1), b"old").unwrap();
    let books = files.data.path().join("books");
    fs::rename(&books, home.path().join("elsewhere")).unwrap();
    assert_eq!(files.read(path(1), 10).unwrap(), None);
    files.write(path(1), b"new").unwrap();
    assert_eq!(files.read(path(1), 10).unwrap().unwrap(), b"new");
}

#[test]
fn a_folder_in_place_of_a_file_is_named() {
    let (_home, files) = files();
    fs::create_dir_all(files.on_disk(path(1))).unwrap();
    let error = files.write(path(1), b"book").unwrap_err();
    assert!(matches!(error, BookFilesError::NotAFile { .. }), "{error}");
    assert!(error.to_string().contains(&path(1).to_string()), "{error}");
    assert!(!error.is_disk_full());
}

fn scan(files: &BookFiles, threads: usize) -> (BTreeMap<BookPath, FileDigest>, Vec<BookPath>, Vec<PathBuf>) {
    let found = Mutex::new((BTreeMap::new(), Vec::new(), Vec::new()));
    files
        .scan(threads, &|entry| {
            let mut found = found.lock().unwrap();
            match entry {
                ScanEntry::Book { path, digest } => assert_eq!(found.0.insert(path, digest), None),
                ScanEntry::Unreadable { path, .. } => found.1.push(path),
                ScanEntry::Foreign { name } => found.2.push(name),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let (books, unreadable, mut foreign) = found.into_inner().unwrap();
    foreign.sort();
    (books, unreadable, foreign)
}

#[test]
fn a_scan_finds_every_file_once_and_names_what_is_no_book() {
    let (home, files) = files();
    for number in 0..600 {
        files.write(path(number), format!("book {number}").as_bytes()).unwrap();
    }
    let books = files.data.path().join("books");
    fs::write(books.join("README"), "").unwrap();
    fs::write(books.join(".DS_Store"), "").unwrap();
    fs::write(books.join("00/notes.txt"), "").unwrap();
    fs::write(books.join("00/.notes.swp"), "").unwrap();
    // A book in another book's folder is nobody's file.
    fs::copy(files.on_disk(path(1)), books.join("00").join(files.on_disk(path(1)).file_name().unwrap())).unwrap();
    fs::create_dir(books.join("00ff")).unwrap();
    symlink(home.path(), books.join("zz")).unwrap();
    symlink("/etc/passwd", files.on_disk(path(0x1000))).unwrap();

    for threads in [1, 4] {
        let (found, unreadable, foreign) = scan(&files, threads);
        assert_eq!(found.len(), 600);
        for number in 0..600 {
            assert_eq!(Some(found[&path(number)]), files.digest(path(number)).unwrap());
        }
        assert_eq!(unreadable, [path(0x1000)]);
        let misplaced = format!("books/00/{}.xml", path(1).id());
        let expected = [&misplaced, "books/00/notes.txt", "books/00ff", "books/README", "books/zz"];
        assert_eq!(foreign, expected.map(PathBuf::from));
    }

    // The same, folder by folder, without reading.
    let mut listed = Listing { books: Vec::new(), foreign: files.list_foreign().unwrap() };
    for fan_out in 0..=u8::MAX {
        let Listing { books, foreign } = files.list(fan_out).unwrap();
        listed.books.extend(books);
        listed.foreign.extend(foreign);
    }
    let (found, unreadable, foreign) = scan(&files, 1);
    let mut books: Vec<_> = found.into_keys().chain(unreadable).collect();
    for names in [&mut books, &mut listed.books] {
        names.sort();
    }
    listed.foreign.sort();
    assert_eq!(listed, Listing { books, foreign });
}

#[test]
fn only_errors_that_the_bytes_are_gone_are_damage() {
    let is_damage = |errno: Errno| BookFilesError::new("books/x", errno.into()).is_damage();
    assert!([Errno::IO, Errno::BADMSG, Errno::LOOP, Errno::ISDIR].into_iter().all(is_damage));
    assert!(![Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::ACCESS].into_iter().any(is_damage));
}

#[test]
fn a_scan_stops_when_asked_and_fails_if_a_folder_is_a_link() {
    let (home, files) = files();
    for number in 0..100 {
        files.write(path(number), b"book").unwrap();
    }
    let count = Mutex::new(0);
    files
        .scan(1, &|_| {
            *count.lock().unwrap() += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(*count.lock().unwrap(), 1);

    let books = files.data.path().join("books");
    fs::rename(&books, home.path().join("elsewhere")).unwrap();
    assert_eq!(scan(&files, 2).0.len(), 0);
    symlink(home.path().join("elsewhere"), &books).unwrap();
    let error = files.scan(2, &|_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, BookFilesError::NotAFile { .. }), "{error}");
}
