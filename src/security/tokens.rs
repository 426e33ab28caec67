//! Random tokens and their hashes. A token itself is never stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Rng;

/// How an API key begins.
pub const API_KEY_PREFIX: &str = "ck_";

/// 32 random bytes as base64url: a session token, an OAuth state, a PKCE verifier.
pub fn session_token(rng: &dyn Rng) -> String {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A new API key.
pub fn api_key(rng: &dyn Rng) -> String {
    format!("{API_KEY_PREFIX}{}", session_token(rng))
}

/// The SHA-256 that is stored in a token's place.
pub fn hash(token: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(token).into()
}
