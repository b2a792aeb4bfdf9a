//! The command line.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::exit;

/// Keeps a catalogue of books equal on several servers.
#[derive(Debug, Parser)]
#[command(name = "concordance", version, after_long_help = exit::HELP, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Print the server's answer as JSON instead of a table.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which cluster is operated.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// Address of an app-server.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "CONCORDANCE_SERVER",
        default_value = "http://127.0.0.1:7400"
    )]
    pub(crate) server: String,
    /// File with the cluster's access token, readable by its owner only.
    #[arg(long, global = true, value_name = "FILE", env = "CONCORDANCE_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a whole cluster on this machine and keep it running until Ctrl-C.
    Up(UpArguments),
    #[command(flatten)]
    Operate(Operation),
}

/// What is done to a cluster that runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Operation {
    /// Show how the cluster is. Exit code 3 unless it takes writes and every member is in sync.
    Status,
    /// Show the members and the state of each.
    Members,
    /// Change who is a member, while the cluster runs.
    Member {
        #[command(subcommand)]
        command: MemberCommand,
    },
    /// Show the newest rounds, or one round with its votes.
    Rounds(RoundsArguments),
    /// Compare all copies of all books and put damaged ones right.
    ///
    /// Exit code 0 if everything is intact or healed, 3 if files are lost, undecided or left (with --dry-run: if
    /// anything is damaged), 4 if something could not be compared or healed.
    Restore(RestoreArguments),
    /// Have every replicator read all of its own files now and compare them with what was committed. Mends nothing.
    ///
    /// Replicators do this by themselves, too. Exit code 0 if everything is clean, 3 if files are damaged, stale or extra, 4 if
    /// something could not be compared.
    Scrub(ScrubArguments),
    /// Put the books of a file (CSV or XML) into the catalogue. Exit code 3 if rows failed.
    Import(ImportArguments),
    /// Write the whole catalogue to a file or to standard output.
    Export(ExportArguments),
    /// Publish the files that were edited in the app-server's own copy, as one round.
    Replicate(ReplicateArguments),
    /// Follow what happens in the cluster, until Ctrl-C.
    #[command(visible_alias = "watch")]
    Events,
    /// Put a coordinator right that has lost its log, or stands on an old copy of it.
    ///
    /// Shows what each replicator holds, what would be done and what that could cost, and does it after a yes. Exit code
    /// 3 if nothing was done.
    Recover(RecoverArguments),
    /// Measure writes per second and their latency. Writes generated books into the catalogue.
    Bench(BenchArguments),
}

/// One change at a time; each takes effect between two rounds.
#[derive(Debug, Subcommand)]
pub(crate) enum MemberCommand {
    /// Let a replicator in: it catches up, then votes.
    Add {
        /// Its name, such as replicator-4.
        #[arg(value_name = "ID")]
        id: String,
        /// It is to follow every round, and to have no vote.
        #[arg(long)]
        observer: bool,
    },
    /// Send a member away, for good. The others must be enough without it.
    Remove {
        /// Its name.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Let an observer vote.
    Promote {
        /// Its name.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Let a voter only follow.
    Demote {
        /// Its name.
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    /// How many replicators: 3 for a new cluster, if this is left out. One that is there runs those that it has, and
    /// is given more up to replicator-N.
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=64))]
    pub(crate) replicators: Option<u16>,
    /// How many app-servers; each has a page of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = app_servers)]
    pub(crate) app_servers: u16,
    /// Directory for everything that the cluster keeps.
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub(crate) data: PathBuf,
    /// Port of the page; further app-servers take N+1 to N+8, the coordinator N+10, replicator i N+20+i.
    #[arg(long, value_name = "N", default_value_t = 7400, value_parser = value_parser!(u16).range(1..=65_400))]
    pub(crate) port: u16,
    /// Open the lab, for demonstrations and tests: the page may then kill and pause services, cut links, damage files, hold messages
    /// and more.
    #[arg(long)]
    pub(crate) lab: bool,
    /// Leave a service that died as it is, instead of starting it again.
    #[arg(long)]
    pub(crate) no_restart: bool,
    /// Replace a replicator that has been down for so long (30 seconds, if no number is given) by a new one.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30", value_parser = value_parser!(u64).range(1..=86_400))]
    pub(crate) replace_dead: Option<u64>,
    /// Start with no books, instead of the sample catalogue.
    #[arg(long)]
    pub(crate) empty: bool,
    /// How much the services log: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: String,
    /// Directory of the service programs, if they do not lie beside this one.
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) bin_dir: Option<PathBuf>,
}

