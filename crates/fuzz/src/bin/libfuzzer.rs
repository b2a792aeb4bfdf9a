//! The targets under libFuzzer: `CONCORDANCE_FUZZ_TARGET` names the one. `scripts/fuzz` builds and starts it.

#![no_main]

use std::sync::LazyLock;

static CHECK: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("CONCORDANCE_FUZZ_TARGET").unwrap_or_default();
    let names: Vec<_> = fuzz::TARGETS.iter().map(|target| target.name).collect();
    let target = fuzz::target(&name);
    target.unwrap_or_else(|| panic!("CONCORDANCE_FUZZ_TARGET={name} is none of {}", names.join(", "))).check
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| CHECK(bytes));
