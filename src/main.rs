//! The `crosstie` program: its command line is read by [`crosstie::boot`].

use std::process::ExitCode;

fn main() -> ExitCode {
    crosstie::boot::main()
}
