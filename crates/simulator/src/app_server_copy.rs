//! An app-server's copy: what it shows, its files behind that, and what a catch-up does to both.

use crate::agenda::{Event, Node};
use crate::holding;
use crate::violation::Held;
use crate::world::World;
use catalogue::BookPath;
use protocol::{
    CatchUpId, ChangeId, CommittedAnswer, CommittedRound, FetchedFile, HealResult, HolderRequest, Repair, RequestId,
    WantedFile,
};
use two_phase::write_checkpoint;

impl World {
    /// Shows a committed round, and answers those who wait for its changes.
    pub(crate) fn show_round(&mut self, index: usize, round: CommittedRound) -> Held {
        let (name, before) = (self.app_servers[index].name(), self.app_servers[index].shown);
        self.note(&[55, index as u64, round.version.0], || format!("{name} shows version {}", round.version));
        self.oracle.round_shown(&name, &round)?;
        self.oracle.app_server_moves(&name, before, round.version)?;
        self.oracle.shown_by_app_server(&name, round.round)?;
        let node = &mut self.app_servers[index];
        node.shown = round.version;
        let answer = |id: &ChangeId| {
            let change = round.changes.iter().find(|change| change.id == *id)?;
            Some(CommittedAnswer {
                change: id.clone(),
                round: round.round,
                version: round.version,
                path: change.path,
                digest: change.action.digest(),
                answer: change.answer.clone(),
            })
        };
        let mut answered = Vec::new();
        for (request, pending) in &node.pending {
            let answers: Option<Vec<_>> = pending.submission.changes.iter().map(|change| answer(&change.id)).collect();
            answered.extend(answers.map(|answers| (*request, answers)));
        }
        node.backlog.push_back(round);
        if node.backlog.len() == 1 {
            let delay_us = self.random.between(20, self.scenario.write_back_us);
            let boot = self.app_servers[index].boot;
            self.agenda.after(delay_us, Event::WriteBack { node: Node::AppServer(index), boot });
        }
        for (request, answers) in answered {
            self.answer_committed(index, request, &answers)?;
        }
        Ok(())
    }

    pub(crate) fn app_server_writes_back(&mut self, index: usize) -> Held {
        self.app_servers[index].flush();
        Ok(())
    }

    pub(crate) fn find_missing(&mut self, index: usize, catch_up: CatchUpId, files: Vec<WantedFile>) {
        let node = &mut self.app_servers[index];
        node.flush();
        let missing: Vec<_> =
            files.into_iter().filter(|file| node.files.matching(&file.path, file.digest).is_none()).collect();
        if let Some(core) = node.core.as_mut() {
            core.handle_missing(catch_up, missing);
        }
    }

    pub(crate) fn inspect_copy(&mut self, index: usize, request: HolderRequest) {
        let node = &mut self.app_servers[index];
        node.flush();
        let answer = holding::answer(&node.files, request, node.shown, |_| None);
        if let Some(core) = node.core.as_mut() {
            core.handle_answer(answer);
        }
    }

    pub(crate) fn heal_copy(
        &mut self,
        index: usize,
        request: RequestId,
        repairs: Vec<Repair>,
        left: Vec<HealResult>,
    ) -> Held {
        let node = &mut self.app_servers[index];
        node.flush();
        let (answer, written) = holding::heal(&mut node.files, request, repairs, left, false);
        let (name, shown) = (node.name(), node.shown);
        if let Some(core) = node.core.as_mut() {
            core.handle_answer(answer);
        }
        written.iter().try_for_each(|(path, digest)| self.oracle.healed(&name, shown, shown, path, *digest))
    }

    pub(crate) fn store_fetched(&mut self, index: usize, catch_up: CatchUpId, files: Vec<FetchedFile>) -> Held {
        let node = &mut self.app_servers[index];
        self.oracle.files_fetched(&node.name(), &files)?;
        for file in files {
            node.files.write(file.wanted.path, file.content);
        }
        if let Some(core) = node.core.as_mut() {
            core.handle_stored(catch_up);
        }
        Ok(())
    }

    pub(crate) fn install_copy(&mut self, index: usize, catch_up: CatchUpId, removed: Vec<BookPath>) -> Held {
        let node = &mut self.app_servers[index];
        node.flush();
        for path in removed {
            node.files.write(path, None);
        }
        node.files.sync();
        if self.strikes(Node::AppServer(index)) {
            return self.crash(Node::AppServer(index));
        }
        let node = &mut self.app_servers[index];
        let Some(core) = node.core.as_mut() else { return Ok(()) };
        let Some(state) = core.state_to_install(catch_up) else { return Ok(()) };
        self.oracle.state_in_order(&format!("app-server-{}", index + 1), state.version, state.manifest.root())?;
        node.checkpoint = Some(write_checkpoint(&state.header(), &state.manifest));
        node.shown = state.version;
        self.figures.count("catch-up installed by an app-server");
        core.handle_installed(catch_up, state);
        Ok(())
    }

    pub(crate) fn app_server_checkpoint(&mut self, index: usize) -> Held {
        let node = &mut self.app_servers[index];
        let Some(core) = &node.core else { return Ok(()) };
        let text = write_checkpoint(&core.state().header(), &core.state().manifest);
        node.flush();
        node.files.sync();
        if self.strikes(Node::AppServer(index)) {
            return self.crash(Node::AppServer(index));
        }
        self.app_servers[index].checkpoint = Some(text);
        self.figures.count("checkpoint of an app-server");
        Ok(())
    }
}
