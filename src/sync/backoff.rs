//! How long to wait before trying again.

/// First wait, milliseconds.
const FIRST_MS: i64 = 500;

/// Longest wait, milliseconds.
const LONGEST_MS: i64 = 30_000;

/// The wait after the `attempt`-th failure (from 1), milliseconds: doubling, half of it by `jitter` (0 to 1).
pub fn backoff_ms(attempt: u32, jitter: f64) -> i64 {
    let doubled = FIRST_MS.saturating_mul(1_i64.checked_shl(attempt.saturating_sub(1).min(20)).unwrap_or(i64::MAX));
    let whole = doubled.min(LONGEST_MS);
    let part = (whole as f64 / 2.0 * jitter.clamp(0.0, 1.0)) as i64;
    whole / 2 + part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_never_vanish() {
        let waits: Vec<i64> = (1..=9).map(|attempt| backoff_ms(attempt, 1.0)).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(backoff_ms(1, 0.0), 250);
        assert_eq!(backoff_ms(u32::MAX, 0.0), 15_000);
    }
}
