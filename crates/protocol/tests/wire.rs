//! What is written is what is read: answers whose parts are flattened into one JSON object, where a name could be there twice.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use protocol::{
    ChangeState, CommittedAnswer, Digest, Epoch, FromCoordinator, QueryAnswer, Refusal, RequestId, RoundId,
    RoundNumber, SubmissionAnswer, ToAppServer, Version,
};

fn committed_answer() -> CommittedAnswer {
    CommittedAnswer {
        change: "a".parse().unwrap(),
        round: RoundId { epoch: Epoch(2), number: RoundNumber(7) },
        version: Version(5),
        path: catalogue::BookPath::from(catalogue::BookId::from_parts(1_700_000_000_000, [1; 10])),
        digest: Some(Digest::of(b"<book/>")),
        answer: "what the client is told".to_owned(),
    }
}

/// Through JSON and back, in the envelope in which it travels.
#[track_caller]
fn survives(message: ToAppServer) {
    let coordinator = protocol::CoordinatorId(uuid::Uuid::from_u128(2));
    let sent = FromCoordinator { epoch: Epoch(2), coordinator, message };
    let text = serde_json::to_string(&sent).unwrap();
    let read: Result<FromCoordinator<ToAppServer>, _> = serde_json::from_str(&text);
    assert_eq!(read.map_err(|error| format!("{error}: {text}")), Ok(sent));
}

#[test]
fn state_of_a_change_is_read_as_it_was_written() {
    let states =
        [ChangeState::Committed(committed_answer()), ChangeState::Pending, ChangeState::NotKnown, ChangeState::Unknown];
    for state in states {
        survives(ToAppServer::Told { request: RequestId(1), answer: QueryAnswer::Change { state } });
    }
}

#[test]
fn answer_to_a_submission_is_read_as_it_was_written() {
    let (change, path) = (committed_answer().change, committed_answer().path);
    let refusals = [
        Refusal::PreconditionFailed { change: change.clone(), path, current: None },
        Refusal::KeyReused { change },
        Refusal::Invalid { reason: "it has no changes".to_owned() },
        Refusal::QueueFull { retry_after_ms: 1 },
        Refusal::NoQuorum { reason: "replicator-1 is away".to_owned(), retry_after_ms: 1 },
    ];
    let refused = |refusal, committed| SubmissionAnswer::Refused { refusal, committed };
    let aborted = |committed| SubmissionAnswer::Aborted {
        round: committed_answer().round,
        reason: "it was asked to be aborted".to_owned(),
        votes: Vec::new(),
        committed,
    };
    let mut answers = vec![SubmissionAnswer::Committed { answers: vec![committed_answer()] }];
    for committed in [Vec::new(), vec![committed_answer()]] {
        answers.extend(refusals.iter().map(|refusal| refused(refusal.clone(), committed.clone())));
        answers.push(aborted(committed));
    }
    for answer in answers {
        survives(ToAppServer::Answered { request: RequestId(1), answer });
    }
}
