//! The `crosstie` program.

#[cfg(feature = "ssr")]
fn main() -> std::process::ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("transform-child") => crosstie::transform::child_main(),
        _ => std::process::ExitCode::FAILURE,
    }
}

#[cfg(not(feature = "ssr"))]
fn main() {}
