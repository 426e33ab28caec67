//! Which records are associated with which (dossier 4): what the world does with pairs of them.

use serde_json::json;

use super::super::changes::Undo;
use super::super::links::{self, End, Mask, PRIMARY};
use super::super::record::By;
use super::super::refusal::Refusal;
use super::super::types::COMPANIES;
use super::World;

impl World {
    /// Associates two living records by type ids, or plainly by none; `replace` drops other labels (dossier 4).
    pub(in super::super) fn associate(
        &mut self,
        from: End,
        to: End,
        types: &[u32],
        replace: bool,
        by: By,
    ) -> Result<Mask, Refusal> {
        let labels = self.meta.labels.get(&(from.0, to.0)).cloned().unwrap_or_default();
        let named = |kind: usize| self.meta.types[kind].singular.to_uppercase();
        if labels.is_empty() {
            let ids = [from, to].map(|end| &self.meta.types[end.0].id);
            let message = format!("No association types exist from {} to {}", ids[0], ids[1]);
            return Err(Refusal::invalid(message));
        }
        for end in [from, to] {
            if self.living(end.0, end.1).is_none() {
                let message = format!("{} {} does not exist", named(end.0), end.1);
                return Err(Refusal::new(404, "OBJECT_NOT_FOUND", message).with_context("id", &[end.1.to_string()]));
            }
        }
        let before = self.links.get(from, to).unwrap_or_default();
        let mut mask = 1 | if replace { before & PRIMARY & if types.is_empty() { PRIMARY } else { 0 } } else { before };
        for wanted in types {
            let Some(place) = labels.iter().position(|label| label.type_id == *wanted) else {
                let (from, to) = (named(from.0), named(to.0));
                let message = format!("Association type id {wanted} doesn't exist between {from} and {to}");
                return Err(Refusal::invalid(message));
            };
            mask |= 1 << place;
        }
        self.refuse_too_many(from, to, mask)?;
        self.refuse_too_many(to, from, links::mirrored(&labels, mask))?;
        let owner = if links::has_primary(from.0) && to.0 == COMPANIES {
            Some(from)
        } else {
            (links::has_primary(to.0) && from.0 == COMPANIES).then_some(to)
        };
        if let Some(owner) = owner {
            let company = if owner == from { to } else { from };
            if self.primary(owner).is_none() {
                mask |= PRIMARY;
            }
            if mask & PRIMARY != 0 {
                let others: Vec<(u64, Mask)> = self.links.of(owner, COMPANIES).collect();
                for (other, labels) in others {
                    if other != company.1 && labels & PRIMARY != 0 {
                        self.link(owner, (COMPANIES, other), labels & !PRIMARY, by);
                    }
                }
            }
        }
        self.link(from, to, mask, by);
        Ok(mask)
    }

    /// Refuses what would give one end more records under a label than its limit.
    fn refuse_too_many(&self, from: End, to: End, mask: Mask) -> Result<(), Refusal> {
        let labels = self.meta.labels.get(&(from.0, to.0)).into_iter().flatten().enumerate();
        for (place, label) in labels.filter(|(place, _)| mask & (1 << place) != 0) {
            let others = self.linked(from, to.0).filter(|(id, mask)| *id != to.1 && mask & (1 << place) != 0);
            if let Some(most) = label.most.filter(|most| others.count() as u64 >= *most) {
                let of = &self.meta.types[from.0].id;
                let message = format!("{of} {} has reached its limit of {most} associations", from.1);
                return Err(Refusal::invalid(message).sub("ASSOCIATIONS.LIMIT_EXCEEDED"));
            }
        }
        Ok(())
    }

    /// What a record is associated with of one type; what is in the bin is not shown (dossier 9).
    pub(in super::super) fn linked(&self, from: End, to: usize) -> impl Iterator<Item = (u64, Mask)> {
        let lives = move |id: &u64| self.tables[to].records.get(id).is_some_and(|record| record.archived == 0);
        self.links.of(from, to).filter(move |(id, _)| lives(id))
    }

    /// The main company of a contact or deal.
    pub(in super::super) fn primary(&self, owner: End) -> Option<u64> {
        self.linked(owner, COMPANIES).find(|(_, mask)| mask & PRIMARY != 0).map(|(id, _)| id)
    }

    /// Sets the labels of a pair, noted as unwritten; 0 ends the association.
    pub(in super::super) fn link(&mut self, from: End, to: End, mask: Mask, by: By) {
        let before = self.links.get(from, to).unwrap_or_default();
        if before == mask {
            return;
        }
        self.restore_link(from, to, mask);
        self.undo.push(Undo::Link { from, to, before, by });
        self.unwritten.push(json!({ "link": [from.0, from.1, to.0, to.1, mask] }).to_string());
    }

    /// Sets the labels of a pair.
    pub(in super::super) fn restore_link(&mut self, from: End, to: End, mask: Mask) {
        let labels = self.meta.labels.get(&(from.0, to.0)).map(Vec::as_slice).unwrap_or_default();
        let back = links::mirrored(labels, mask);
        self.links.set(from, to, mask);
        self.links.set(to, from, back);
    }
}
