//! What a local cluster consists of: programs, arguments, ports and directories. Starts nothing.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::UpError;
use crate::arguments::UpArguments;
use crate::tables::count;

const COORDINATOR: &str = "coordinator";
const REPLICATOR: &str = "replicator";
const APP_SERVER: &str = "app-server";
/// The programs of a cluster.
const PROGRAMS: [&str; 3] = [COORDINATOR, REPLICATOR, APP_SERVER];
/// The coordinator's port lies so far above the page's.
const COORDINATOR_PORT_OFFSET: u16 = 10;
/// Replicator i's port lies so far above the page's, plus i.
const REPLICATOR_PORT_OFFSET: u16 = 20;

/// A local cluster never runs more replicators than this, as each has a port of its own.
const REPLICATORS_MAX: u16 = 64;
/// How many a new cluster gets if nobody says.
const REPLICATORS_DEFAULT: u16 = 3;

/// A cluster to be started.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The directory of all, absolute.
    pub(crate) data: PathBuf,
    /// The token that all of them share, if any.
    pub(crate) token_file: Option<PathBuf>,
    programs: PathBuf,
    port: u16,
    log_level: String,
    lab: bool,
    replicators: Option<u16>,
    app_servers: u16,
}

/// One process of it.
#[derive(Clone, Debug)]
pub(crate) struct ServicePlan {
    /// Its id, and the name of its directory and its log.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) address: SocketAddr,
    pub(crate) faces_clients: bool,
}

impl Plan {
    pub(crate) fn new(arguments: &UpArguments, token_file: Option<&Path>) -> Result<Self, UpError> {
        let programs = match &arguments.bin_dir {
            Some(directory) => directory.clone(),
            None => own_directory()?,
        };
        let missing = PROGRAMS.iter().map(|name| programs.join(name)).find(|program| !program.is_file());
        if let Some(path) = missing {
            return Err(UpError::MissingProgram { path });
        }
        let data = std::path::absolute(&arguments.data)
            .map_err(|source| UpError::Directory { path: arguments.data.clone(), source })?;
        Ok(Plan {
            data,
            token_file: token_file.map(Path::to_owned),
            programs,
            port: arguments.port,
            log_level: arguments.log_level.clone(),
            lab: arguments.lab,
            replicators: arguments.replicators,
            app_servers: arguments.app_servers,
        })
    }

    /// What is started first, in this order. `present` are the replicators that have a directory: all of them, as one
    /// that was removed finds that out by itself. A new cluster has none.
    pub(crate) fn services(&self, present: &BTreeSet<u16>) -> Vec<ServicePlan> {
        let first: BTreeSet<u16> = (1..=self.replicators.unwrap_or(REPLICATORS_DEFAULT)).collect();
        let members: Vec<String> = first.iter().copied().map(replicator_name).collect();
        let at_once = if present.is_empty() { &first } else { present };
        let coordinator =
            self.service(COORDINATOR, COORDINATOR, self.coordinator(), &["--members", &members.join(",")]);
        let replicators = at_once.iter().filter_map(|&number| self.replicator(number));
        let app_servers = (1..=self.app_servers).map(|number| self.app_server(number));
        std::iter::once(coordinator).chain(replicators).chain(app_servers).collect()
    }

    /// The replicators that were asked for beyond those that a cluster has: they are started as soon as they are members.
    /// None in a gap: that one lost its disk, which makes no difference to who is a member, or was removed.
    pub(crate) fn newcomers(&self, present: &BTreeSet<u16>) -> BTreeSet<u16> {
        match (present.last(), self.replicators) {
            (Some(highest), Some(asked)) => (highest + 1..=asked).collect(),
            _ => BTreeSet::new(),
        }
    }

    /// A replicator by its number; none if there is no port for it.
    pub(crate) fn replicator(&self, number: u16) -> Option<ServicePlan> {
        let address = self.at(REPLICATOR_PORT_OFFSET + number);
        let name = replicator_name(number);
        (1..=REPLICATORS_MAX)
            .contains(&number)
            .then(|| self.service(REPLICATOR, &name, address, &["--id", &name, "--coordinator", &self.dial()]))
    }

    /// The next replicator after those with these numbers whose port is free.
    pub(crate) fn next_replicator(&self, taken: &BTreeSet<u16>) -> Option<u16> {
        let next = taken.last().map_or(1, |highest| highest + 1);
        (next..=REPLICATORS_MAX).find(|&number| TcpListener::bind(self.at(REPLICATOR_PORT_OFFSET + number)).is_ok())
    }

    fn app_server(&self, number: u16) -> ServicePlan {
        let name = if number == 1 { APP_SERVER.to_owned() } else { format!("{APP_SERVER}-{number}") };
        self.service(APP_SERVER, &name, self.at(number - 1), &["--id", &name, "--coordinator", &self.dial()])
    }

