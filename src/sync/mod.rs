//! The pure core: decides what a sync does.
//!
//! Must not know: Postgres, HTTP, the clock, randomness, logging, async. Invariant: values in, values out; the same
//! arguments always give the same answer, and nothing that either side holds is forgotten by a decision.

mod auto_map;
mod backoff;
mod comparison;
mod day;
mod default_mappings;
mod delete;
mod files;
mod filter;
mod fit;
mod mapping;
mod matching;
mod merge;
mod merge_types;
mod normalise;
mod people;
mod policy;
mod schedule;
mod sweep;
mod value;

pub use auto_map::{FreeAppField, FreeCrmField, MatchedRecord, Proposal, auto_map};
pub use backoff::backoff_ms;
pub use comparison::{Known, is_missed};
pub use day::{day_of, is_day_of_instant, start_of_day};
pub use default_mappings::{DefaultMapping, default_mapping, default_mappings};
pub use delete::{DeleteDecision, decide_delete, guard_holds};
pub use files::{AppFile, CrmFile, FileTie, compare_files, file_name};
pub(crate) use filter::is_current_user;
pub use filter::{
    FieldFacts, Filter, FilterContext, FilterProblem, FilterRule, beginning_of_day, day_in, read_filter,
    validate_filter,
};
pub use fit::fit;
pub use mapping::{MappedField, ValueMap, group_of};
pub use matching::{Candidate, MatchOutcome, match_keys, match_records};
pub use merge::{base_after_app_write, base_after_crm_write, merge};
pub use merge_types::{
    Assignment, CrmWriteBase, Decision, FieldBase, FieldConflict, FieldFailure, FieldState, MergeContext, Note, Rule,
};
pub use normalise::{normalise, rounded, same, same_meaning};
pub use people::{People, Person};
pub use schedule::{next_run, next_runs, validate_schedule};
pub use sweep::{SWEEP_RECORDS, is_sweeping, sweep_holds};
pub use value::{Record, Value};
