//! Associations between records with their labels (dossier 4). A pair of records has one set of labels, seen from both ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::types::{COMPANIES, CONTACTS, DEALS, Types};

/// A label of associations from one type to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Label {
    pub type_id: u32,
    pub label: Option<String>,
    /// Defined by an account's people, not by the CRM.
    pub custom: bool,
    /// Its place in the list of the other direction.
    pub inverse: usize,
    /// Most records that one record may so point to.
    #[serde(default)]
    pub most: Option<u64>,
}

impl Label {
    /// The association itself, without a label.
    pub(super) fn plain(type_id: u32) -> Self {
        Label::standard(type_id, None, 0)
    }

    fn standard(type_id: u32, label: Option<&str>, inverse: usize) -> Self {
        Label { type_id, label: label.map(str::to_owned), custom: false, inverse, most: None }
    }

    /// `HUBSPOT_DEFINED` or `USER_DEFINED`.
    pub(super) fn category(&self) -> &'static str {
        if self.custom { "USER_DEFINED" } else { "HUBSPOT_DEFINED" }
    }

    /// As the API tells it.
    pub(super) fn told(&self) -> Json {
        json!({ "category": self.category(), "typeId": self.type_id, "label": self.label })
    }
}

/// One end of an association.
pub(super) type End = (usize, u64);

/// Labels of a pair of records: a bit for each place in the list of labels, the first for the plain association.
pub(super) type Mask = u16;

/// The label that says which company is the main one: the second of its lists.
pub(super) const PRIMARY: Mask = 0b10;

/// Labels by the types they connect.
pub(super) type Labels = BTreeMap<(usize, usize), Vec<Label>>;

/// Every pair of records that is associated.
#[derive(Debug, Default)]
pub(super) struct Links {
    all: BTreeMap<(u16, u64, u16, u64), Mask>,
}

/// From, to, and the type ids of the plain association both ways (dossier 4).
const PLAIN: [(&str, &str, u32, u32); 22] = [
    ("contacts", "companies", 279, 280),
    ("deals", "companies", 341, 342),
    ("deals", "contacts", 3, 4),
    ("contacts", "tickets", 15, 16),
    ("companies", "tickets", 340, 339),
    ("deals", "tickets", 27, 28),
    ("notes", "contacts", 202, 201),
    ("notes", "companies", 190, 189),
    ("notes", "deals", 214, 213),
    ("contacts", "calls", 193, 194),
    ("contacts", "emails", 197, 198),
    ("contacts", "meetings", 199, 200),
    ("contacts", "tasks", 203, 204),
    ("companies", "calls", 181, 182),
    ("companies", "emails", 185, 186),
    ("companies", "meetings", 187, 188),
    ("companies", "tasks", 191, 192),
    ("deals", "calls", 205, 206),
    ("deals", "emails", 209, 210),
    ("deals", "meetings", 211, 212),
    ("deals", "tasks", 215, 216),
    ("deals", "line_items", 19, 20),
];

/// The labels that every account has.
pub(super) fn standard_labels(types: &Types) -> Labels {
    let mut labels = Labels::new();
    let quotes = ("deals", "quotes", 63, 64);
    for (from, to, there, back) in PLAIN.into_iter().chain([quotes]) {
        let (Some(from), Some(to)) = (types.named(from), types.named(to)) else { continue };
        labels.insert((from, to), vec![Label::standard(there, None, 0)]);
        labels.insert((to, from), vec![Label::standard(back, None, 0)]);
    }
    for (from, there, back) in [(CONTACTS, 1, 2), (DEALS, 5, 6)] {
        labels.entry((from, COMPANIES)).or_default().push(Label::standard(there, Some("Primary"), 1));
        labels.entry((COMPANIES, from)).or_default().push(Label::standard(back, Some("Primary"), 1));
    }
    labels.insert((CONTACTS, CONTACTS), vec![Label::standard(449, None, 0)]);
    labels.insert((DEALS, DEALS), vec![Label::standard(451, None, 0)]);
    let companies = vec![
        Label::standard(450, None, 0),
        Label::standard(13, Some("Parent to Child Company"), 2),
        Label::standard(14, Some("Child to Parent Company"), 1),
    ];
    labels.insert((COMPANIES, COMPANIES), companies);
    labels
}

/// Whether records of this type have one main company.
pub(super) fn has_primary(kind: usize) -> bool {
    kind == CONTACTS || kind == DEALS
}

/// `contact_to_company` (dossier 2.2).
pub(super) fn relation(types: &Types, from: usize, to: usize) -> String {
    format!("{}_to_{}", types[from].singular, types[to].singular)
}

/// The same labels seen from the other end.
pub(super) fn mirrored(labels: &[Label], mask: Mask) -> Mask {
    let bits = labels.iter().enumerate().filter(|(place, _)| mask & (1 << place) != 0);
    bits.fold(0, |mirrored, (_, label)| mirrored | (1 << label.inverse))
}

impl Links {
    /// The labels of a pair; none where it is not associated.
    pub(super) fn get(&self, from: End, to: End) -> Option<Mask> {
        self.all.get(&key(from, to)).copied()
    }

    /// Sets the labels of one direction; 0 removes.
    pub(super) fn set(&mut self, from: End, to: End, mask: Mask) {
        if mask == 0 {
            self.all.remove(&key(from, to));
        } else {
            self.all.insert(key(from, to), mask);
        }
    }

    /// What a record is associated with of one type, by ascending id.
    pub(super) fn of(&self, from: End, to: usize) -> impl Iterator<Item = (u64, Mask)> {
        let range = key(from, (to, 0))..=key(from, (to, u64::MAX));
        self.all.range(range).map(|((_, _, _, id), mask)| (*id, *mask))
    }

    /// Everything that a record is associated with.
    pub(super) fn around(&self, from: End) -> Vec<(End, Mask)> {
        let range = key(from, (0, 0))..=key(from, (usize::from(u16::MAX), u64::MAX));
        self.all.range(range).map(|((_, _, to, id), mask)| ((usize::from(*to), *id), *mask)).collect()
    }

    /// Every pair once.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (End, End, Mask)> {
        let once = self.all.iter().filter(|((from, id, to, other), _)| (from, id) <= (to, other));
        once.map(|((from, id, to, other), mask)| ((usize::from(*from), *id), (usize::from(*to), *other), *mask))
    }
}

fn key(from: End, to: End) -> (u16, u64, u16, u64) {
    let small = |kind: usize| u16::try_from(kind).unwrap_or(u16::MAX);
    (small(from.0), from.1, small(to.0), to.1)
}

/// Types that `associations` may name for records of a type.
pub(super) fn associable(labels: &Labels, from: usize) -> Vec<usize> {
    let mut found: Vec<usize> = labels.keys().filter(|(known, _)| *known == from).map(|(_, to)| *to).collect();
    found.sort_unstable();
    found
}