impl UpArguments {
    /// Everything of a local cluster listens here.
    pub(crate) const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;
    /// The ports of a local cluster's app-servers end before the coordinator's.
    const APP_SERVERS_MAX: u16 = 9;
}

fn app_servers(text: &str) -> Result<u16, String> {
    let most = UpArguments::APP_SERVERS_MAX;
    text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
        format!(
            "a local cluster has ports for 1 to {most} app-servers; start more of them by hand, each with its own --id"
        )
    })
}

#[derive(Debug, Args)]
pub(crate) struct RoundsArguments {
    /// A round as `epoch-number`, such as 3-17.
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
    /// How many to show.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
    /// Show the rounds that replicators are in doubt about, since when, and what the others hold.
    #[arg(long, conflicts_with = "id")]
    pub(crate) in_doubt: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArguments {
    /// Address of the coordinator.
    #[arg(long, value_name = "URL", env = "CONCORDANCE_COORDINATOR_URL", default_value = "http://127.0.0.1:7410")]
    pub(crate) coordinator: String,
    /// Do it without asking.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Go on although fewer than a majority of the replicators can be heard: what only the others hold is lost.
    #[arg(long)]
    pub(crate) accept_loss: bool,
    /// Commit the round that is in doubt, whatever the plan says. Whoever contradicts it is brought level.
    #[arg(long, conflicts_with = "abort")]
    pub(crate) commit: bool,
    /// Abort the round that is in doubt, whatever the plan says.
    #[arg(long)]
    pub(crate) abort: bool,
    /// How long to wait until every replicator was heard.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub(crate) wait_seconds: u64,
}

impl RecoverArguments {
    /// The operator's own conclusion of the round in doubt; none: as the plan says.
    pub(crate) fn conclusion(&self) -> Option<bool> {
        (self.commit || self.abort).then_some(self.commit)
    }
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// Only report what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScrubArguments {
    /// Only have them begin, and show the last full passes.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OnError {
    /// Put the good rows in and list the bad ones.
    Skip,
    /// Put nothing in unless every row is good.
    Fail,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// A CSV or XML file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What a bad row does.
    #[arg(long, value_enum, default_value_t = OnError::Skip)]
    pub(crate) on_error: OnError,
    /// The import's idempotency key: the same file with the same key continues where it ended.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One XML document.
    Xml,
    /// Comma-separated values with a header.
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// The file's format.
    #[arg(long, value_enum, default_value_t = ExportFormat::Xml)]
    pub(crate) format: ExportFormat,
    /// Where to write it; standard output if left out.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplicateArguments {
    /// Carry the round to the vote and then abort it, so that nothing changes anywhere.
    #[arg(long)]
    pub(crate) abort: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// How many clients write at one time; several numbers are measured one after the other.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,16,64,256", value_parser = value_parser!(u32).range(1..=10_000))]
    pub(crate) clients: Vec<u32>,
    /// How long each number of clients is measured.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u64).range(1..=3_600))]
    pub(crate) seconds: u64,
    /// First fill the catalogue with generated books up to this many.
    #[arg(long, value_name = "N")]
    pub(crate) books: Option<u64>,
    /// Change books that are there, instead of adding new ones.
    #[arg(long)]
    pub(crate) update: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_and_flag_says_what_it_is_for() {
        for command in Arguments::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
        }
    }
}
