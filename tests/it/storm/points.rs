//! The numbered points of a run: before and after every call of a connector, before and after every commit. At a planned one
//! whoever came there waits until the player has done what is to happen, or for ever.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use crosstie::connectors::{
    AuthorizationStart, Connector, ConnectorError, CrmFiles, CrmRecord, DailyAllowance, DeletionQuery, Deletions,
    EntityDescription, Identity, KeyLookup, LookBack, OAuthSettings, ReadPage, ReadWindow, RecordWrite, Session,
    TokenGrant, WriteOutcome,
};
use crosstie::model::{Entity, Provider};
use crosstie::sync::Person;
use tokio::sync::{mpsc, oneshot};

use super::history::{Meanwhile, Point, Then};

/// Counts the points of a run and stops whoever comes to a planned one.
pub struct Points {
    state: Mutex<State>,
    reached: mpsc::UnboundedSender<Reached>,
}

/// Somebody waits at a planned point.
pub struct Reached {
    pub point: Point,
    pub then: Then,
    /// Lets them go on; dropped: the connection that they came by breaks.
    pub go_on: oneshot::Sender<()>,
}

/// What was sent to the CRM.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    pub entity: Entity,
    /// Fields by API name; none is a delete.
    pub fields: Vec<String>,
}

#[derive(Default)]
struct State {
    counts: HashMap<Point, u32>,
    plan: Vec<Meanwhile>,
    sent: Vec<Sent>,
}

