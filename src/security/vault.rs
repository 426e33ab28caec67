//! Seals what the database must not read: AES-256-GCM under the server's key.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Rng;

/// First byte of a sealed value: which layout, and with it which key generation.
const FORMAT: u8 = 1;

/// Bytes of a nonce.
const NONCE_LENGTH: usize = 12;

/// Why a value cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key is not 32 bytes in base64.
    #[error("the key must be 32 bytes in base64")]
    Key,
    /// The value was sealed with another key, for another purpose or workspace, or was changed.
    #[error("the sealed value does not open")]
    Sealed,
}

/// Seals and opens secrets.
pub struct Vault(Aes256Gcm);

impl Vault {
    /// A vault with a key of 32 bytes in base64.
    pub fn new(key: &str) -> Result<Self, VaultError> {
        let bytes = STANDARD.decode(key.trim()).map_err(|_| VaultError::Key)?;
        Aes256Gcm::new_from_slice(&bytes).map(Vault).map_err(|_| VaultError::Key)
    }

    /// A new random key as text.
    pub fn generate_key(rng: &dyn Rng) -> String {
        let mut bytes = [0; 32];
        rng.fill(&mut bytes);
        STANDARD.encode(bytes)
    }

    /// Seals `plain` for `purpose`, which names the workspace too and must be the same to open it.
    pub fn seal(&self, rng: &dyn Rng, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_LENGTH];
        rng.fill(&mut nonce);
        let payload = Payload { msg: plain, aad: purpose.as_bytes() };
        let sealed = self.0.encrypt(&Nonce::from(nonce), payload).map_err(|_| VaultError::Sealed)?;
        Ok([&[FORMAT], nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Vault::seal`] sealed for the same purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (FORMAT, rest) = sealed.split_first().map(|(format, rest)| (*format, rest)).ok_or(VaultError::Sealed)?
        else {
            return Err(VaultError::Sealed);
        };
        let (nonce, message) = rest.split_first_chunk::<NONCE_LENGTH>().ok_or(VaultError::Sealed)?;
        let payload = Payload { msg: message, aad: purpose.as_bytes() };
        self.0.decrypt(&Nonce::from(*nonce), payload).map_err(|_| VaultError::Sealed)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::SeededRng;

    #[test]
    fn a_secret_opens_only_with_its_key_and_for_its_purpose() {
        let rng = SeededRng::new(7);
        let vault = Vault::new(&Vault::generate_key(&rng)).expect("a generated key");
        let other = Vault::new(&Vault::generate_key(&rng)).expect("a generated key");
        let sealed = vault.seal(&rng, "w1:tokens", b"secret").expect("sealing");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(vault.open("w1:tokens", &sealed).as_deref(), Ok(b"secret".as_slice()));
        assert_eq!(vault.open("w2:tokens", &sealed), Err(VaultError::Sealed), "another workspace's");
        assert_eq!(other.open("w1:tokens", &sealed), Err(VaultError::Sealed), "another key");
        let mut changed = sealed.clone();
        changed[20] ^= 1;
        assert_eq!(vault.open("w1:tokens", &changed), Err(VaultError::Sealed));
        assert_eq!(vault.open("w1:tokens", &sealed[..5]), Err(VaultError::Sealed));
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert_eq!(Vault::new("c2hvcnQ=").err(), Some(VaultError::Key));
        assert_eq!(Vault::new("not base64!").err(), Some(VaultError::Key));
    }
}
