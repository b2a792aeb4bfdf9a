//! What goes over the wire between the parts of Concordance, and nothing else: identifiers, digests, messages.
//!
//! A message is named by its direction ([`ToReplicator`], [`ToCoordinator`], …) and travels as one WebSocket text frame of
//! JSON. Everything that a coordinator says is wrapped in a [`FromCoordinator`], so that no message can be read without
//! its epoch. This crate decides nothing (that is `two-phase`) and does no IO.

mod app_server_messages;
mod catch_up;
mod change;
mod cluster_event;
mod cluster_status;
mod content;
mod decision;
mod digest;
mod holder;
mod ids;
mod lab;
mod page_address;
mod peer_messages;
mod record;
mod recovery;
mod replicator_messages;
mod replicator_status;
mod restoration_report;
mod round;
mod round_report;
mod scrub_report;
mod set_digest;
mod view;

pub use app_server_messages::{
    AppServerHello, AppServerStatus, ChangeState, CommittedAnswer, CommittedChange, CommittedRound, FromAppServer,
    MembershipChange, Query, QueryAnswer, Refusal, SubmissionAnswer, ToAppServer,
};
pub use catch_up::{BucketEntries, CatchUpTarget, FetchedFile, FromLearner, ManifestEntry, ToLearner, WantedFile};
pub use change::{Action, Change, Precondition, Submission};
pub use cluster_event::{ClusterEvent, EventKind, TimedEvent};
pub use cluster_status::{CatchUpProgress, ClusterStatus, DiskSpace, MemberStatus};
pub use content::Content;
pub use decision::{DecidedChange, Decision};
pub use digest::{Digest, InvalidDigest};
pub use holder::{
    Finding, FoundFile, HealOutcome, HealResult, HolderAnswer, HolderId, HolderRequest, Repair, ScanSummary,
};
pub use ids::{
    AppServerId, CatchUpId, ChangeId, ClusterId, CoordinatorId, Epoch, Incarnation, InvalidId, MemberId, RequestId,
    RestorationId, RoundId, RoundNumber, Version, ViewNumber,
};
pub use lab::{
    FileDamage, HeldMessage, LabAction, LinkCondition, ServiceState, ServiceStatus, StepMessage, SupervisorAnswer,
    SupervisorOrder,
};
pub use page_address::{InvalidPageAddress, PageAddress};
pub use peer_messages::{PeerAnswer, PeerKnowledge, PeerQuestion};
pub use record::{BUCKETS, BucketNumber, Record};
pub use recovery::{OpenRound, RecoveryAnswer, RecoveryOrder, RecoveryPlan, RecoveryQuestion, Witness};
pub use replicator_messages::{
    FromCoordinator, PreparedRound, ReplicatorHello, Standing, ToCoordinator, ToReplicator, VoteTook,
};
pub use replicator_status::{InDoubt, ReplicatorStatus};
pub use restoration_report::{
    Basis, FileReport, HealAction, HealReport, HoldingKind, HoldingReport, NotCompared, Phase, Progress,
    RestorationReport, RestorationState, Summary,
};
pub use round::{AbortCause, ChangeFault, CommitRule, Outcome, Parent, Participant, Prepare, Vote};
pub use round_report::{RoundOutcome, RoundReport, VoteReport};
pub use scrub_report::{ScrubFinding, ScrubOutcome, ScrubReport, ScrubStatus};
pub use set_digest::SetDigest;
pub use view::{CommitPolicy, Member, MemberRole, MemberState, View};

/// Version of this protocol. A peer that speaks another one is refused with a sentence that names both.
pub const PROTOCOL_VERSION: u32 = 2;