    fn service(&self, program: &str, name: &str, address: SocketAddr, own: &[&str]) -> ServicePlan {
        let mut all: Vec<OsString> = own.iter().map(OsString::from).collect();
        all.extend(["--data".into(), self.data.join(name).into()]);
        all.extend(["--listen".into(), address.to_string().into()]);
        all.extend(["--log-level".into(), self.log_level.clone().into(), "--exit-with-parent".into()]);
        all.extend(self.lab.then(|| "--lab".into()));
        if let Some(file) = &self.token_file {
            all.extend(["--token-file".into(), file.into()]);
        }
        ServicePlan {
            name: name.to_owned(),
            program: self.programs.join(program),
            arguments: all,
            address,
            faces_clients: program == APP_SERVER,
        }
    }

    fn at(&self, offset: u16) -> SocketAddr {
        SocketAddr::from((UpArguments::HOST, self.port.saturating_add(offset)))
    }

    fn coordinator(&self) -> SocketAddr {
        self.at(COORDINATOR_PORT_OFFSET)
    }

    fn dial(&self) -> String {
        format!("ws://{}", self.coordinator())
    }

    /// The page's address.
    pub(crate) fn page(&self) -> String {
        format!("http://{}", self.at(0))
    }

    /// The addresses of the same page at the other app-servers.
    pub(crate) fn other_pages(&self) -> Vec<String> {
        (1..self.app_servers).map(|offset| format!("http://{}", self.at(offset))).collect()
    }

    /// What the cluster consists of, when it runs so many replicators.
    pub(crate) fn describe(&self, replicators: usize) -> String {
        let replicators = count(replicators as u64, "replicator", "replicators");
        let app_servers = match self.app_servers {
            1 => "one app-server".to_owned(),
            number => format!("{number} app-servers"),
        };
        format!("one coordinator, {replicators} and {app_servers}")
    }
}

/// Refuses ports that are taken, all of them at once, before anything is started.
pub(crate) fn check_ports<'a>(services: impl IntoIterator<Item = &'a ServicePlan>) -> Result<(), UpError> {
    let busy: Vec<String> = services
        .into_iter()
        .filter_map(|service| match TcpListener::bind(service.address) {
            Ok(_) => None,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                Some(format!("port {} ({}) is in use", service.address.port(), service.name))
            }
            Err(error) => Some(format!("port {} ({}): {error}", service.address.port(), service.name)),
        })
        .collect();
    if busy.is_empty() { Ok(()) } else { Err(UpError::PortsInUse { busy: busy.join(", ") }) }
}

pub(crate) fn replicator_name(number: u16) -> String {
    format!("{REPLICATOR}-{number}")
}

/// The number in the name of a replicator of a local cluster.
pub(crate) fn replicator_number(name: &str) -> Option<u16> {
    let number = name.strip_prefix(REPLICATOR)?.strip_prefix('-')?.parse().ok()?;
    // `replicator-04` is somebody else.
    (replicator_name(number) == name).then_some(number)
}

