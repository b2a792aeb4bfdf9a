//! The soak, for as long as one chapter takes: that it runs to its end, finds nothing, and says what it did.

use serde_json::Value;
use std::process::Command;

#[test]
fn one_chapter_of_everything_at_random_holds_every_promise() {
    let mut soak = Command::new(env!("CARGO_BIN_EXE_soak"));
    let output = soak.args(["--minutes", "0", "--faults", "10", "--json"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{figures}");
    assert_eq!(figures["violations"], 0);
    assert!(figures["acknowledged"].as_u64() > Some(0), "{figures}");
    assert!(figures["books_linearizable"].as_u64() > Some(0), "{figures}");
    assert!(figures["files_restored"].as_u64() > Some(0), "{figures}");
}
