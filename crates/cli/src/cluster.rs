//! `status` and `members`: how the cluster is.

use indicatif::DecimalBytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::CommandError;
use crate::client::Client;
use crate::exit::Exit;
use crate::output::Output;
use crate::scrub::Pass;
use crate::tables::{align_right, facts, or_dash, short, table};

/// What `GET /cluster` says, as far as it is shown.
#[derive(Debug, Deserialize)]
pub(crate) struct Cluster {
    epoch: u64,
    pub(crate) version: u64,
    root: String,
    min_in_sync: u64,
    commit_policy: String,
    pub(crate) accepting_writes: bool,
    why_not: Option<String>,
    pub(crate) members: Vec<Member>,
    pub(crate) coordinator: Coordinator,
    app_server: AppServer,
    #[serde(default)]
    app_servers: Vec<OtherAppServer>,
    #[serde(default)]
    lab: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) role: String,
    pub(crate) state: String,
    pub(crate) connected: bool,
    version: Option<u64>,
    in_doubt_since: Option<String>,
    in_doubt_round: Option<String>,
    address: Option<String>,
    detail: Option<String>,
    catch_up: Option<CatchUp>,
    scrub: Option<Pass>,
    #[serde(default)]
    disk: Option<Disk>,
}

#[derive(Debug, Deserialize)]
struct Disk {
    free_bytes: u64,
    total_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct CatchUp {
    files_sent: u64,
    files_left: u64,
    bytes_sent: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Coordinator {
    pub(crate) connected: bool,
    since: Option<String>,
    address: Option<String>,
}

#[derive(Debug, Deserialize)]
struct AppServer {
    id: String,
    version: Option<u64>,
    level: bool,
    books: Option<u64>,
    modified: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct OtherAppServer {
    id: String,
    address: Option<String>,
    connected: bool,
}

impl Cluster {
    fn is_well(&self) -> bool {
        let members_are_well =
            self.members.iter().all(|member| member.state == "in_sync" && member.in_doubt_since.is_none());
        self.accepting_writes && self.coordinator.connected && self.app_server.level && members_are_well
    }

    fn draw(&self) -> String {
        let writes = match (&self.why_not, self.accepting_writes) {
            (_, true) => "accepted".to_owned(),
            (Some(why), false) => format!("not accepted: {why}"),
            (None, false) => "not accepted".to_owned(),
        };
        let since = self.coordinator.since.as_deref().map(|since| format!(" since {since}")).unwrap_or_default();
        let link = if self.coordinator.connected { "connected" } else { "cannot be reached" };
        let address = or_dash(self.coordinator.address.as_deref());
        let app_server = &self.app_server;
        let level = if app_server.level { "level" } else { "catching up" };
        let mut lines = vec![
            ("writes", writes),
            ("version", self.version.to_string()),
            ("root", short(&self.root)),
            ("epoch", self.epoch.to_string()),
            ("commit policy", format!("{} (at least {} in sync)", self.commit_policy, self.min_in_sync)),
            ("coordinator", format!("{address}, {link}{since}")),
            ("app-server", format!("{}, {level}, version {}", app_server.id, or_dash(app_server.version))),
            ("books", or_dash(app_server.books)),
        ];
        if let Some(modified) = app_server.modified.filter(|&modified| modified > 0) {
            lines.push(("modified here", format!("{modified} (see `concordance replicate` and `restore`)")));
        }
        if self.lab {
            lines.push(("lab", "on".to_owned()));
        }
        let app_servers = if self.app_servers.is_empty() { String::new() } else { self.draw_app_servers() };
        format!("{}\n\n{}{app_servers}", facts(&lines), draw_members(&self.members))
    }

    fn draw_app_servers(&self) -> String {
        let mut table = table(&["app-server", "state", "page", "note"]);
        for OtherAppServer { id, address, connected } in &self.app_servers {
            let state = if *connected { "connected" } else { "not connected" };
            let note = if *id == self.app_server.id { "answers here" } else { "" };
            table.add_row([id, state, &or_dash(address.as_deref()), note]);
        }
        format!("\n\n{table}")
    }
}

fn draw_members(members: &[Member]) -> String {
    let mut table =
        table(&["member", "role", "state", "version", "in doubt since", "last scrub", "disk", "address", "note"]);
    align_right(&mut table, &[3]);
    for member in members {
        let state = member.state.replace('_', " ");
        let state = if member.connected { state } else { format!("{state}, not connected") };
        let doubt = member.in_doubt_since.as_deref().map(|since| match &member.in_doubt_round {
            Some(round) => format!("{since} (round {round})"),
            None => since.to_owned(),
        });
        table.add_row([
            member.id.clone(),
            member.role.clone(),
            state,
            or_dash(member.version),
            or_dash(doubt),
            or_dash(member.scrub.as_ref().map(Pass::in_short)),
            or_dash(member.disk.as_ref().map(Disk::in_short)),
            or_dash(member.address.as_deref()),
            note(member),
        ]);
    }
    table.to_string()
}

impl Disk {
    fn in_short(&self) -> String {
        format!("{} of {} free", DecimalBytes(self.free_bytes), DecimalBytes(self.total_bytes))
    }
}

fn note(member: &Member) -> String {
    let detail = member.detail.clone().unwrap_or_default();
    match &member.catch_up {
        Some(CatchUp { files_sent, files_left, bytes_sent }) => {
            let kilobytes = bytes_sent.div_ceil(1_024);
            format!("{detail}: {files_sent} files ({kilobytes} KiB) sent, {files_left} to go")
        }
        None => detail,
    }
}

/// Asks how the cluster is.
pub(crate) async fn fetch(client: &Client) -> Result<(Value, Cluster), CommandError> {
    let raw = client.fetch("/cluster").await?;
    let cluster = client.read(&raw)?;
    Ok((raw, cluster))
}

pub(crate) async fn status(client: &Client, output: &Output) -> Result<Exit, CommandError> {
    let (raw, cluster) = fetch(client).await?;
    output.answer(&raw, || cluster.draw());
    Ok(if cluster.is_well() { Exit::Success } else { Exit::Findings })
}

/// Rounds that replicators are in doubt about: exit code 3 if there are any.
pub(crate) async fn in_doubt(client: &Client, output: &Output) -> Result<Exit, CommandError> {
    let (raw, cluster) = fetch(client).await?;
    let doubters: Vec<_> = cluster.members.iter().filter(|member| member.in_doubt_since.is_some()).collect();
    let raw: Vec<_> = raw["members"].as_array().into_iter().flatten().cloned().collect();
    let items: Vec<_> = raw.into_iter().filter(|member| !member["in_doubt_since"].is_null()).collect();
    output.answer(&json!({ "items": items }), || {
        if doubters.is_empty() {
            return "Nobody is in doubt about a round.".to_owned();
        }
        let mut table = table(&["round", "in doubt", "since", "the others hold"]);
        for doubter in &doubters {
            let others = cluster.members.iter().filter(|member| member.id != doubter.id).map(|member| {
                let doubt = if member.in_doubt_round == doubter.in_doubt_round { ", in doubt too" } else { "" };
                format!("{}: version {}{doubt}", member.id, or_dash(member.version))
            });
            table.add_row([
                or_dash(doubter.in_doubt_round.as_ref()),
                doubter.id.clone(),
                or_dash(doubter.in_doubt_since.as_ref()),
                others.collect::<Vec<_>>().join("; "),
            ]);
        }
        table.to_string()
    });
    Ok(if doubters.is_empty() { Exit::Success } else { Exit::Findings })
}

pub(crate) async fn members(client: &Client, output: &Output) -> Result<Exit, CommandError> {
    let (raw, cluster) = fetch(client).await?;
    output.answer(&json!(raw["members"]), || draw_members(&cluster.members));
    Ok(Exit::Success)
}
