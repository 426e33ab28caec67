//! The integration tests: one binary, so that it is linked once. Stories by area, on the ground of `helpers`.

mod api;
mod authz;
mod boot;
mod conformance;
mod helpers;
mod migrations;
mod screens;
mod stories;
mod storm;
mod sync;
mod transactions;
