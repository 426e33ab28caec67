//! What the control interface of every simulator shares: statistics, faults, limits, the CRM's own clock.

use std::collections::BTreeMap;

use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Requests that reached the CRM side.
#[derive(Debug, Default)]
pub(super) struct Stats {
    by_operation: BTreeMap<&'static str, u64>,
}

impl Stats {
    /// Counts a request.
    pub(super) fn count(&mut self, operation: &'static str) {
        *self.by_operation.entry(operation).or_default() += 1;
    }

    /// All but `token`, and each by itself.
    pub(super) fn report(&self) -> (u64, &BTreeMap<&'static str, u64>) {
        let calls = self.by_operation.iter().filter(|(name, _)| **name != "token").map(|(_, count)| count).sum();
        (calls, &self.by_operation)
    }

    /// To zero.
    pub(super) fn clear(&mut self) {
        self.by_operation.clear();
    }
}

/// Which requests a fault is for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Match {
    operation: Option<String>,
    method: Option<String>,
    path: Option<String>,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FaultKind {
    /// Answers with `status`.
    Status,
    /// Closed before anything is applied.
    Reset,
    /// Answers late.
    Delay,
    /// Applied, and the answer never arrives.
    LostResponse,
    /// This CRM's own refusal.
    RateLimit,
    /// 200 with HTML.
    Garbage,
    /// 503 with HTML, as what stands before the CRM says while it is worked on.
    Maintenance,
}

/// One rule; the first that matches wins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Fault {
    #[serde(rename = "match", default)]
    matches: Match,
    /// What goes wrong.
    pub fault: FaultKind,
    /// Status of [`FaultKind::Status`].
    pub status: Option<u16>,
    /// The CRM's own code for [`FaultKind::Status`], where it has codes, and its words.
    pub code: Option<String>,
    pub message: Option<String>,
    /// Milliseconds of [`FaultKind::Delay`].
    pub delay_ms: Option<u64>,
    times: Option<u64>,
    probability: Option<f64>,
}

impl Fault {
    /// Every answer this late.
    pub(super) fn delay(ms: u64) -> Self {
        Fault { delay_ms: Some(ms), ..Fault::of(FaultKind::Delay, None) }
    }

    /// A fault that meets so many per cent of all requests; none is all.
    pub(super) fn of(fault: FaultKind, per_cent: Option<u64>) -> Self {
        let status = (fault == FaultKind::Status).then_some(503);
        let probability = per_cent.map(|per_cent| per_cent as f64 / 100.0);
        let (code, message) = (None, None);
        Fault { matches: Match::default(), fault, status, code, message, delay_ms: None, times: None, probability }
    }

    /// Milliseconds, or per cent: what a person sets.
    pub(super) fn amount(&self) -> Option<u64> {
        self.delay_ms.or(self.probability.map(|probability| (probability * 100.0).round() as u64))
    }
}

/// The rules in force.
#[derive(Debug)]
pub(super) struct Faults {
    rules: Vec<Fault>,
    dice: ChaCha8Rng,
}

impl Faults {
    /// None.
    pub(super) fn new(seed: u64) -> Self {
        Faults { rules: Vec::new(), dice: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Puts these in place of the former ones.
    pub(super) fn set(&mut self, rules: Vec<Fault>) {
        self.rules = rules;
    }

    /// The rules in force.
    pub(super) fn rules(&self) -> &[Fault] {
        &self.rules
    }

    /// The fault that meets a request, if any. `match: {}` spares `token`; `consent` is met by its path alone.
    pub(super) fn meet(&mut self, operation: &str, method: &str, path: &str, consent: bool) -> Option<Fault> {
        let index = self.rules.iter().position(|rule| {
            let open = rule.matches.operation.is_none() && rule.matches.method.is_none() && rule.matches.path.is_none();
            let is = |wanted: &Option<String>, given: &str| wanted.as_deref().is_none_or(|wanted| wanted == given);
            rule.times != Some(0)
                && !(open && operation == "token")
                && !(consent && rule.matches.path.is_none())
                && is(&rule.matches.operation, operation)
                && rule.matches.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && rule.matches.path.as_deref().is_none_or(|wanted| path.contains(wanted))
        })?;
        let rule = &mut self.rules[index];
        if rule.probability.is_some_and(|probability| self.dice.random::<f64>() >= probability) {
            return None;
        }
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        Some(rule.clone())
    }
}

/// So many requests in so many milliseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Burst {
    pub count: u64,
    pub per_ms: i64,
}

/// Counts requests of a burst window.
#[derive(Debug, Default)]
pub(super) struct BurstWindow {
    since: i64,
    used: u64,
}

impl BurstWindow {
    /// Whether one more request fits.
    pub(super) fn admit(&mut self, burst: Option<Burst>, now: i64) -> bool {
        let Some(burst) = burst else { return true };
        if now.saturating_sub(self.since) >= burst.per_ms || now < self.since {
            *self = BurstWindow { since: now, used: 0 };
        }
        self.used += 1;
        self.used <= burst.count
    }

    /// How many more fit into the present window.
    pub(super) fn left(&self, burst: Burst) -> u64 {
        burst.count.saturating_sub(self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(rules: &str) -> Faults {
        let mut faults = Faults::new(1);
        faults.set(serde_json::from_str(rules).expect("rules"));
        faults
    }

    #[test]
    fn the_first_rule_that_matches_wins_and_counts_down() {
        let mut faults = faults(
            r#"[{"match":{"operation":"query"},"fault":"reset","times":1},{"match":{},"fault":"status","status":503}]"#,
        );
        let kind = |fault: Option<Fault>| fault.map(|fault| fault.fault);
        assert_eq!(kind(faults.meet("query", "GET", "/q", false)), Some(FaultKind::Reset));
        assert_eq!(kind(faults.meet("query", "GET", "/q", false)), Some(FaultKind::Status));
        assert_eq!(kind(faults.meet("token", "POST", "/t", false)), None, "an open match spares token");
    }

    #[test]
    fn a_burst_fits_its_window() {
        let mut window = BurstWindow::default();
        let burst = Some(Burst { count: 2, per_ms: 1000 });
        let admitted: Vec<bool> = [0, 1, 2, 1000].map(|now| window.admit(burst, now)).to_vec();
        assert_eq!(admitted, [true, true, false, true]);
        assert_eq!(burst.map(|burst| window.left(burst)), Some(1));
    }
}
