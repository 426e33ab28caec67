//! The parts that every screen is put together from, after the visual reference: shape and word for each state, one
//! primary button per view, a disabled control says why.
//!
//! Must not know: what a screen is about.

mod badge;
mod button;
mod dialog;
mod direction;
mod empty;
mod field;
mod icon;
pub mod live;
mod menu;
mod notice;
mod page_header;
mod pagination;
mod progress;
mod provider;
mod table;
mod tabs;
mod time;

pub use badge::{Badge, EnvironmentBadge, Shape, Stated, StatusBadge, Tone};
pub use button::{Button, ButtonKind, LinkButton};
pub use dialog::Dialog;
pub use direction::{DirectionArrow, DirectionWord};
pub use empty::EmptyState;
pub use field::{CheckField, Field, RadioCard, SelectField, TextAreaField, TextField};
pub use icon::{Icon, IconName};
pub use live::{Live, Topic, use_live};
pub use menu::{Fold, Menu};
pub use notice::{ActionNotice, Notice, ProblemNotice};
pub use page_header::{PageHeader, Section};
pub use pagination::Pagination;
pub use progress::{Meter, Skeleton};
pub use provider::ProviderMark;
pub use table::{Count, Table};
pub use tabs::{Tab, Tabs};
pub use time::RelativeTime;
