//! How values of other crates look in answers: told to readers of the interface, never made. The tests below hold each to what is written.

/// What a member is there for. Joining: it votes as soon as it has caught up.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum MemberRole {
    Voter,
    Joining,
    Observer,
}

/// Whether a member takes part in rounds.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum MemberState {
    InSync,
    CatchingUp,
    Down,
}

/// Which members a round needs.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum CommitPolicy {
    All,
    InSync,
}

/// How a round stands.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum RoundOutcome {
    InFlight,
    Committed,
    Aborted,
}

/// What a participant voted; `none` as long as no vote has come.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum VoteWord {
    Commit,
    Abort,
    None,
}

/// One participant's vote.
#[derive(Debug, utoipa::ToSchema)]
pub(crate) struct Vote {
    member: String,
    vote: VoteWord,
    /// Whose fault an abort is: `mine`, `changes`, `forced`.
    #[schema(required = true)]
    cause: Option<String>,
    /// Why, for people.
    #[schema(required = true)]
    reason: Option<String>,
    /// When the vote arrived, in microseconds after the round began.
    #[schema(required = true)]
    after_us: Option<u64>,
    /// When the prepare had arrived there; left out as long as it is not known, as are the times that follow.
    #[schema(required = false)]
    received_after_us: u64,
    /// When the record that the vote rests on was handed to its disk.
    #[schema(required = false)]
    staged_after_us: u64,
    /// When that record was durable.
    #[schema(required = false)]
    durable_after_us: u64,
    /// When it had told that it durably knows the outcome.
    #[schema(required = false)]
    acknowledged_after_us: u64,
}

/// One thing that is wrong with one field.
#[derive(Debug, utoipa::ToSchema)]
pub(crate) struct FieldError {
    /// Such as `title` or `authors[1].surname` (counted from 0).
    field: String,
    /// Follows on the name of the field.
    message: String,
}

/// What is known of a change.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum ChangeState {
    Committed,
    Aborted,
    Unknown,
}

/// How the file of a book on this server's disk differs from what was committed.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum LocalState {
    /// Another legal book with the same id.
    Modified,
    /// The file is gone.
    Missing,
    /// Nothing that can be read as this book.
    Damaged,
}

/// What became of a replication.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum ReplicationOutcome {
    Committed,
    NothingToDo,
}

/// What a scrub found out about a file.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum FindingOutcome {
    Damaged,
    Stale,
    Extra,
}

/// Whether a restore still runs.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum RestorationState {
    Running,
    Done,
    Failed,
}

/// What a restore does at present.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum RestorationPhase {
    Scanning,
    Comparing,
    Deciding,
    Healing,
    Done,
}

/// What a copy of a file is, measured against the newest record.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Holding {
    Intact,
    Stale,
    Damaged,
    Missing,
    Extra,
    Changing,
    NoAnswer,
}

/// What a verdict rests on.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Majority,
    Proven,
    Lost,
    Undecided,
}

/// What was done about a copy.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum HealAction {
    Healed,
    WouldHeal,
    Failed,
    Left,
}

/// What a message of a round says.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum StepMessage {
    Prepare,
    VoteCommit,
    VoteAbort,
    Commit,
    Abort,
    Acknowledge,
}

/// How a process stands.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum ServiceState {
    Running,
    Paused,
    Restarting,
    Dead,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};
    use std::collections::BTreeSet;
    use utoipa::PartialSchema;

    fn schema<T: PartialSchema>() -> Value {
        serde_json::to_value(T::schema()).unwrap()
    }

    fn words<T: PartialSchema>() -> Value {
        schema::<T>()["enum"].clone()
    }

    fn keys(object: &Map<String, Value>) -> BTreeSet<&str> {
        object.keys().map(String::as_str).collect()
    }

    #[test]
    fn words_of_members_and_rounds_are_those_that_are_written() {
        use protocol::{CommitPolicy as Policy, MemberRole as Role, MemberState as State, RoundOutcome as Outcome};
        assert_eq!(words::<MemberRole>(), json!([Role::Voter, Role::Joining, Role::Observer]));
        assert_eq!(words::<MemberState>(), json!([State::InSync, State::CatchingUp, State::Down]));
        assert_eq!(words::<CommitPolicy>(), json!([Policy::All, Policy::InSync]));
        assert_eq!(words::<RoundOutcome>(), json!([Outcome::InFlight, Outcome::Committed, Outcome::Aborted]));
    }

    #[test]
    fn words_of_scrubs_and_restores_are_those_that_are_written() {
        use protocol::{
            Basis, HealAction as Action, HoldingKind as Kind, Phase, RestorationState as State, ScrubOutcome,
        };
        let findings = [ScrubOutcome::Damaged, ScrubOutcome::Stale, ScrubOutcome::Extra];
        assert_eq!(words::<FindingOutcome>(), json!(findings.map(ScrubOutcome::as_str)));
        assert_eq!(words::<RestorationState>(), json!([State::Running, State::Done, State::Failed]));
        let phases = [Phase::Scanning, Phase::Comparing, Phase::Deciding, Phase::Healing, Phase::Done];
        assert_eq!(words::<RestorationPhase>(), json!(phases));
        let holdings =
            [Kind::Intact, Kind::Stale, Kind::Damaged, Kind::Missing, Kind::Extra, Kind::Changing, Kind::NoAnswer];
        assert_eq!(words::<Holding>(), json!(holdings));
        assert_eq!(words::<Verdict>(), json!([Basis::Majority, Basis::Proven, Basis::Lost, Basis::Undecided]));
        assert_eq!(words::<HealAction>(), json!([Action::Healed, Action::WouldHeal, Action::Failed, Action::Left]));
    }

    #[test]
    fn words_of_the_lab_are_those_that_are_written() {
        use protocol::{ServiceState as State, StepMessage as Message};
        let messages = [
            Message::Prepare,
            Message::VoteCommit,
            Message::VoteAbort,
            Message::Commit,
            Message::Abort,
            Message::Acknowledge,
        ];
        assert_eq!(words::<StepMessage>(), json!(messages));
        assert_eq!(words::<ServiceState>(), json!([State::Running, State::Paused, State::Restarting, State::Dead]));
    }

    #[test]
    fn members_of_votes_and_field_errors_are_those_that_are_written() {
        let vote = protocol::VoteReport {
            received_after_us: Some(1),
            staged_after_us: Some(2),
            durable_after_us: Some(3),
            acknowledged_after_us: Some(4),
            ..protocol::VoteReport::new("replicator-1".parse().unwrap(), "commit", None, None)
        };
        let error = catalogue::FieldError { field: "title".to_owned(), message: "is missing".to_owned() };
        for (described, written) in [(schema::<Vote>(), json!(vote)), (schema::<FieldError>(), json!(error))] {
            assert_eq!(keys(described["properties"].as_object().unwrap()), keys(written.as_object().unwrap()));
        }
    }
}
