//! Transactions end even where nobody waits for them.

use std::future::{Future, poll_fn};
use std::task::Poll;

use crosstie::clock::Clock;
use crosstie::store::{Actor, WorkspaceTx};
use sqlx::postgres::PgPoolOptions;

use crate::helpers::TestApp;

#[tokio::test]
async fn a_beginning_that_is_given_up_leaves_no_transaction_in_the_pool() {
    let app = TestApp::start().await;
    let pool = PgPoolOptions::new().max_connections(1).connect(&app.database_url()).await.expect("a connection");
    for moment in 1..10 {
        let mut begin = Box::pin(WorkspaceTx::begin(&pool, app.workspace_id, Actor::System, app.clock.now()));
        let mut polls = 0;
        poll_fn(|context| {
            polls += 1;
            let is_begun = begin.as_mut().poll(context).is_ready();
            if is_begun || polls == moment { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        drop(begin);
        // Outside a transaction Postgres refuses a savepoint.
        let savepoint = sqlx::query("SAVEPOINT probe").execute(&pool).await;
        assert!(savepoint.is_err(), "given up after {moment} polls, the connection is inside a transaction");
    }
}
