//! The integration tests: one binary, so that it is linked once. Stories by area, on the ground of `helpers`.

mod api;
mod authz;
mod boot;
mod crash;
#[expect(dead_code, unused_imports, reason = "the areas that stand on them are still being written")]
mod helpers;
mod migrations;
mod screens;
mod sync;