/// The directory of this program, where the others lie too.
fn own_directory() -> Result<PathBuf, UpError> {
    let program = std::env::current_exe().map_err(|source| UpError::Whereabouts { source })?;
    Ok(program.parent().unwrap_or(Path::new("/")).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Command};
    use clap::Parser;

    fn plan(programs: &Path, extra: &[&str]) -> Result<Plan, UpError> {
        let mut words = vec!["concordance".as_ref(), "up".as_ref(), "--bin-dir".as_ref(), programs.as_os_str()];
        words.extend(extra.iter().map(std::ffi::OsStr::new));
        let Command::Up(arguments) = Arguments::parse_from(words).command else { panic!("`up` was parsed") };
        Plan::new(&arguments, None)
    }

    fn programs() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in ["coordinator", "replicator", "app-server"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        directory
    }

    #[test]
    fn services_get_the_ports_and_flags_that_they_document() {
        let programs = programs();
        let extra = ["--port", "9000", "--replicators", "2", "--data", "/some where/data", "--lab"];
        let plan = plan(programs.path(), &extra).unwrap();
        let lines: Vec<String> = plan
            .services(&BTreeSet::new())
            .iter()
            .map(|service| format!("{} {}", service.name, service.arguments.join(" ".as_ref()).to_string_lossy()))
            .collect();
        let rest = "--log-level info --exit-with-parent --lab";
        assert_eq!(
            lines,
            [
                format!(
                    "coordinator --members replicator-1,replicator-2 --data /some where/data/coordinator --listen 127.0.0.1:9010 {rest}"
                ),
                format!(
                    "replicator-1 --id replicator-1 --coordinator ws://127.0.0.1:9010 --data /some where/data/replicator-1 --listen 127.0.0.1:9021 {rest}"
                ),
                format!(
                    "replicator-2 --id replicator-2 --coordinator ws://127.0.0.1:9010 --data /some where/data/replicator-2 --listen 127.0.0.1:9022 {rest}"
                ),
                format!(
                    "app-server --id app-server --coordinator ws://127.0.0.1:9010 --data /some where/data/app-server --listen 127.0.0.1:9000 {rest}"
                ),
            ]
        );
    }

    #[test]
    fn every_app_server_has_a_name_a_port_and_a_directory_of_its_own_beside_all_others() {
        let programs = programs();
        let plan = plan(programs.path(), &["--port", "9000", "--app-servers", "9", "--replicators", "64"]).unwrap();
        let services = plan.services(&BTreeSet::new());
        let of = |name: &str| services.iter().find(|service| service.name == name).unwrap();
        assert_eq!(of("app-server").address.port(), 9000);
        let ninth = of("app-server-9");
        let line = ninth.arguments.join(" ".as_ref()).to_string_lossy().into_owned();
        assert!(line.contains("--id app-server-9 ") && line.contains("/data/app-server-9 "), "{line}");
        assert!(line.contains("--listen 127.0.0.1:9008"), "{line}");
        let ports: std::collections::BTreeSet<_> = services.iter().map(|service| service.address.port()).collect();
        assert_eq!(ports.len(), 1 + 64 + 9);
        assert_eq!(plan.other_pages().len(), 8);
        assert!(plan.describe(64).ends_with("and 9 app-servers"), "{}", plan.describe(64));
    }

    #[test]
    fn more_app_servers_than_there_are_ports_are_refused_with_what_to_do() {
        for number in ["0", "10", "many"] {
            let words = ["concordance", "up", "--app-servers", number];
            let message = Arguments::try_parse_from(words).unwrap_err().to_string();
            assert!(message.contains("1 to 9 app-servers") && message.contains("--id"), "{message}");
        }
    }

    #[test]
    fn cluster_that_is_there_runs_what_it_has_and_the_rest_must_become_members_first() {
        let programs = programs();
        let five = plan(programs.path(), &["--replicators", "5"]).unwrap();
        let present = BTreeSet::from([2, 3]);
        let names: Vec<String> = five.services(&present).into_iter().map(|service| service.name).collect();
        assert_eq!(names, ["coordinator", "replicator-2", "replicator-3", "app-server"]);
        assert_eq!(five.newcomers(&present), BTreeSet::from([4, 5]), "the first one was removed, or lost its disk");
        assert_eq!(five.newcomers(&BTreeSet::new()), BTreeSet::new());
        let as_it_is = plan(programs.path(), &[]).unwrap();
        assert_eq!(as_it_is.newcomers(&BTreeSet::from([1, 2])), BTreeSet::new(), "the third one may have been removed");
        assert_eq!(as_it_is.services(&BTreeSet::new()).len(), 5);
    }

    #[test]
    fn replicators_are_known_by_their_exact_names_and_as_far_as_there_are_ports() {
        assert_eq!(replicator_number("replicator-12"), Some(12));
        for other in ["replicator-04", "replicator-", "replicator-x", "replicator", "app-server-2", "replicator-70000"]
        {
            assert_eq!(replicator_number(other), None, "{other}");
        }
        let programs = programs();
        let plan = plan(programs.path(), &[]).unwrap();
        assert!(plan.replicator(REPLICATORS_MAX).is_some());
        assert!(plan.replicator(0).is_none() && plan.replicator(REPLICATORS_MAX + 1).is_none());
        assert_eq!(plan.next_replicator(&BTreeSet::from([REPLICATORS_MAX])), None);
    }

    #[test]
    fn missing_program_is_named_with_what_to_do() {
        let programs = programs();
        std::fs::remove_file(programs.path().join("replicator")).unwrap();
        let message = plan(programs.path(), &[]).unwrap_err().to_string();
        assert!(message.contains("replicator") && message.contains("cargo build"), "{message}");
    }

    #[test]
    fn every_busy_port_is_named_with_its_service_and_the_flag() {
        let programs = programs();
        let listener = TcpListener::bind((UpArguments::HOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let service = ServicePlan {
            name: "coordinator".to_owned(),
            program: programs.path().join("coordinator"),
            arguments: Vec::new(),
            address: listener.local_addr().unwrap(),
            faces_clients: false,
        };
        let message = check_ports([&service]).unwrap_err().to_string();
        assert!(message.contains(&format!("port {port} (coordinator) is in use")), "{message}");
        assert!(message.contains("--port"), "{message}");
    }
}
