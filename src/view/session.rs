//! Who is signed in, and where.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::Role;

/// Answer of `GET /api/auth/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The person.
    pub user: Person,
    /// The workspace that the session works in.
    pub workspace: Workspace,
    /// Every workspace that the person belongs to, by name.
    pub workspaces: Vec<Workspace>,
}

/// The signed-in person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The person's id.
    pub id: Uuid,
    /// Name for people.
    pub name: String,
    /// E-mail, lower case.
    pub email: String,
    /// Role in the workspace.
    pub role: Role,
}

/// A workspace by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// The workspace's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// Who looks at a page; every page knows it without asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageViewer {
    /// Name of the person.
    pub name: String,
    /// E-mail of the person.
    pub email: String,
    /// Role in the workspace.
    pub role: Role,
    /// Name of the workspace.
    pub workspace: String,
}

impl PageViewer {
    /// One or two letters for the round mark.
    pub fn initials(&self) -> String {
        let mut letters = self.name.split_whitespace().filter_map(|word| word.chars().next());
        let first = letters.next().into_iter();
        first.chain(letters.next_back()).flat_map(char::to_uppercase).collect()
    }
}

/// What the sign-in page offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignInPage {
    /// Host that the person signs in to.
    pub host: String,
    /// The demo's people; empty on a real server.
    pub demo_people: Vec<DemoPerson>,
}

/// What the page behind a set-up link offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetUpPage {
    /// Host that is set up.
    pub host: String,
    /// Whether the link still works.
    pub open: bool,
}

/// What the first start makes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstStart {
    /// Name of the workspace.
    pub workspace: String,
    /// Name of its admin.
    pub name: String,
    /// E-mail of its admin.
    pub email: String,
    /// The admin's password.
    pub password: String,
}

/// One of a demo's people, signed in by one click.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoPerson {
    /// E-mail of the person.
    pub email: String,
    /// Role in words.
    pub role: String,
    /// What the role is for, as a short phrase.
    pub may: String,
}

/// A new API key, the only time that it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewApiKey {
    /// The key's id.
    pub id: Uuid,
    /// The key.
    pub token: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_first_and_last() {
        for (name, initials) in [("Anna Lindqvist", "AL"), ("Priya", "P"), ("João da Silva Ávila", "JÁ"), ("", "")] {
            let viewer = PageViewer {
                name: name.to_owned(),
                email: String::new(),
                role: Role::Member,
                workspace: String::new(),
            };
            assert_eq!(viewer.initials(), initials);
        }
    }
}
