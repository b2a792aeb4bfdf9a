//! Several app-servers on one cluster: each has its name, follows the rounds, and knows where the others' pages are.

use crate::fixture::{APP_SERVER, Cluster};
use crate::spoken::told;
use crate::values::{incarnation, put, round};
use protocol::{AppServerHello, AppServerStatus, FromAppServer, RequestId, Submission, ToAppServer};
use two_phase::coordinator::{CoordinatorEffect, SessionId};

const ANOTHER: SessionId = SessionId(60);

fn hello(cluster: &Cluster, name: &str, memory: u8, port: u16) -> FromAppServer {
    FromAppServer::Hello(AppServerHello {
        app_server: name.parse().unwrap(),
        incarnation: incarnation(memory),
        address: Some(format!("http://127.0.0.1:{port}").parse().unwrap()),
        ..cluster.app_server_hello()
    })
}

fn closed(effects: &[CoordinatorEffect]) -> Vec<SessionId> {
    let session = |effect: &CoordinatorEffect| match effect {
        CoordinatorEffect::Close { session, .. } => Some(*session),
        _ => None,
    };
    effects.iter().filter_map(session).collect()
}

/// Who is told of a round that commits what was asked for on a connection.
fn followers(cluster: &mut Cluster, asks: SessionId) -> Vec<SessionId> {
    let number = cluster.core.state().last_decision.number.0 + 1;
    let changes = vec![put(&format!("change-{number}"), 1, "Emma")];
    let submission = Submission { changes, force_abort: false };
    let mut effects = cluster.app_server_says_on(asks, FromAppServer::Submit { request: RequestId(1), submission });
    effects.extend(cluster.all_vote_commit(round(1, number)));
    effects.extend(cluster.durable());
    let sessions = effects.iter().find_map(|effect| match effect {
        CoordinatorEffect::ToAppServers { sessions, message } => {
            matches!(message.message, ToAppServer::Committed(_)).then_some(sessions.clone())
        }
        _ => None,
    });
    sessions.unwrap()
}

fn status(name: &str, port: Option<u16>, connected: bool) -> AppServerStatus {
    let address = port.map(|port| format!("http://127.0.0.1:{port}").parse().unwrap());
    AppServerStatus { id: name.parse().unwrap(), address, connected }
}

#[test]
fn second_app_server_with_the_name_of_a_first_is_refused_and_the_first_goes_on() {
    let mut cluster = Cluster::level(1);
    let effects = cluster.app_server_says_on(ANOTHER, hello(&cluster, "app-server", 99, 7401));
    let [ToAppServer::Refuse { reason }] = told(&effects)[..] else { panic!("{effects:?}") };
    assert!(reason.contains("another app-server is connected as app-server"), "{reason}");
    assert!(reason.contains("--id"), "{reason}");
    assert_eq!(closed(&effects), [ANOTHER]);
    assert_eq!(followers(&mut cluster, APP_SERVER), [APP_SERVER]);
}

#[test]
fn app_server_that_connects_anew_takes_the_place_of_its_half_open_connection() {
    let mut cluster = Cluster::level(1);
    let effects = cluster.app_server_says_on(ANOTHER, hello(&cluster, "app-server", 50, 7400));
    assert_eq!(closed(&effects), [APP_SERVER]);
    assert_eq!(followers(&mut cluster, ANOTHER), [ANOTHER]);
}

#[test]
fn name_is_free_once_its_app_server_is_gone() {
    let mut cluster = Cluster::level(1);
    cluster.core.handle_disconnected(APP_SERVER, "the connection broke", cluster.now);
    let effects = cluster.app_server_says_on(ANOTHER, hello(&cluster, "app-server", 99, 7401));
    assert_eq!(closed(&effects), []);
}

#[test]
fn every_app_server_is_told_every_round_and_who_comes_and_goes() {
    let mut cluster = Cluster::level(1);
    let effects = cluster.app_server_says_on(ANOTHER, hello(&cluster, "app-server-2", 99, 7401));
    let everybody = vec![status("app-server", None, true), status("app-server-2", Some(7401), true)];
    let news = effects.iter().find_map(|effect| match effect {
        CoordinatorEffect::ToAppServers { sessions, message } => match &message.message {
            ToAppServer::AppServers { app_servers } => Some((sessions.clone(), app_servers.clone())),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(news, Some((vec![APP_SERVER, ANOTHER], everybody)));
    assert_eq!(followers(&mut cluster, APP_SERVER), [APP_SERVER, ANOTHER]);

    cluster.core.handle_disconnected(ANOTHER, "the connection broke", cluster.now);
    let effects = cluster.take();
    // A page of the one that is gone may ask this one now: it must know whose page that is.
    let app_servers = vec![status("app-server", None, true), status("app-server-2", Some(7401), false)];
    assert_eq!(told(&effects), [&ToAppServer::AppServers { app_servers }]);
}

#[test]
fn app_servers_that_went_are_remembered_up_to_a_number_and_none_that_is_connected_is_forgotten() {
    let mut cluster = Cluster::level(1);
    for number in 0..200_u16 {
        let session = SessionId(1_000 + u64::from(number));
        let hello = hello(&cluster, &format!("guest-{number}"), 99, 7401);
        cluster.app_server_says_on(session, hello);
        cluster.core.handle_disconnected(session, "the connection broke", cluster.now);
    }
    let effects = cluster.take();
    let Some(ToAppServer::AppServers { app_servers }) = told(&effects).last().copied() else { panic!("{effects:?}") };
    assert_eq!(app_servers.len(), 64);
    assert!(app_servers.contains(&status("app-server", None, true)), "{app_servers:?}");
    assert!(app_servers.contains(&status("guest-199", Some(7401), false)), "{app_servers:?}");
}
