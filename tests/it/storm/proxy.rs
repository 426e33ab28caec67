//! Stands between the engine and Postgres and knows just enough of the protocol to see a COMMIT and its answer: so a worker
//! can be met before a commit has reached the server and after it has, and the connection can break at either place.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::history::Point;
use super::points::Points;

/// A way to Postgres with points.
pub struct Proxy {
    /// The loopback port that it listens on.
    pub port: u16,
    _stop: DropGuard,
}

impl Proxy {
    /// Listens, and passes everything on to `server`.
    pub async fn start(server: String, points: Arc<Points>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            while let Some(Ok((client, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let (server, points, stopped) = (server.clone(), points.clone(), stopped.clone());
                tokio::spawn(async move {
                    // A connection that ends is told to both ends by being dropped.
                    let _ = stopped.run_until_cancelled(pass_on(client, &server, &points)).await;
                });
            }
        });
        Proxy { port, _stop: stop.drop_guard() }
    }
}

async fn pass_on(client: TcpStream, server: &str, points: &Points) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut client_says, mut to_client) = client.into_split();
    let (mut server_says, mut to_server) = server.into_split();
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    let mut has_started = false;
    loop {
        while let Some(message) = take_message(&mut asked, has_started) {
            has_started = true;
            if !is_commit(&message) {
                to_server.write_all(&message).await?;
                continue;
            }
            if !points.at(Point::BeforeCommit).await {
                return Ok(());
            }
            to_server.write_all(&message).await?;
            let mut answer = Vec::new();
            while answer.last().is_none_or(|message: &Vec<u8>| message[0] != b'Z') {
                match take_message(&mut answered, true) {
                    Some(message) => answer.push(message),
                    None if server_says.read_buf(&mut answered).await? == 0 => return Ok(()),
                    None => {}
                }
            }
            if !points.at(Point::AfterCommit).await {
                return Ok(());
            }
            to_client.write_all(&answer.concat()).await?;
        }
        to_client.write_all(&std::mem::take(&mut answered)).await?;
        let read = tokio::select! {
            read = client_says.read_buf(&mut asked) => read?,
            read = server_says.read_buf(&mut answered) => read?,
        };
        if read == 0 {
            return Ok(());
        }
    }
}

/// The next whole message; the first of a connection has no type.
fn take_message(bytes: &mut Vec<u8>, has_type: bool) -> Option<Vec<u8>> {
    let start = usize::from(has_type);
    let length = bytes.get(start..start + 4)?;
    let end = start + u32::from_be_bytes(length.try_into().ok()?) as usize;
    (bytes.len() >= end).then(|| bytes.drain(..end).collect())
}

fn is_commit(message: &[u8]) -> bool {
    message[0] == b'Q' && message[5..].starts_with(b"COMMIT")
}
