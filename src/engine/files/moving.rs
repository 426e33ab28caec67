//! One file a step: brought here, or sent to the CRM.

use futures::{StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use super::super::position::{Phase, Position};
use super::super::run::{Step, StepError};
use super::{direction, go_on};
use crate::blobs::{Blob, BlobError, Expected};
use crate::connectors::{ConnectorError, Content, FileUpload, UploadOutcome};
use crate::model::{ChangeAction, FileState, LogDirection, RecordRefusal, Side};
use crate::store::changes::{self, FieldChange, NewChange};
use crate::store::file_ties::{self, WaitingFile};
use crate::store::files::{self, StoredFile};
use crate::store::links::LinkFailure;
use crate::store::runs::{self, Counters};
use crate::store::{StoreError, WorkspaceTx};
use crate::sync::{CrmFile, FileTie, Rule, file_name};

/// Tries of one file in a run, while the CRM or the store of files does not answer.
const TRIES: u32 = 5;

/// Media type of what a CRM tells none of.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Name of what a CRM gives no name.
const NAMELESS: &str = "file";

/// A file that is being moved.
struct Moving<'a> {
    step: &'a Step,
    waiting: &'a WaitingFile,
    /// Its name.
    name: String,
    /// The version of the run that the next commit moves on from.
    version: i64,
}

/// Moves the next file behind `after` (a tie).
pub(crate) async fn next(step: &Step, after: Option<Uuid>) -> Result<Position, StepError> {
    let mut tx = step.begin().await?;
    let limit = step.engine.blobs.limit();
    let waiting = file_ties::next_waiting(&mut tx, step.run.config_id, direction(step), after, limit).await?;
    tx.commit().await?;
    let Some(waiting) = waiting else { return go_on(step, step.position.to_phase(Phase::Finish)).await };
    match (waiting.tie.state, waiting.tie.file_id, waiting.tie.crm.clone()) {
        (FileState::Pull, _, Some(file)) => {
            let name = file_name(&file.name).unwrap_or_else(|| NAMELESS.to_owned());
            bring(Moving { step, waiting: &waiting, name, version: step.run.version }, &file).await
        }
        (_, Some(file_id), _) => send(step, &waiting, file_id).await,
        _ => go_on(step, behind(step, &waiting)).await,
    }
}

/// Where the run goes on after a file.
fn behind(step: &Step, waiting: &WaitingFile) -> Position {
    step.position.to_phase(Phase::MoveFiles { after: Some(waiting.tie_id) })
}

async fn bring(moving: Moving<'_>, file: &CrmFile) -> Result<Position, StepError> {
    let step = moving.step;
    let blobs = &step.engine.blobs;
    if file.size.is_some_and(|size| size > blobs.limit()) {
        return moving.give_up(too_large(blobs.limit())).await;
    }
    let opened = step.call(|crm| async move { crm.connector.files().download(&crm.session, file).await }).await;
    let content = match opened {
        Ok(Some(content)) => content,
        Ok(None) => return moving.vanished().await,
        Err(error) => return moving.not_now(error).await,
    };
    let expected = Expected { size: file.size, md5: file.md5.clone() };
    match blobs.put(step.workspace_id, moving.waiting.tie_id, content, &expected).await {
        Ok(blob) => moving.arrived(blob).await,
        Err(BlobError::TooLarge { limit }) => moving.give_up(too_large(limit)).await,
        Err(error) => moving.not_now(StepError::Crm(unanswered(&error))).await,
    }
}

