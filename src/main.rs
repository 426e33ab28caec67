//! The `crosstie` program: its command line is read by [`crosstie::boot`].

use std::process::ExitCode;

/// A sync makes and drops small texts by the million; the C library's own allocator takes a third of its time for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    crosstie::boot::main()
}
