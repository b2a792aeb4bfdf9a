//! The values that tests are made of: names, books, changes and votes.

use catalogue::{Author, Book, BookDraft, BookId, BookPath, Timestamp};
use protocol::{
    AbortCause, Action, Change, ChangeFault, ClusterId, CommittedAnswer, Content, CoordinatorId, Digest, Epoch,
    HolderId, Incarnation, MemberId, Precondition, RoundId, RoundNumber, SetDigest, Version, Vote,
};
use two_phase::replicator::FileChange;
use uuid::Uuid;

pub(crate) fn member(number: u8) -> MemberId {
    format!("replicator-{number}").parse().unwrap()
}

/// A root that no committed state has.
pub(crate) fn digest_of_nothing_committed() -> SetDigest {
    SetDigest::of_element(&[b"nothing that was committed"])
}

/// What these changes leave of their files.
pub(crate) fn file_changes(changes: &[Change]) -> Vec<FileChange> {
    changes.iter().map(|change| FileChange::of(change.path, &change.action)).collect()
}

pub(crate) fn replicator(number: u8) -> HolderId {
    HolderId::Replicator(member(number))
}

pub(crate) fn app_server() -> HolderId {
    HolderId::AppServer("app-server".parse().unwrap())
}

pub(crate) fn incarnation(number: u8) -> Incarnation {
    Incarnation(Uuid::from_u128(u128::from(number)))
}

pub(crate) fn coordinator(number: u8) -> CoordinatorId {
    CoordinatorId(Uuid::from_u128(1_000 + u128::from(number)))
}

pub(crate) fn cluster() -> ClusterId {
    ClusterId(Uuid::from_u128(7))
}

pub(crate) fn round(epoch: u64, number: u64) -> RoundId {
    RoundId { epoch: Epoch(epoch), number: RoundNumber(number) }
}

pub(crate) fn path(book: u8) -> BookPath {
    BookPath::from(BookId::from_parts(1_700_000_000_000, [book; 10]))
}

/// The file of a book with this title.
pub(crate) fn file(book: u8, title: &str) -> Content {
    let draft =
        BookDraft { title: title.to_owned(), authors: vec![Author::new("Jane", "Austen")], ..BookDraft::default() };
    let created = Timestamp::from_unix_millis(1_700_000_000_000).unwrap();
    Book::new(path(book).id(), created, draft).unwrap().to_xml().into()
}

pub(crate) fn digest(content: &Content) -> Digest {
    Digest::of(content.bytes())
}

/// A change by the client's key `key` that gives a book this title.
pub(crate) fn put(key: &str, book: u8, title: &str) -> Change {
    let content = file(book, title);
    let action = Action::Put { digest: digest(&content), content };
    Change {
        id: key.parse().unwrap(),
        fingerprint: Digest::of(format!("put {book} {title}").as_bytes()),
        path: path(book),
        precondition: Precondition::None,
        answer: format!("answer to {key}"),
        action,
    }
}

pub(crate) fn delete(key: &str, book: u8) -> Change {
    let fingerprint = Digest::of(format!("delete {book}").as_bytes());
    Change { action: Action::Delete, fingerprint, ..put(key, book, "Gone") }
}

pub(crate) fn mine(reason: &str) -> Vote {
    Vote::Abort { cause: AbortCause::Mine { reason: reason.to_owned() } }
}

pub(crate) fn forced(reason: &str) -> Vote {
    Vote::Abort { cause: AbortCause::Forced { reason: reason.to_owned() } }
}

pub(crate) fn faults(key: &str, reason: &str) -> Vote {
    let fault = ChangeFault { change: key.parse().unwrap(), reason: reason.to_owned() };
    Vote::Abort { cause: AbortCause::Changes { faults: vec![fault] } }
}

/// The first answer to a change of round 1-`number`.
pub(crate) fn answer_to(change: &Change, number: u64, version: u64) -> CommittedAnswer {
    CommittedAnswer {
        change: change.id.clone(),
        round: round(1, number),
        version: Version(version),
        path: change.path,
        digest: change.action.digest(),
        answer: change.answer.clone(),
    }
}