impl Points {
    /// Points without a plan, and where the player hears who waits.
    pub fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Reached>) {
        let (reached, hears) = mpsc::unbounded_channel();
        (Arc::new(Points { state: Mutex::default(), reached }), hears)
    }

    /// Counts from 0 again.
    pub fn begin(&self, plan: Vec<Meanwhile>) {
        *self.state() = State { plan, ..State::default() };
    }

    /// What was sent since [`Points::begin`].
    pub fn sent(&self) -> Vec<Sent> {
        self.state().sent.clone()
    }

    /// How many calls have begun since [`Points::begin`].
    pub fn calls(&self) -> u32 {
        self.state().counts.get(&Point::BeforeCall).copied().unwrap_or_default()
    }

    /// Comes to a point; `false` where the way on is broken.
    pub async fn at(&self, point: Point) -> bool {
        let planned: Vec<Then> = {
            let mut state = self.state();
            let count = state.counts.entry(point).or_default();
            let number = *count;
            *count += 1;
            let here = state.plan.extract_if(.., |planned| planned.point == point && planned.number == number);
            here.map(|planned| planned.then).collect()
        };
        for then in planned {
            let (go_on, waits) = oneshot::channel();
            if self.reached.send(Reached { point, then, go_on }).is_ok() && waits.await.is_err() {
                return false;
            }
        }
        true
    }

    fn note(&self, sent: Sent) {
        self.state().sent.push(sent);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connector whose calls have points.
pub struct Watched {
    pub real: Arc<dyn Connector>,
    pub points: Arc<Points>,
}

impl Watched {
    async fn call<T>(&self, call: impl Future<Output = T> + Send) -> T {
        self.points.at(Point::BeforeCall).await;
        let answer = call.await;
        self.points.at(Point::AfterCall).await;
        answer
    }
}

#[async_trait]
impl Connector for Watched {
    fn provider(&self) -> Provider {
        self.real.provider()
    }

    fn external_id_field(&self, description: &EntityDescription) -> Option<String> {
        self.real.external_id_field(description)
    }

    fn batch_size(&self) -> usize {
        self.real.batch_size()
    }

    fn look_backs(&self) -> &'static [LookBack] {
        self.real.look_backs()
    }

    async fn identity(&self, session: &Session) -> Result<Identity, ConnectorError> {
        self.call(self.real.identity(session)).await
    }

    fn files(&self) -> &dyn CrmFiles {
        self.real.files()
    }

    async fn describe(&self, session: &Session, entity: Entity) -> Result<EntityDescription, ConnectorError> {
        self.call(self.real.describe(session, entity)).await
    }

    fn keeps_history(&self) -> bool {
        self.real.keeps_history()
    }

    async fn people(&self, session: &Session) -> Result<Vec<Person>, ConnectorError> {
        self.call(self.real.people(session)).await
    }

    async fn deleted(
        &self,
        session: &Session,
        entity: Entity,
        query: DeletionQuery,
    ) -> Result<Deletions, ConnectorError> {
        self.call(self.real.deleted(session, entity, query)).await
    }

    async fn read(
        &self,
        session: &Session,
        window: &ReadWindow,
        position: Option<&str>,
    ) -> Result<ReadPage, ConnectorError> {
        self.call(self.real.read(session, window, position)).await
    }

    async fn read_by_id(
        &self,
        session: &Session,
        entity: Entity,
        fields: &[String],
        ids: &[String],
    ) -> Result<Vec<CrmRecord>, ConnectorError> {
        self.call(self.real.read_by_id(session, entity, fields, ids)).await
    }

    async fn find(
        &self,
        session: &Session,
        entity: Entity,
        fields: &[String],
        lookups: &[KeyLookup],
    ) -> Result<Vec<CrmRecord>, ConnectorError> {
        self.call(self.real.find(session, entity, fields, lookups)).await
    }

    async fn write(
        &self,
        session: &Session,
        description: &EntityDescription,
        writes: &[RecordWrite],
    ) -> Result<Vec<WriteOutcome>, ConnectorError> {
        for write in writes {
            self.points.note(Sent { entity: description.entity, fields: write.fields.keys().cloned().collect() });
        }
        self.call(self.real.write(session, description, writes)).await
    }

    async fn delete(
        &self,
        session: &Session,
        entity: Entity,
        ids: &[String],
    ) -> Result<Vec<WriteOutcome>, ConnectorError> {
        self.points.note(Sent { entity, fields: Vec::new() });
        self.call(self.real.delete(session, entity, ids)).await
    }

    async fn edit_times(
        &self,
        session: &Session,
        entity: Entity,
        ids: &[String],
        fields: &[String],
    ) -> Result<HashMap<String, BTreeMap<String, i64>>, ConnectorError> {
        self.call(self.real.edit_times(session, entity, ids, fields)).await
    }

    async fn references(
        &self,
        session: &Session,
        entity: Entity,
        field: &str,
        ids: &[String],
    ) -> Result<Option<HashMap<String, Option<String>>>, ConnectorError> {
        self.call(self.real.references(session, entity, field, ids)).await
    }

    async fn make_external_id_field(&self, session: &Session, entity: Entity) -> Result<bool, ConnectorError> {
        self.call(self.real.make_external_id_field(session, entity)).await
    }

    async fn count(&self, session: &Session, entity: Entity) -> Result<u64, ConnectorError> {
        self.call(self.real.count(session, entity)).await
    }

    async fn allowance(&self, session: &Session) -> Result<DailyAllowance, ConnectorError> {
        self.call(self.real.allowance(session)).await
    }

    fn authorize_url(&self, settings: &OAuthSettings, start: &AuthorizationStart) -> Result<String, ConnectorError> {
        self.real.authorize_url(settings, start)
    }

    async fn exchange_code(
        &self,
        settings: &OAuthSettings,
        code: &str,
        verifier: &str,
    ) -> Result<TokenGrant, ConnectorError> {
        self.call(self.real.exchange_code(settings, code, verifier)).await
    }

    async fn refresh(&self, settings: &OAuthSettings, refresh_token: &str) -> Result<TokenGrant, ConnectorError> {
        self.call(self.real.refresh(settings, refresh_token)).await
    }

    async fn revoke(&self, settings: &OAuthSettings, token: &str) -> Result<(), ConnectorError> {
        self.call(self.real.revoke(settings, token)).await
    }
}
