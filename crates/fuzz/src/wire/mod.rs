//! What peers say: a whole cluster of protocol cores, whose every message goes over the wire as text, and may be changed on its way.
//!
//! The bytes are a script: what happens when nothing is under way, and what becomes of each message. Who is told nonsense may refuse
//! it, end the connection or be wrong; no process may panic, and everything that is said must be read as it was written.

mod cluster;
mod coordinator_node;
mod follower_node;
mod replicator_node;
mod script;

use cluster::Cluster;
use script::Script;

/// Most messages of one run: a script that goes round in circles ends.
const MESSAGES_MAX: usize = 600;

/// Runs a script.
pub fn check(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut cluster = Cluster::new();
    for _ in 0..MESSAGES_MAX {
        if let Some(letter) = cluster.next_letter() {
            for text in script.carry(&letter.text) {
                cluster.deliver(&letter.to, &text);
            }
        } else {
            let Some(event) = script.byte() else { break };
            let detail = script.byte().unwrap_or_default();
            cluster.happen(event, detail);
        }
    }
}
