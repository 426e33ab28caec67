//! People whom records belong to: a CRM names them by its own ids, and both sides know their e-mail addresses.

use std::collections::HashMap;

/// A person as a CRM knows them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Person {
    /// The CRM's id of the person as an owner of records.
    pub id: String,
    /// E-mail address.
    pub email: String,
    /// Whether records may be given to them.
    pub active: bool,
}

/// The people of a CRM by id and by address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    addresses: HashMap<String, String>,
    ids: HashMap<String, String>,
}

impl People {
    /// All people of a CRM. Where several have one address, the first who is active has it.
    pub fn new(people: &[Person]) -> Self {
        let mut found = People::default();
        for person in people {
            found.addresses.insert(person.id.clone(), person.email.clone());
            if person.active {
                found.ids.entry(folded(&person.email)).or_insert_with(|| person.id.clone());
            }
        }
        found
    }

    /// The address of the person whom the CRM names; `None`: the CRM does not show them.
    pub fn address(&self, id: &str) -> Option<String> {
        self.addresses.get(id).cloned()
    }

    /// The CRM's id of the active person with an address; `None`: there is nobody.
    pub fn id(&self, address: &str) -> Option<String> {
        self.ids.get(&folded(address)).cloned()
    }
}

fn folded(address: &str) -> String {
    address.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_pair_by_address_and_only_active_ones_are_given_records() {
        let person = |id: &str, email: &str, active| Person { id: id.to_owned(), email: email.to_owned(), active };
        let people = People::new(&[
            person("1", "Grace@kestrel.example", false),
            person("2", "grace@kestrel.example", true),
            person("3", "grace@kestrel.example", true),
            person("4", "left@kestrel.example", false),
        ]);
        assert_eq!(people.id(" GRACE@kestrel.example").as_deref(), Some("2"));
        assert_eq!(people.address("3").as_deref(), Some("grace@kestrel.example"));
        assert_eq!(people.address("4").as_deref(), Some("left@kestrel.example"), "who has left is still known");
        assert_eq!((people.id("left@kestrel.example"), people.address("5")), (None, None));
    }
}
