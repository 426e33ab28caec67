//! Makes a failing history short: leaves out whatever it fails without.

use chrono::{DateTime, TimeDelta, Utc};
use crosstie::clock::{Clock, SystemClock};

use super::history::{Event, History, Then};
use super::player::play;

/// The shortest failing history that is found in this time, and how it fails.
pub async fn shrink(history: &History, failure: String, patience: TimeDelta) -> (History, String) {
    let mut shrinking = Shrinking { best: history.clone(), failure, ends: SystemClock.now() + patience };
    let mut before = usize::MAX;
    while shrinking.size() < before && !shrinking.is_over() {
        before = shrinking.size();
        shrinking.leave_out_events().await;
        shrinking.leave_out_what_happens_meanwhile().await;
    }
    (shrinking.best, shrinking.failure)
}

struct Shrinking {
    best: History,
    failure: String,
    ends: DateTime<Utc>,
}

impl Shrinking {
    fn is_over(&self) -> bool {
        SystemClock.now() >= self.ends
    }

    fn size(&self) -> usize {
        serde_json::to_string(&self.best).map_or(0, |text| text.len())
    }

    /// Keeps a shorter history where it fails too.
    async fn try_this(&mut self, shorter: History) -> bool {
        if self.is_over() {
            return false;
        }
        match play(&shorter).await {
            Err(failure) => {
                (self.best, self.failure) = (shorter, failure);
                true
            }
            Ok(_) => false,
        }
    }

    /// Halves first, then smaller parts, from the end: what comes last is needed least.
    async fn leave_out_events(&mut self) {
        let mut part = self.best.events.len().div_ceil(2);
        while part > 0 && !self.is_over() {
            let mut end = self.best.events.len();
            while end > 0 && !self.is_over() {
                let start = end.saturating_sub(part);
                let mut shorter = self.best.clone();
                shorter.events.drain(start..end);
                self.try_this(shorter).await;
                end = start;
            }
            part /= 2;
        }
    }

    async fn leave_out_what_happens_meanwhile(&mut self) {
        for place in (0..self.best.events.len()).rev() {
            let mut number = 0;
            while meanwhile(&mut self.best.events[place]).is_some_and(|planned| number < planned.len()) {
                let mut shorter = self.best.clone();
                meanwhile(&mut shorter.events[place]).map(|planned| planned.remove(number));
                if !self.try_this(shorter).await {
                    self.leave_out_happenings(place, number).await;
                    number += 1;
                }
            }
        }
    }

    async fn leave_out_happenings(&mut self, place: usize, number: usize) {
        let mut index = 0;
        loop {
            let mut shorter = self.best.clone();
            let planned = meanwhile(&mut shorter.events[place]).and_then(|planned| planned.get_mut(number));
            let Some(Then::Happens(events)) = planned.map(|planned| &mut planned.then) else { return };
            if index >= events.len() || events.len() == 1 {
                return;
            }
            events.remove(index);
            if !self.try_this(shorter).await {
                index += 1;
            }
        }
    }
}

fn meanwhile(event: &mut Event) -> Option<&mut Vec<super::history::Meanwhile>> {
    match event {
        Event::Run { meanwhile, .. } => Some(meanwhile),
        _ => None,
    }
}
