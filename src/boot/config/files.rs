//! Where the contents of files are kept, and how large a file may be.

use std::path::Path;

use super::{ConfigError, Environment, is_origin, set};
use crate::blobs::{BlobPlace, S3Place};

/// Megabytes of a file where nothing is set: what a CRM's own page takes.
const USUAL_MEGABYTES: u64 = 25;
/// What Salesforce takes at most (its dossier, 6).
const MOST_MEGABYTES: u64 = 2048;

/// Where and how large.
#[derive(Debug, Clone)]
pub struct FilesConfig {
    /// Where contents are kept.
    pub place: BlobPlace,
    /// Most bytes of a file.
    pub limit: u64,
}

/// Reads the settings of files.
pub fn files_config(data_dir: &Path, environment: Environment<'_>) -> Result<FilesConfig, ConfigError> {
    let setting = "CROSSTIE_FILES_MAX_MB";
    let expected = "give a number of megabytes between 1 and 2048.";
    let megabytes = match set(environment, setting) {
        None => USUAL_MEGABYTES,
        Some(text) => text
            .parse()
            .ok()
            .filter(|megabytes| (1..=MOST_MEGABYTES).contains(megabytes))
            .ok_or(ConfigError::Malformed { setting, expected })?,
    };
    Ok(FilesConfig { place: place(data_dir, environment)?, limit: megabytes << 20 })
}

fn place(data_dir: &Path, environment: Environment<'_>) -> Result<BlobPlace, ConfigError> {
    let Some(text) = set(environment, "CROSSTIE_FILES") else {
        return Ok(BlobPlace::Directory(data_dir.join("files")));
    };
    let expected = "give a folder, or a bucket such as s3://crosstie/files.";
    let malformed = ConfigError::Malformed { setting: "CROSSTIE_FILES", expected };
    let Some((scheme, rest)) = text.split_once("://") else { return Ok(BlobPlace::Directory(text.into())) };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if scheme != "s3" || bucket.is_empty() {
        return Err(malformed);
    }
    let needed = |setting: &'static str| {
        let hint = "a bucket needs both the id and the secret of an access key.";
        set(environment, setting).ok_or(ConfigError::Missing { setting, hint })
    };
    let endpoint = set(environment, "CROSSTIE_FILES_S3_ENDPOINT");
    if endpoint.as_ref().is_some_and(|endpoint| !is_origin(endpoint)) {
        let expected = "give an address without a path such as https://s3.example.com.";
        return Err(ConfigError::Malformed { setting: "CROSSTIE_FILES_S3_ENDPOINT", expected });
    }
    Ok(BlobPlace::S3(S3Place {
        bucket: bucket.to_owned(),
        prefix: prefix.trim_matches('/').to_owned(),
        region: set(environment, "CROSSTIE_FILES_S3_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
        endpoint: endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
        access_key_id: needed("CROSSTIE_FILES_S3_ACCESS_KEY_ID")?,
        secret_access_key: needed("CROSSTIE_FILES_S3_SECRET_ACCESS_KEY")?.into(),
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<FilesConfig, ConfigError> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        files_config(Path::new("/srv/data"), &|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn files_are_kept_in_a_folder_unless_a_bucket_is_named() {
        let usual = read(&[]).expect("settings");
        assert!(matches!(&usual.place, BlobPlace::Directory(folder) if folder == Path::new("/srv/data/files")));
        assert_eq!(usual.limit, 25 << 20);
        let named = read(&[("CROSSTIE_FILES", "/mnt/files"), ("CROSSTIE_FILES_MAX_MB", "100")]).expect("settings");
        assert!(matches!(&named.place, BlobPlace::Directory(folder) if folder == Path::new("/mnt/files")));
        assert_eq!(named.limit, 100 << 20);
        let bucket = read(&[
            ("CROSSTIE_FILES", "s3://crosstie/kept/here/"),
            ("CROSSTIE_FILES_S3_ACCESS_KEY_ID", "AK"),
            ("CROSSTIE_FILES_S3_SECRET_ACCESS_KEY", "hidden"),
            ("CROSSTIE_FILES_S3_ENDPOINT", "http://127.0.0.1:9000/"),
        ]);
        let BlobPlace::S3(place) = bucket.expect("settings").place else { panic!("a bucket") };
        assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("crosstie", "kept/here"));
        assert_eq!((place.region.as_str(), place.endpoint.as_deref()), ("us-east-1", Some("http://127.0.0.1:9000")));
        assert!(!format!("{place:?}").contains("hidden"));
        // Another test of this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        crate::blobs::BlobStore::open(&BlobPlace::S3(place), 1).expect("a store that is asked when it is needed");
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        let cases: [(&[(&str, &str)], &str); 7] = [
            (&[("CROSSTIE_FILES_MAX_MB", "0")], "CROSSTIE_FILES_MAX_MB is malformed"),
            (&[("CROSSTIE_FILES_MAX_MB", "much")], "CROSSTIE_FILES_MAX_MB is malformed"),
            (&[("CROSSTIE_FILES", "https://files.example")], "CROSSTIE_FILES is malformed"),
            (&[("CROSSTIE_FILES", "s3:///prefix")], "CROSSTIE_FILES is malformed"),
            (&[("CROSSTIE_FILES", "s3://bucket")], "CROSSTIE_FILES_S3_ACCESS_KEY_ID is not set"),
            (
                &[("CROSSTIE_FILES", "s3://bucket"), ("CROSSTIE_FILES_S3_ACCESS_KEY_ID", "AK")],
                "CROSSTIE_FILES_S3_SECRET_ACCESS_KEY is not set",
            ),
            (
                &[("CROSSTIE_FILES", "s3://bucket"), ("CROSSTIE_FILES_S3_ENDPOINT", "here")],
                "CROSSTIE_FILES_S3_ENDPOINT is malformed",
            ),
        ];
        for (variables, sentence) in cases {
            let error = read(variables).expect_err(sentence).to_string();
            assert!(error.starts_with(sentence) && error.ends_with('.'), "{error}");
        }
    }
}
