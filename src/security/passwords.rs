//! Passwords as Argon2id hashes. Slow on purpose: call from `spawn_blocking`.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};

use super::Rng;

/// The PHC string of a password, with a random salt.
pub fn hash(rng: &dyn Rng, password: &str) -> String {
    let mut salt = [0; 16];
    rng.fill(&mut salt);
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.expect("the default parameters and a 16-byte salt are valid").to_string()
}

/// Whether `password` is the one that `hash` was made from.
pub fn verify(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::SeededRng;

    #[test]
    fn a_hash_opens_for_its_password_only() {
        let hashed = hash(&SeededRng::new(1), "correct horse");
        assert!(hashed.starts_with("$argon2id$"), "{hashed}");
        assert!(verify(&hashed, "correct horse"));
        assert!(!verify(&hashed, "correct horse "));
        assert!(!verify("not a hash", "correct horse"));
    }
}
