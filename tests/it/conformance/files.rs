//! Files of records: sent, listed, loaded, replaced.

use bytes::Bytes;
use crosstie::connectors::{ConnectorError, Content, FileUpload, UploadOutcome};
use crosstie::model::Entity;
use crosstie::sync::CrmFile;
use futures::{StreamExt as _, TryStreamExt as _};
use md5::{Digest as _, Md5};
use serde_json::json;

use super::Fixture;

/// A content in pieces, as a store of files gives it.
fn pieces(content: &[u8]) -> Content {
    let pieces: Vec<_> = content.chunks(70_001).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    futures::stream::iter(pieces).boxed()
}

fn upload(entity: Entity, record_id: &str, name: &str, content: &[u8]) -> FileUpload {
    FileUpload {
        entity,
        record_id: record_id.to_owned(),
        replaces: None,
        key: name.to_owned(),
        name: name.to_owned(),
        content_type: "application/pdf".to_owned(),
        size: content.len() as u64,
        md5: Md5::digest(content).iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

async fn send(crm: &Fixture, upload: &FileUpload, content: &[u8]) -> Result<CrmFile, ConnectorError> {
    match crm.connector.files().upload(&crm.session, upload, pieces(content)).await? {
        UploadOutcome::Done(file) => Ok(file),
        UploadOutcome::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

async fn files_of(crm: &Fixture, entity: Entity, id: &str) -> Vec<CrmFile> {
    let ids = [id.to_owned()];
    let mut found = crm.connector.files().list(&crm.session, entity, &ids).await.expect("a list");
    found.remove(id).unwrap_or_default()
}

/// The content of a file, and in how many pieces it came.
async fn load(crm: &Fixture, file: &CrmFile) -> Option<(Vec<u8>, usize)> {
    let content = crm.connector.files().download(&crm.session, file).await.expect("an answer")?;
    let pieces: Vec<Bytes> = content.try_collect().await.expect("all of it");
    Some((pieces.concat(), pieces.len()))
}

pub async fn a_file_is_listed_and_loaded_as_it_was_sent(crm: Fixture) {
    let content: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let contact = json!({ crm.names.last_name: "Raman" });
    let contact = crm.simulator.create(crm.object(Entity::Contact), contact).await;
    let account = crm.account("Kestrel").await;
    let other = crm.account("Alder").await;
    for (entity, id) in [(Entity::Account, &account), (Entity::Contact, &contact)] {
        let name = format!("Pläne \"{}\".pdf", entity.as_str());
        let sent = send(&crm, &upload(entity, id, &name, &content), &content).await.expect("it is taken");
        assert_eq!(files_of(&crm, entity, id).await, std::slice::from_ref(&sent));
        assert_eq!((sent.name, sent.size), (name, Some(1_000_000)));
    }
    let ids = [account.clone(), other.clone()];
    let listed = crm.connector.files().list(&crm.session, Entity::Account, &ids).await.expect("a list");
    assert_eq!(listed.keys().collect::<Vec<_>>(), [&account], "records without are left out");
    let (loaded, pieces) = load(&crm, &listed[&account][0]).await.expect("it is there");
    assert!(loaded == content, "as it was");
    assert!(pieces > 1, "it comes as a stream");
}

pub async fn a_new_content_has_a_new_version_of_the_same_file(crm: Fixture) {
    let id = crm.account("Kestrel").await;
    let first = send(&crm, &upload(Entity::Account, &id, "Offer.pdf", b"first"), b"first").await.expect("it is taken");
    crm.minutes_pass(1);
    let replaces = Some(first.id.clone());
    let second = FileUpload { replaces, ..upload(Entity::Account, &id, "Offer.pdf", b"second") };
    let second = send(&crm, &second, b"second").await.expect("it is taken");
    assert_eq!((&second.id, &second.name), (&first.id, &first.name));
    assert_ne!(second.version, first.version);
    assert_eq!(files_of(&crm, Entity::Account, &id).await, std::slice::from_ref(&second));
    assert_eq!(load(&crm, &second).await.expect("it is there").0, b"second");
}

pub async fn what_does_not_arrive_as_it_was_sent_is_on_no_record(crm: Fixture) {
    let id = crm.account("Kestrel").await;
    let told_otherwise = FileUpload { md5: "0".repeat(32), ..upload(Entity::Account, &id, "Offer.pdf", b"offer") };
    let sent = send(&crm, &told_otherwise, b"offer").await;
    assert!(matches!(sent, Err(ConnectorError::Transient { .. })), "{sent:?}");
    assert_eq!(files_of(&crm, Entity::Account, &id).await, []);
    let missing = CrmFile { id: "1".to_owned(), version: "1".to_owned(), name: String::new(), size: None, md5: None };
    assert!(load(&crm, &missing).await.is_none());
}

pub async fn every_call_for_a_file_is_counted(crm: Fixture) {
    let id = crm.account("Kestrel").await;
    crm.simulator.clear_stats().await;
    let before = crm.session.meter.usage().calls;
    let sent = send(&crm, &upload(Entity::Account, &id, "Offer.pdf", b"offer"), b"offer").await.expect("it is taken");
    files_of(&crm, Entity::Account, &id).await;
    load(&crm, &sent).await.expect("it is there");
    assert_eq!(crm.session.meter.usage().calls - before, crm.simulator.stats().await.calls);
}