async fn send(step: &Step, waiting: &WaitingFile, file_id: Uuid) -> Result<Position, StepError> {
    let mut tx = step.begin().await?;
    let version = step.advance(&mut tx, &step.position).await?;
    let Some(file) = files::find(&mut tx, file_id).await? else {
        // Deleted in this moment: it stays where it is.
        drop(tx);
        return go_on(step, behind(step, waiting)).await;
    };
    let sent_at = Some(tx.now().timestamp_millis());
    let sending = FileTie { state: FileState::Sending, sent_at, ..waiting.tie.clone() };
    file_ties::write(&mut tx, step.run.config_id, waiting.entity, waiting.record_id, &sending).await?;
    tx.commit().await?;

    let moving = Moving { step, waiting, name: file.name.clone(), version };
    let upload = &FileUpload {
        entity: waiting.entity,
        record_id: waiting.crm_record_id.clone(),
        replaces: waiting.tie.crm.as_ref().map(|file| file.id.clone()),
        key: file.id.to_string(),
        name: file.name.clone(),
        content_type: file.content_type.clone(),
        size: u64::try_from(file.size).unwrap_or_default(),
        md5: file.md5.clone(),
    };
    let content = &file.sha256;
    let sent = step.call(|crm| async move {
        let content = open(step, content).await?;
        crm.connector.files().upload(&crm.session, upload, content).await
    });
    match sent.await {
        Ok(UploadOutcome::Done(made)) => moving.sent(made, file.sha256.clone()).await,
        Ok(UploadOutcome::Refused(refusal)) => moving.give_up(of_refusal(refusal)).await,
        // Whether it is there is seen when the record's files are listed next.
        Err(StepError::Crm(ConnectorError::Unknown { .. })) => {
            let (tx, position) = moving.begin().await?;
            tx.commit().await?;
            Ok(position)
        }
        Err(StepError::Lost) => Err(StepError::Lost),
        Err(error) => moving.not_sent(error).await,
    }
}

/// A kept content on its way to a CRM.
async fn open(step: &Step, sha256: &str) -> Result<Content, ConnectorError> {
    let content = step.engine.blobs.get(step.workspace_id, sha256).await.map_err(|error| unanswered(&error))?;
    Ok(content.map_err(|error| unanswered(&error)).boxed())
}

