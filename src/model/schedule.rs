//! When runs start by themselves.

use serde::{Deserialize, Serialize};

use super::text_enum::text_enum;

text_enum! {
    /// How often a connection runs by itself (`crm_sync_configs.sync_frequency`).
    SyncFrequency ("sync frequency") {
        /// On every edit in the app, and every 60 seconds for the CRM's.
        Realtime = "realtime",
        /// Once an hour at a chosen minute.
        Hourly = "hourly",
        /// Once a day at a chosen time.
        Daily = "daily",
        /// Only when someone asks.
        Manual = "manual",
    }
}

impl SyncFrequency {
    /// The frequency in words for a screen.
    pub const fn label(self) -> &'static str {
        match self {
            SyncFrequency::Realtime => "Real-time",
            SyncFrequency::Hourly => "Hourly",
            SyncFrequency::Daily => "Daily",
            SyncFrequency::Manual => "Manual",
        }
    }
}

/// When within the hour or the day. `{ minute }` goes with hourly, `{ time, timeZone }` with daily.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// Minute of the hour, 0 to 59 (hourly).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minute: Option<u8>,
    /// Time of day as `HH:MM` (daily).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// IANA time zone of `time` (daily).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}
