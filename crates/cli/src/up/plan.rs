//! What a local cluster consists of: programs, arguments, ports and directories, fixed before anything is started.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::UpError;
use crate::arguments::UpArguments;
use crate::tables::count;

/// The coordinator's port lies so far above the page's.
const COORDINATOR_PORT_OFFSET: u16 = 10;
/// Replicator i's port lies so far above the page's, plus i.
const REPLICATOR_PORT_OFFSET: u16 = 20;

/// A cluster to be started.
#[derive(Debug)]
pub(crate) struct Plan {
    /// In the order in which they are started.
    pub(crate) services: Vec<ServicePlan>,
    /// The directory of all, absolute.
    pub(crate) data: PathBuf,
    /// The token that all of them share, if any.
    pub(crate) token_file: Option<PathBuf>,
    replicators: u16,
    app_servers: u16,
    page: SocketAddr,
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
        let data = std::path::absolute(&arguments.data)
            .map_err(|source| UpError::Directory { path: arguments.data.clone(), source })?;
        let at = |offset: u16| SocketAddr::from((UpArguments::HOST, arguments.port + offset));
        let coordinator = at(COORDINATOR_PORT_OFFSET);
        let members: Vec<String> = (1..=arguments.replicators).map(|number| format!("replicator-{number}")).collect();
        let service = |program: &str, name: &str, address: SocketAddr, own: &[&str]| {
            let mut all: Vec<OsString> = own.iter().map(OsString::from).collect();
            all.extend(["--data".into(), data.join(name).into()]);
            all.extend(["--listen".into(), address.to_string().into()]);
            all.extend(["--log-level".into(), arguments.log_level.clone().into(), "--exit-with-parent".into()]);
            all.extend(arguments.lab.then(|| "--lab".into()));
            if let Some(file) = token_file {
                all.extend(["--token-file".into(), file.into()]);
            }
            ServicePlan {
                name: name.to_owned(),
                program: programs.join(program),
                arguments: all,
                address,
                faces_clients: program == "app-server",
            }
        };
        let dial = format!("ws://{coordinator}");
        let mut services = vec![service("coordinator", "coordinator", coordinator, &["--members", &members.join(",")])];
        for (member, offset) in members.iter().zip(REPLICATOR_PORT_OFFSET + 1..) {
            services.push(service("replicator", member, at(offset), &["--id", member, "--coordinator", &dial]));
        }
        for number in 1..=arguments.app_servers {
            let name = if number == 1 { "app-server".to_owned() } else { format!("app-server-{number}") };
            services.push(service("app-server", &name, at(number - 1), &["--id", &name, "--coordinator", &dial]));
        }
        let missing = services.iter().find(|service| !service.program.is_file());
        match missing {
            Some(service) => Err(UpError::MissingProgram { path: service.program.clone() }),
            None => Ok(Plan {
                services,
                data,
                token_file: token_file.map(Path::to_owned),
                replicators: arguments.replicators,
                app_servers: arguments.app_servers,
                page: at(0),
            }),
        }
    }

    /// Refuses ports that are taken, all of them at once, before anything is started.
    pub(crate) fn check_ports(&self) -> Result<(), UpError> {
        let busy: Vec<String> = self
            .services
            .iter()
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

    /// The page's address.
    pub(crate) fn page(&self) -> String {
        format!("http://{}", self.page)
    }

    /// The addresses of the same page at the other app-servers.
    pub(crate) fn other_pages(&self) -> Vec<String> {
        let app_servers = self.services.iter().filter(|service| service.faces_clients);
        app_servers.skip(1).map(|service| format!("http://{}", service.address)).collect()
    }

    pub(crate) fn describe(&self) -> String {
        let replicators = count(self.replicators.into(), "replicator", "replicators");
        let app_servers = match self.app_servers {
            1 => "one app-server".to_owned(),
            number => format!("{number} app-servers"),
        };
        format!("one coordinator, {replicators} and {app_servers}")
    }
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
            .services
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
        let of = |name: &str| plan.services.iter().find(|service| service.name == name).unwrap();
        assert_eq!(of("app-server").address.port(), 9000);
        let ninth = of("app-server-9");
        let line = ninth.arguments.join(" ".as_ref()).to_string_lossy().into_owned();
        assert!(line.contains("--id app-server-9 ") && line.contains("/data/app-server-9 "), "{line}");
        assert!(line.contains("--listen 127.0.0.1:9008"), "{line}");
        let ports: std::collections::BTreeSet<_> = plan.services.iter().map(|service| service.address.port()).collect();
        assert_eq!(ports.len(), 1 + 64 + 9);
        assert_eq!(plan.other_pages().len(), 8);
        assert!(plan.describe().ends_with("and 9 app-servers"), "{}", plan.describe());
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
        let plan = Plan {
            services: vec![ServicePlan {
                name: "coordinator".to_owned(),
                program: programs.path().join("coordinator"),
                arguments: Vec::new(),
                address: listener.local_addr().unwrap(),
                faces_clients: false,
            }],
            data: PathBuf::new(),
            token_file: None,
            replicators: 1,
            app_servers: 1,
            page: listener.local_addr().unwrap(),
        };
        let message = plan.check_ports().unwrap_err().to_string();
        assert!(message.contains(&format!("port {port} (coordinator) is in use")), "{message}");
        assert!(message.contains("--port"), "{message}");
    }
}
