//! What becomes of a record's files: both sides, what ties them, expected.

use super::*;
use FieldDirection::{Bidirectional, Pull, Push};
use FileState::{Linked, Sending};

const NOW: i64 = 1_000_000_000;
const RECORD: &str = "001";

fn hexadecimal(content: &str) -> String {
    content.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn listed(id: &str, content: &str) -> CrmFile {
    CrmFile {
        id: id.to_owned(),
        version: format!("{id}/{content}"),
        name: "Offer.pdf".to_owned(),
        size: Some(content.len() as u64),
        md5: Some(hexadecimal(content).to_uppercase()),
    }
}

fn file(id: u128, content: &str) -> AppFile {
    AppFile {
        id: Uuid::from_u128(id),
        size: content.len() as u64,
        md5: hexadecimal(content),
        sha256: format!("sha of {content}"),
        deleted: false,
    }
}

fn tie(file_id: u128, crm: Option<CrmFile>, content: &str, state: FileState) -> FileTie {
    FileTie {
        id: Some(Uuid::from_u128(100 + file_id)),
        file_id: Some(Uuid::from_u128(file_id)),
        crm,
        record: RECORD.to_owned(),
        sha256: Some(format!("sha of {content}")).filter(|_| !content.is_empty()),
        state,
        sent_at: (state == Sending).then_some(NOW - LATE_MS),
    }
}

/// What changes, in words: file of the app, file of the CRM, state.
fn outcome(crm: &[CrmFile], app: &[AppFile], ties: &[FileTie], direction: FieldDirection) -> Vec<String> {
    let words = |tie: FileTie| {
        let file = tie.file_id.map_or("-".to_owned(), |id| id.as_u128().to_string());
        format!("{file} {} {}", tie.crm.map_or("-".to_owned(), |crm| crm.version), tie.state)
    };
    compare_files(RECORD, crm, app, ties, direction, NOW).into_iter().map(words).collect()
}

#[test]
fn each_side_gets_what_it_lacks_as_the_direction_allows() {
    let (crm, app) = ([listed("a", "theirs")], [file(1, "ours")]);
    assert_eq!(outcome(&crm, &app, &[], Bidirectional), ["- a/theirs pull", "1 - push"]);
    assert_eq!(outcome(&crm, &app, &[], Pull), ["- a/theirs pull"]);
    assert_eq!(outcome(&crm, &app, &[], Push), ["1 - push"]);
    assert_eq!(outcome(&crm, &app, &[], FieldDirection::None), Vec::<String>::new());
}

#[test]
fn what_agrees_rests_and_what_is_gone_on_one_side_stays_on_the_other() {
    let agreed = [tie(1, Some(listed("a", "x")), "x", Linked)];
    let gone = AppFile { deleted: true, ..file(1, "x") };
    for (crm, app) in [
        (vec![listed("a", "x")], vec![file(1, "x")]),
        (vec![], vec![file(1, "x")]),
        (vec![listed("a", "x")], vec![gone.clone()]),
        (vec![listed("a", "y")], vec![gone.clone()]),
    ] {
        assert_eq!(outcome(&crm, &app, &agreed, Bidirectional), Vec::<String>::new(), "{crm:?} {app:?}");
    }
    assert_eq!(outcome(&[], &[gone], &[], Bidirectional), Vec::<String>::new(), "deleted before it was sent");
}

#[test]
fn the_same_content_is_the_same_file() {
    let (crm, app) = ([listed("a", "x")], [file(1, "x")]);
    assert_eq!(outcome(&crm, &app, &[], Bidirectional), ["1 a/x linked"]);
    // Sent, and the answer was lost.
    let sent = [tie(1, None, "", Sending)];
    assert_eq!(outcome(&crm, &app, &sent, Bidirectional), ["1 a/x linked"]);
    // Two of one content on one side: one pair, and one that is lacking.
    let twice = [listed("a", "x"), listed("b", "x")];
    assert_eq!(outcome(&twice, &app, &[], Bidirectional), ["1 a/x linked", "- b/x pull"]);
    // A CRM that tells no checksum is not believed to hold the same.
    let untold = [CrmFile { md5: None, ..listed("a", "x") }];
    assert_eq!(outcome(&untold, &app, &[], Bidirectional), ["- a/x pull", "1 - push"]);
}

#[test]
fn what_was_sent_is_sent_again_only_when_it_can_no_longer_turn_up() {
    let app = [file(1, "x")];
    let early = FileTie { sent_at: Some(NOW - LATE_MS + 1), ..tie(1, None, "", Sending) };
    assert_eq!(outcome(&[], &app, &[early], Bidirectional), Vec::<String>::new());
    assert_eq!(outcome(&[], &app, &[tie(1, None, "", Sending)], Bidirectional), ["1 - push"]);
}

#[test]
fn another_partner_has_brought_the_files_along_or_gets_them() {
    let elsewhere = |state| [FileTie { record: "002".to_owned(), ..tie(1, Some(listed("a", "x")), "x", state) }];
    let app = [file(1, "x")];
    for state in [Linked, Sending] {
        let moved = compare_files(RECORD, &[listed("a", "x")], &app, &elsewhere(state), Bidirectional, NOW);
        assert_eq!((moved.len(), moved[0].record.as_str(), moved[0].crm.is_some()), (1, RECORD, true), "{state}");
        assert_eq!(outcome(&[], &app, &elsewhere(state), Bidirectional), ["1 - push"], "{state}");
    }
    assert_eq!(outcome(&[], &app, &elsewhere(Linked), Pull), Vec::<String>::new());
    let gone = [AppFile { deleted: true, ..file(1, "x") }];
    assert_eq!(outcome(&[], &gone, &elsewhere(Linked), Bidirectional), Vec::<String>::new());
}

#[test]
fn what_is_gone_before_it_came_rests_until_it_is_back() {
    let coming = FileTie { file_id: None, ..tie(1, Some(listed("a", "x")), "", FileState::Pull) };
    assert_eq!(outcome(&[], &[], std::slice::from_ref(&coming), Bidirectional), ["- a/x linked"]);
    let rests = [FileTie { state: Linked, ..coming }];
    assert_eq!(outcome(&[], &[], &rests, Bidirectional), Vec::<String>::new());
    assert_eq!(outcome(&[listed("a", "x")], &[], &rests, Bidirectional), ["- a/x pull"]);
}

#[test]
fn a_new_content_travels_and_two_new_contents_are_both_kept() {
    let agreed = [tie(1, Some(listed("a", "x")), "x", Linked)];
    let theirs = [listed("a", "y")];
    assert_eq!(outcome(&theirs, &[file(1, "x")], &agreed, Bidirectional), ["1 a/y pull"]);
    assert_eq!(outcome(&theirs, &[file(1, "x")], &agreed, Push), Vec::<String>::new());
    assert_eq!(outcome(&[listed("a", "x")], &[file(1, "z")], &agreed, Bidirectional), ["1 a/x push"]);
    assert_eq!(outcome(&theirs, &[file(1, "z")], &agreed, Bidirectional), ["- a/y pull", "1 - push"]);
    assert_eq!(outcome(&theirs, &[file(1, "y")], &agreed, Bidirectional), ["1 a/y linked"]);
    let renamed = [CrmFile { name: "Other.pdf".to_owned(), ..listed("a", "x") }];
    assert_eq!(outcome(&renamed, &[file(1, "x")], &agreed, Bidirectional), ["1 a/x linked"], "noted, nothing moves");
}

#[test]
fn a_name_is_the_last_part_of_a_path() {
    for (given, name) in [
        ("Offer.pdf", Some("Offer.pdf")),
        ("C:\\in\\Offer.pdf", Some("Offer.pdf")),
        ("../../etc/passwd", Some("passwd")),
        (" a\u{0}\nb ", Some("ab")),
        ("folder/", None),
        ("", None),
    ] {
        assert_eq!(file_name(given).as_deref(), name, "{given:?}");
    }
    assert_eq!(file_name(&"x".repeat(256)), None);
}