impl Moving<'_> {
    /// Begins the transaction that stores what became of the file, and moves the run on behind it.
    async fn begin(&self) -> Result<(WorkspaceTx, Position), StepError> {
        let position = behind(self.step, self.waiting);
        let mut tx = self.step.begin().await?;
        self.step.advance_from(&mut tx, self.version, &position).await?;
        self.step.note_calls(&mut tx).await?;
        Ok((tx, position))
    }

    async fn arrived(self, blob: Blob) -> Result<Position, StepError> {
        let (mut tx, position) = self.begin().await?;
        let stored = StoredFile {
            id: self.waiting.tie.file_id.unwrap_or_else(|| self.step.engine.crm.rng.uuid()),
            name: self.name.clone(),
            content_type: UNKNOWN_TYPE.to_owned(),
            size: i64::try_from(blob.size).unwrap_or(i64::MAX),
            sha256: blob.sha256,
            md5: blob.md5,
            created_by: None,
            created_at: tx.now(),
        };
        match self.waiting.tie.file_id {
            None => files::insert(&mut tx, self.waiting.entity, self.waiting.record_id, &stored).await?,
            Some(id) => files::replace(&mut tx, id, &stored).await?,
        }
        let tie = FileTie {
            file_id: Some(stored.id),
            sha256: Some(stored.sha256),
            state: FileState::Linked,
            sent_at: None,
            ..self.waiting.tie.clone()
        };
        self.write(&mut tx, &tie).await?;
        self.count(&mut tx, LogDirection::Pull, None).await?;
        tx.commit().await?;
        Ok(position)
    }

    async fn sent(self, made: CrmFile, sha256: String) -> Result<Position, StepError> {
        let (mut tx, position) = self.begin().await?;
        let tie = FileTie {
            crm: Some(made),
            sha256: Some(sha256),
            state: FileState::Linked,
            sent_at: None,
            ..self.waiting.tie.clone()
        };
        self.write(&mut tx, &tie).await?;
        self.count(&mut tx, LogDirection::Push, None).await?;
        tx.commit().await?;
        Ok(position)
    }

    /// It did not go: it waits as before.
    async fn not_sent(mut self, error: StepError) -> Result<Position, StepError> {
        let mut tx = self.step.begin().await?;
        self.version = self.step.advance_from(&mut tx, self.version, &self.step.position).await?;
        self.write(&mut tx, &self.waiting.tie).await?;
        tx.commit().await?;
        self.not_now(error).await
    }

    /// Tries again a little later where that may help, and with the next run after some tries.
    async fn not_now(self, error: StepError) -> Result<Position, StepError> {
        let may_pass = matches!(
            error,
            StepError::Crm(
                ConnectorError::Transient { .. } | ConnectorError::Unknown { .. } | ConnectorError::Unreadable { .. }
            )
        );
        if !may_pass || self.step.position.tries < TRIES {
            return Err(error);
        }
        tracing::warn!(run_id = %self.step.run.id, error = %error, "a file could not be moved");
        let crm = self.step.connection.provider.title();
        let side = if self.waiting.tie.state == FileState::Pull { Side::App } else { Side::Crm };
        self.give_up(LinkFailure {
            code: "file_not_moved".to_owned(),
            crm_code: None,
            message: format!(
                "The file did not pass whole between {crm} and here. It is tried again with the next sync."
            ),
            side,
            fields: Vec::new(),
            retryable: true,
        })
        .await
    }

    /// It fails, with its reason; the others go on.
    async fn give_up(self, failure: LinkFailure) -> Result<Position, StepError> {
        let (mut tx, position) = self.begin().await?;
        file_ties::fail(&mut tx, self.waiting, &failure).await?;
        let direction = if self.waiting.tie.state == FileState::Pull { LogDirection::Pull } else { LogDirection::Push };
        self.count(&mut tx, direction, Some(&failure)).await?;
        tx.commit().await?;
        Ok(position)
    }

    /// The CRM no longer has what was to come.
    async fn vanished(self) -> Result<Position, StepError> {
        let (mut tx, position) = self.begin().await?;
        match self.waiting.tie.file_id {
            None => file_ties::forget(&mut tx, self.waiting.tie_id).await?,
            Some(_) => {
                let rests = FileTie { state: FileState::Linked, ..self.waiting.tie.clone() };
                self.write(&mut tx, &rests).await?;
            }
        }
        tx.commit().await?;
        Ok(position)
    }

    async fn write(&self, tx: &mut WorkspaceTx, tie: &FileTie) -> Result<(), StoreError> {
        file_ties::write(tx, self.step.run.config_id, self.waiting.entity, self.waiting.record_id, tie).await
    }

    /// Counts the file in its direction's log, and puts it into the journal.
    async fn count(
        &self,
        tx: &mut WorkspaceTx,
        direction: LogDirection,
        failure: Option<&LinkFailure>,
    ) -> Result<(), StoreError> {
        let (run, waiting) = (&self.step.run, self.waiting);
        let log_id = runs::ensure_log(tx, run, direction, waiting.entity).await?;
        let (side, rule) = match direction {
            LogDirection::Pull => (Side::App, Rule::CrmChanged),
            LogDirection::Push => (Side::Crm, Rule::AppChanged),
        };
        let row = NewChange {
            link_id: None,
            record_id: Some(waiting.record_id),
            crm_record_id: Some(waiting.crm_record_id.clone()),
            side,
            action: ChangeAction::Update,
            state: if failure.is_some() { "refused" } else { "done" },
            fields: vec![FieldChange {
                field: "file".to_owned(),
                app_field: "file".to_owned(),
                before: None,
                after: Some(self.name.clone()),
                rule: rule.as_str().to_owned(),
                from_app: None,
            }],
            refusal: failure.map(|failure| RecordRefusal {
                code: failure.code.clone(),
                crm_code: failure.crm_code.clone().unwrap_or_default(),
                message: failure.message.clone(),
                fields: Vec::new(),
                retryable: failure.retryable,
            }),
        };
        changes::add(tx, run.config_id, run.id, log_id, waiting.entity, &[row]).await?;
        let counted = match failure {
            Some(_) => Counters { failed: 1, ..Counters::default() },
            None => Counters { synced: 1, updated: 1, ..Counters::default() },
        };
        runs::count(tx, log_id, &counted).await
    }
}

fn too_large(limit: u64) -> LinkFailure {
    LinkFailure {
        code: "too_large".to_owned(),
        crm_code: None,
        message: format!(
            "The file is larger than {} MB, the most that is taken here. Ask whoever runs this server to raise the limit.",
            limit >> 20
        ),
        side: Side::App,
        fields: Vec::new(),
        retryable: false,
    }
}

fn of_refusal(refusal: RecordRefusal) -> LinkFailure {
    LinkFailure {
        code: refusal.code,
        crm_code: Some(refusal.crm_code).filter(|code| !code.is_empty()),
        message: refusal.message,
        side: Side::Crm,
        fields: Vec::new(),
        retryable: refusal.retryable,
    }
}

/// The store of files, or what came out of it, as a call that may be repeated.
fn unanswered(error: &BlobError) -> ConnectorError {
    ConnectorError::Transient { detail: error.to_string() }
}
