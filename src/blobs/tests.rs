//! Contents come in, are kept once, and come out as they were.

use std::convert::Infallible;

use futures::TryStreamExt as _;

use super::*;

const WORKSPACE: Uuid = Uuid::from_u128(1);

fn pieces(bytes: &[u8], size: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let pieces: Vec<_> = bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    futures::stream::iter(pieces)
}

async fn kept(store: &BlobStore, workspace_id: Uuid, sha256: &str) -> Result<Vec<u8>, BlobError> {
    let parts: Vec<Bytes> = store.get(workspace_id, sha256).await?.try_collect().await?;
    Ok(parts.concat())
}

/// Names of everything in the store.
async fn names(store: &BlobStore) -> Vec<String> {
    let mut names: Vec<String> =
        store.store.list(None).map_ok(|found| found.location.to_string()).try_collect().await.expect("a list");
    names.sort();
    names
}

#[tokio::test]
async fn a_content_is_kept_once_under_its_checksum_and_comes_out_as_it_was() {
    let folder = std::env::temp_dir().join(format!("crosstie-blobs-{}", std::process::id()));
    let stores = [
        BlobStore::open(&BlobPlace::Directory(folder.clone()), 100 << 20).expect("a folder"),
        BlobStore::in_memory(100 << 20),
    ];
    for store in stores {
        let anything = Expected::default();
        // Larger than two parts, in pieces that fit into none.
        let large: Vec<u8> = (0..12_000_000_u32).flat_map(|number| number.to_le_bytes()[..1].to_vec()).collect();
        for content in [&large[..], b"", b"abc"] {
            let put = || store.put(WORKSPACE, Uuid::from_u128(2), pieces(content, 70_001), &anything);
            let blob = put().await.expect("it is kept");
            assert_eq!(blob.size, content.len() as u64);
            assert_eq!(put().await.expect("again"), blob);
            assert_eq!(kept(&store, WORKSPACE, &blob.sha256).await.expect("the content"), content);
            let elsewhere = kept(&store, Uuid::from_u128(3), &blob.sha256).await;
            assert!(matches!(elsewhere, Err(BlobError::Missing)), "another workspace's");
        }
        let names = names(&store).await;
        assert_eq!(names.len(), 3, "each once, and nothing is left of its arrival: {names:?}");
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(names.contains(&format!("{WORKSPACE}/ba/{abc}")), "{names:?}");
    }
    std::fs::remove_dir_all(folder).expect("it was made");
}

#[tokio::test]
async fn what_is_too_large_cut_off_or_another_is_not_kept() {
    let store = BlobStore::in_memory(10);
    let put = async |content: &[u8], expected: Expected| {
        store.put(WORKSPACE, Uuid::from_u128(2), pieces(content, 4), &expected).await
    };
    let too_large = put(b"eleven byte", Expected::default()).await;
    assert!(matches!(too_large, Err(BlobError::TooLarge { limit: 10 })), "{too_large:?}");
    let cut = futures::stream::iter([Ok(Bytes::from_static(b"abc")), Err("the line went dead")]);
    let cut = store.put(WORKSPACE, Uuid::from_u128(2), cut, &Expected::default()).await;
    assert!(matches!(cut, Err(BlobError::Interrupted(_))), "{cut:?}");
    let of_abc = Expected { size: Some(3), md5: Some("900150983CD24FB0D6963F7D28E17F72".to_owned()) };
    for (content, expected) in [(&b"abd"[..], of_abc.clone()), (b"ab", Expected { size: Some(3), md5: None })] {
        let other = put(content, expected).await;
        assert!(matches!(other, Err(BlobError::Unexpected)), "{other:?}");
    }
    assert_eq!(names(&store).await, Vec::<String>::new());
    put(b"abc", of_abc).await.expect("what was announced");
}
