//! What the pure core promises, over random cases: each answer is held against a table or an oracle that is written anew
//! here, never against the core itself (`sync.md`, "How it is tested").

mod deletes;
mod filters;
mod histories;
mod matching;
mod merging;
mod times;
mod values;
