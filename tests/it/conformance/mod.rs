//! What every connector promises, written once against the trait and run for each CRM with a small fixture. A third CRM is a
//! connector that passes.

mod faults;
mod files;
mod fixture;
mod reading;
mod signing_in;
mod writing;

use fixture::Fixture;

/// Runs every case for every CRM, each on a CRM of its own.
macro_rules! conformance {
    ($($area:ident :: $case:ident),* $(,)?) => {
        mod salesforce {
            $(#[tokio::test]
            async fn $case() {
                super::$area::$case(super::Fixture::salesforce().await).await;
            })*
        }

        mod hubspot {
            $(#[tokio::test]
            async fn $case() {
                super::$area::$case(super::Fixture::hubspot().await).await;
            })*
        }
    };
}

conformance! {
    signing_in::a_sign_in_from_consent_to_revocation,
    signing_in::who_is_signed_in_and_where,
    signing_in::what_may_be_done_is_described,
    signing_in::people_are_known_by_their_addresses,
    signing_in::the_external_id_field_is_there_after_it_was_made,
    reading::a_full_read_shows_every_living_record_once_in_the_order_of_ids,
    reading::edits_with_equal_stamps_are_all_shown,
    reading::a_position_is_good_in_another_process,
    reading::a_position_of_another_kind_has_expired,
    reading::more_fields_than_a_request_has_room_for_are_read,
    reading::deletions_are_told_once_asked_for,
    reading::what_was_undeleted_is_shown_alive,
    reading::a_merge_names_the_survivor,
    reading::records_by_id_include_deleted_ones_and_leave_out_what_is_not_there,
    reading::records_are_found_by_key_and_by_external_id,
    reading::living_records_are_counted,
    reading::times_of_edits_are_told_by_field_where_a_history_is_kept,
    writing::an_update_tells_the_values_around_it,
    writing::an_edit_made_since_the_reading_is_never_lost_silently,
    writing::one_bad_record_hides_no_others_outcome,
    writing::a_create_repeated_makes_one_record,
    writing::a_create_whose_answer_was_lost_is_found_again,
    writing::a_duplicate_names_the_record_it_collides_with,
    writing::deleting_twice_is_no_mistake,
    writing::an_update_of_what_is_gone_says_so,
    writing::references_are_written_moved_and_cleared,
    writing::every_kind_of_value_comes_back_as_it_was_written,
    files::a_file_is_listed_and_loaded_as_it_was_sent,
    files::a_new_content_has_a_new_version_of_the_same_file,
    files::what_does_not_arrive_as_it_was_sent_is_on_no_record,
    files::every_call_for_a_file_is_counted,
    faults::each_fault_has_its_class,
    faults::limits_tell_how_long_to_wait,
    faults::every_call_is_counted_as_the_crm_counts_it,
    faults::nothing_that_is_shown_carries_a_secret,
}
