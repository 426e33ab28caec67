//! The pure merge on one core: linked records of which one field in four has moved on one side or both.

use std::hint::black_box;
use std::time::Instant;

use crosstie::model::{ConflictPolicy, Entity, FieldDirection, FieldKind, Provider};
use crosstie::sync::{FieldBase, FieldState, MappedField, MergeContext, default_mappings, merge};

use super::figure;

/// Records that are merged in a round.
const RECORDS: usize = 10_000;

/// Rounds; the median counts.
const ROUNDS: usize = 9;

pub fn run() {
    let fields: Vec<MappedField> =
        default_mappings(Provider::Salesforce, Entity::Contact).iter().map(|pair| mapped(pair.app_field)).collect();
    let records: Vec<Vec<(&MappedField, FieldState)>> = (0..RECORDS)
        .map(|record| fields.iter().enumerate().map(|(place, field)| (field, state(record, place))).collect())
        .collect();
    let context = MergeContext { policy: ConflictPolicy::LastWriteWins, tie_window_ms: 2000, clock_skew_ms: 0 };
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| round(&records, &context)).collect();
    rounds.sort_by(f64::total_cmp);
    let decisions = (RECORDS * fields.len()) as f64 / rounds[ROUNDS / 2];
    figure("merge: field decisions a second, one core", &format!("{decisions:.0}"), "500000");
    let microseconds = rounds[ROUNDS / 2] / RECORDS as f64 * 1e6;
    figure("conflict detection: microseconds a record", &format!("{microseconds:.1}"), "100");
}

#[expect(clippy::disallowed_methods, reason = "a measurement asks the real clock")]
fn round(records: &[Vec<(&MappedField, FieldState)>], context: &MergeContext) -> f64 {
    let begun = Instant::now();
    for record in records {
        black_box(merge(black_box(record), context));
    }
    begun.elapsed().as_secs_f64()
}

fn mapped(app_field: &str) -> MappedField {
    MappedField {
        app_field: app_field.to_owned(),
        crm_field: app_field.to_owned(),
        app_kind: FieldKind::Text,
        crm_kind: FieldKind::Text,
        direction: FieldDirection::Bidirectional,
        rule: None,
        crm_createable: true,
        crm_updateable: true,
        crm_max_length: Some(255),
        crm_decimals: None,
    }
}

fn state(record: usize, place: usize) -> FieldState {
    let base = Some(format!("Value {place} of record {record}"));
    let moved = |side: &str| Some(format!("Value {place} of record {record}, changed by {side}"));
    let (app, crm) = match (record * 7 + place) % 12 {
        0 => (moved("the app"), base.clone()),
        1 => (base.clone(), moved("the CRM")),
        2 => (moved("the app"), moved("the CRM")),
        _ => (base.clone(), base.clone()),
    };
    FieldState {
        base: Some(FieldBase { crm: base.clone(), app: base }),
        crm_as_app: Ok(crm.clone()),
        app_as_crm: Ok(app.clone()),
        app: Some(app),
        crm: Some(crm),
        app_changed_at: Some(1_790_000_000_000 + record as i64),
        crm_changed_at: Some(1_790_000_005_000),
        decided: false,
        late: None,
    }
}
