//! Goal: the REST interface does what `docs/rest.md` says, whatever the coordinator does. Method: a whole app-server in this
//! process, on real sockets and files, against a coordinator made for the purpose (`fake_coordinator`).

#![allow(clippy::unwrap_used, reason = "in a test a panic is the finding")]

mod app_servers;
mod books;
mod description;
mod events;
mod fake_coordinator;
mod guards;
mod imports;
mod made_up_requests;
mod outcomes;
mod replications;
mod reports;
mod restorations;
mod scrubs;
mod server;
mod working_copy;
