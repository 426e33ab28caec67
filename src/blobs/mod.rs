//! What files hold, kept once per workspace under its SHA-256: in a folder, or in an S3-compatible store.
//!
//! Must not know: records, CRMs, the database. Invariants: what lies under a checksum has that checksum, because nothing gets
//! there before all of it has arrived and was summed up; no more of a file is in memory than a few parts.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use md5::Md5;
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

/// Bytes of one part of an upload: the least that S3 takes.
const PART: usize = 5 << 20;

/// Parts that are under way at once.
const PARTS_AT_ONCE: usize = 2;

/// Where contents are kept.
#[derive(Debug, Clone)]
pub enum BlobPlace {
    /// A folder of this machine.
    Directory(PathBuf),
    /// A bucket.
    S3(S3Place),
}

/// A bucket of an S3-compatible store.
#[derive(Debug, Clone)]
pub struct S3Place {
    /// Its name.
    pub bucket: String,
    /// What every key begins with; may be empty.
    pub prefix: String,
    /// Its region.
    pub region: String,
    /// The store's address where it is not Amazon's.
    pub endpoint: Option<String>,
    /// Id of the access key.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: SecretString,
}

/// Keeps what files hold. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BlobStore {
    store: Arc<dyn ObjectStore>,
    limit: u64,
}

/// A content that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Its SHA-256 in hexadecimal digits: what it is found by.
    pub sha256: String,
    /// Its MD5 in hexadecimal digits: what CRMs tell.
    pub md5: String,
    /// Bytes.
    pub size: u64,
}

/// What a content must be to be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Bytes, where they are known.
    pub size: Option<u64>,
    /// MD5 in hexadecimal digits, where it is known.
    pub md5: Option<String>,
}

/// Why a content was not kept or is not given.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It ended before it was whole.
    #[error("the content did not arrive whole")]
    Interrupted(#[source] Box<dyn Error + Send + Sync>),
    /// It is larger than a file may be.
    #[error("the content is larger than {limit} bytes")]
    TooLarge {
        /// Most bytes of a file.
        limit: u64,
    },
    /// It is not what was announced.
    #[error("the content has another size or checksum than was announced")]
    Unexpected,
    /// The store has nothing under this checksum.
    #[error("the store of files does not have the content")]
    Missing,
    /// The store did not answer or refused.
    #[error("the store of files did not do what was asked")]
    Store(#[source] Box<dyn Error + Send + Sync>),
}

impl BlobStore {
    /// Opens the store; `limit` is the most bytes of a file. Makes the folder where there is none yet.
    pub fn open(place: &BlobPlace, limit: u64) -> Result<Self, BlobError> {
        let store: Arc<dyn ObjectStore> = match place {
            BlobPlace::Directory(folder) => {
                std::fs::create_dir_all(folder).map_err(failed)?;
                Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))
            }
            BlobPlace::S3(place) => {
                let mut builder = AmazonS3Builder::new()
                    .with_bucket_name(&place.bucket)
                    .with_region(&place.region)
                    .with_access_key_id(&place.access_key_id)
                    .with_secret_access_key(place.secret_access_key.expose_secret());
                if let Some(endpoint) = &place.endpoint {
                    builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
                }
                Arc::new(PrefixStore::new(builder.build()?, place.prefix.as_str()))
            }
        };
        Ok(BlobStore { store, limit })
    }

    /// A store whose contents end with this process: for commands that touch no file, and for tests.
    pub fn in_memory(limit: u64) -> Self {
        BlobStore { store: Arc::new(InMemory::new()), limit }
    }

    /// Most bytes of a file.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Takes a content in as it comes and keeps it if it is what was expected. `arrival` names it until then.
    pub async fn put<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        workspace_id: Uuid,
        arrival: Uuid,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
        expected: &Expected,
    ) -> Result<Blob, BlobError> {
        let arriving = Path::from(format!("{workspace_id}/arriving/{arrival}"));
        let mut writer =
            BufWriter::with_capacity(self.store.clone(), arriving.clone(), PART).with_max_concurrency(PARTS_AT_ONCE);
        let blob = match self.sum_up(&mut writer, content, expected).await {
            Ok(blob) => blob,
            Err(error) => {
                // What is left of it is nowhere to be found; the error that is told is the one that ended it.
                let _ = writer.abort().await;
                return Err(error);
            }
        };
        writer.shutdown().await.map_err(failed)?;
        let place = place_of(workspace_id, &blob.sha256);
        match self.store.head(&place).await {
            Ok(_) => self.store.delete(&arriving).await?,
            Err(object_store::Error::NotFound { .. }) => self.store.rename(&arriving, &place).await?,
            Err(error) => return Err(error.into()),
        }
        Ok(blob)
    }

    async fn sum_up<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        writer: &mut BufWriter,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
        expected: &Expected,
    ) -> Result<Blob, BlobError> {
        let (mut sha256, mut md5, mut size) = (Sha256::new(), Md5::new(), 0_u64);
        let mut content = std::pin::pin!(content);
        while let Some(bytes) = content.next().await {
            let bytes = bytes.map_err(|error| BlobError::Interrupted(error.into()))?;
            size = size.saturating_add(bytes.len() as u64);
            if size > self.limit {
                return Err(BlobError::TooLarge { limit: self.limit });
            }
            sha256.update(&bytes);
            md5.update(&bytes);
            writer.put(bytes).await?;
        }
        let blob = Blob { sha256: hexadecimal(&sha256.finalize()), md5: hexadecimal(&md5.finalize()), size };
        let is_expected = expected.size.is_none_or(|size| size == blob.size)
            && expected.md5.as_ref().is_none_or(|md5| md5.eq_ignore_ascii_case(&blob.md5));
        if is_expected { Ok(blob) } else { Err(BlobError::Unexpected) }
    }

    /// Gives a content as it is read.
    pub async fn get(
        &self,
        workspace_id: Uuid,
        sha256: &str,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let found = self.store.get(&place_of(workspace_id, sha256)).await?;
        Ok(found.into_stream().map(|bytes| bytes.map_err(BlobError::from)).boxed())
    }
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => BlobError::Missing,
            error => failed(error),
        }
    }
}

fn failed(error: impl Error + Send + Sync + 'static) -> BlobError {
    BlobError::Store(Box::new(error))
}

/// Folders of at most 256 folders: no file system likes a million names in one.
fn place_of(workspace_id: Uuid, sha256: &str) -> Path {
    let shelf = sha256.get(..2).unwrap_or_default();
    Path::from(format!("{workspace_id}/{shelf}/{sha256}"))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
