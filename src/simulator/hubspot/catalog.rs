//! What an account has besides records: owners and pipelines (dossier 3.3, 3.4).

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::stamps::iso;

/// A person who owns records.
pub(super) struct Owner {
    pub id: &'static str,
    pub user: u32,
    pub email: &'static str,
    pub first: &'static str,
    pub last: &'static str,
    /// No longer with the company.
    pub archived: bool,
}

/// The account's people.
pub(super) const OWNERS: [Owner; 4] = [
    Owner {
        id: "41629779",
        user: 9_586_504,
        email: "integration@kestrel.example",
        first: "Crosstie",
        last: "Integration",
        archived: false,
    },
    Owner {
        id: "41629780",
        user: 9_586_505,
        email: "tomas.rivera@kestrel.example",
        first: "Tomás",
        last: "Rivera",
        archived: false,
    },
    Owner {
        id: "41629781",
        user: 9_586_506,
        email: "grace.okafor@kestrel.example",
        first: "Grace",
        last: "Okafor",
        archived: false,
    },
    Owner {
        id: "41629782",
        user: 9_586_507,
        email: "lena.former@kestrel.example",
        first: "Lena",
        last: "Former",
        archived: true,
    },
];

/// Since when the account's people are there.
const HIRED_MS: i64 = 1_672_531_200_000;

impl Owner {
    /// As the API tells it.
    pub(super) fn told(&self) -> Json {
        json!({ "id": self.id, "email": self.email, "firstName": self.first, "lastName": self.last, "type": "PERSON",
                "userId": if self.archived { Json::Null } else { json!(self.user) },
                "userIdIncludingInactive": self.user, "createdAt": iso(HIRED_MS), "updatedAt": iso(HIRED_MS),
                "archived": self.archived })
    }
}

/// A stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Stage {
    pub id: String,
    pub label: String,
    pub order: i64,
    pub metadata: std::collections::BTreeMap<String, String>,
    pub created: i64,
    pub updated: i64,
    pub archived: bool,
}

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Pipeline {
    pub id: String,
    pub label: String,
    pub order: i64,
    pub stages: Vec<Stage>,
    pub created: i64,
    pub updated: i64,
    pub archived: bool,
}

impl Stage {
    /// As the API tells it.
    pub(super) fn told(&self) -> Json {
        json!({ "id": self.id, "label": self.label, "displayOrder": self.order, "metadata": self.metadata,
                "createdAt": iso(self.created), "updatedAt": iso(self.updated), "archived": self.archived,
                "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT" })
    }

    /// Probability of a deal in it.
    pub(super) fn probability(&self) -> Option<&str> {
        self.metadata.get("probability").map(String::as_str)
    }
}

impl Pipeline {
    /// As the API tells it.
    pub(super) fn told(&self) -> Json {
        let stages: Vec<Json> = self.stages.iter().filter(|stage| !stage.archived).map(Stage::told).collect();
        json!({ "id": self.id, "label": self.label, "displayOrder": self.order, "stages": stages,
                "createdAt": iso(self.created), "updatedAt": iso(self.updated), "archived": self.archived })
    }
}

/// Stages of the deals that every account begins with.
const DEAL_STAGES: [(&str, &str, &str); 7] = [
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
];

const TICKET_STAGES: [(&str, &str, &str); 4] =
    [("1", "New", ""), ("2", "Waiting on contact", ""), ("3", "Waiting on us", ""), ("4", "Closed", "")];

/// The sales pipeline of deals.
pub(super) fn deal_pipeline() -> Pipeline {
    pipeline("default", "Sales Pipeline", &DEAL_STAGES)
}

/// The support pipeline of tickets.
pub(super) fn ticket_pipeline() -> Pipeline {
    pipeline("0", "Support Pipeline", &TICKET_STAGES)
}

fn pipeline(id: &str, label: &str, stages: &[(&str, &str, &str)]) -> Pipeline {
    let stages = stages.iter().enumerate().map(|(order, (id, label, probability))| {
        let metadata = if probability.is_empty() {
            let closed = if *id == "4" { "CLOSED" } else { "OPEN" };
            [("ticketState".to_owned(), closed.to_owned())].into()
        } else {
            let closed = matches!(*probability, "1.0" | "0.0");
            [("isClosed".to_owned(), closed.to_string()), ("probability".to_owned(), (*probability).to_owned())].into()
        };
        Stage {
            id: (*id).to_owned(),
            label: (*label).to_owned(),
            order: order as i64,
            metadata,
            created: HIRED_MS,
            updated: HIRED_MS,
            archived: false,
        }
    });
    Pipeline {
        id: id.to_owned(),
        label: label.to_owned(),
        order: 0,
        stages: stages.collect(),
        created: HIRED_MS,
        updated: HIRED_MS,
        archived: false,
    }
}
