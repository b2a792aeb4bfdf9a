//! Shows people what a holder has of a file: passes the question on, and the answer back. Decides nothing, and keeps no bytes.

use super::{Coordinator, Party, SessionId};
use protocol::{
    Content, Digest, HolderAnswer, HolderId, HolderRequest, QueryAnswer, RequestId, ToAppServer, ToReplicator,
    WantedFile,
};
use std::collections::BTreeMap;

/// More people than this do not look at copies at one time; whoever asks then is told so.
const ASKED_MAX: usize = 64;

/// Questions that holders have not answered.
#[derive(Debug, Clone, Hash, Default)]
pub(super) struct Copies {
    asked: BTreeMap<RequestId, Asked>,
}

#[derive(Debug, Clone, Hash)]
struct Asked {
    holder: SessionId,
    wanted: WantedFile,
    /// Who wants to know, and the number of that question.
    asker: (SessionId, RequestId),
}

impl Coordinator {
    /// Asks a holder for bytes that somebody wants to see.
    pub(super) fn ask_for_copy(&mut self, asker: SessionId, request: RequestId, holder: &HolderId, wanted: WantedFile) {
        let Some(session) = self.holder_session(holder) else {
            return self.tell_no_copy((asker, request), format!("{holder} is not connected"));
        };
        if self.copies.asked.len() >= ASKED_MAX {
            return self.tell_no_copy((asker, request), "too many copies are being looked at; try again".to_owned());
        }
        let number = self.reads.next_request();
        self.copies.asked.insert(number, Asked { holder: session, wanted, asker: (asker, request) });
        let question = HolderRequest::ReadFiles { request: number, files: vec![wanted], anywhere: true };
        match self.parties.get(&session) {
            Some(Party::AppServer) => self.tell(session, ToAppServer::Files(question)),
            _ => self.say(session, ToReplicator::Files(question)),
        }
    }

    /// Passes an answer on; gives it back if it is to another question.
    pub(super) fn take_copy(&mut self, session: SessionId, answer: HolderAnswer) -> Option<HolderAnswer> {
        let request = answer.request();
        if self.copies.asked.get(&request).is_none_or(|asked| asked.holder != session) {
            return Some(answer);
        }
        let Asked { wanted, asker, .. } = self.copies.asked.remove(&request)?;
        let content = match answer {
            HolderAnswer::FilesRead { files, .. } => files.into_iter().find_map(|file| file.content),
            _ => None,
        };
        match content.filter(|content| Digest::of(content.bytes()) == wanted.digest) {
            Some(content) => self.tell_copy(asker, Some(content), None),
            None => self.tell_no_copy(asker, "it has these bytes no more".to_owned()),
        }
        None
    }

    /// A connection ended: it answers nothing, and wants to know nothing.
    pub(super) fn forget_copies(&mut self, session: SessionId) {
        self.copies.asked.retain(|_, asked| asked.asker.0 != session);
        let unanswered: Vec<_> = self.copies.asked.extract_if(.., |_, asked| asked.holder == session).collect();
        for (_, asked) in unanswered {
            self.tell_no_copy(asked.asker, "its connection was lost".to_owned());
        }
    }

    fn tell_no_copy(&mut self, asker: (SessionId, RequestId), why_not: String) {
        self.tell_copy(asker, None, Some(why_not));
    }

    fn tell_copy(
        &mut self,
        (session, request): (SessionId, RequestId),
        content: Option<Content>,
        why_not: Option<String>,
    ) {
        self.tell(session, ToAppServer::Told { request, answer: QueryAnswer::Copy { content, why_not } });
    }
}
