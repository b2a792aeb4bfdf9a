//! Sees to it that the folder of the built page exists: it is embedded into the binary, and may not be built yet.

use std::path::Path;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../frontend/dist");
    // On a read-only checkout the folder stays missing, which embedding allows; the page then says how to build it.
    let _ = std::fs::create_dir_all(&folder);
    println!("cargo::rerun-if-changed={}", folder.display());
}
