//! Refusals in the CRM's words (dossier 2.9).

use serde_json::{Map, Value as Json, json};

use crate::simulator::reply::Reply;

/// Why a request, or one input of a batch, is refused.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub status: u16,
    /// Empty where the CRM gives none.
    pub category: &'static str,
    pub sub_category: Option<&'static str>,
    pub message: String,
    pub context: Json,
    pub errors: Vec<Json>,
    pub links: Json,
}

impl Refusal {
    pub(super) fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Refusal {
            status,
            category,
            sub_category: None,
            message: message.into(),
            context: Json::Null,
            errors: Vec::new(),
            links: Json::Null,
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", "resource not found")
    }

    /// A path that leads nowhere.
    pub(super) fn nowhere() -> Self {
        Self::new(404, "", "resource not found")
    }

    pub(super) fn not_allowed() -> Self {
        Self::new(405, "", "Method Not Allowed")
    }

    /// A body that is not the JSON that is wanted.
    pub(super) fn malformed(detail: &str) -> Self {
        Self::new(400, "", format!("Invalid input JSON on line 1, column 1: {detail}"))
    }

    pub(super) fn with_context(mut self, name: &str, values: &[String]) -> Self {
        if !self.context.is_object() {
            self.context = json!({});
        }
        self.context[name] = json!(values);
        self
    }

    pub(super) fn sub(mut self, sub_category: &'static str) -> Self {
        self.sub_category = Some(sub_category);
        self
    }

    /// The whole answer.
    pub(super) fn reply(&self, correlation: &str) -> Reply {
        let mut body = Map::new();
        body.insert("status".to_owned(), json!("error"));
        body.insert("message".to_owned(), json!(self.message));
        body.insert("correlationId".to_owned(), json!(correlation));
        if !self.category.is_empty() {
            body.insert("category".to_owned(), json!(self.category));
        }
        if let Some(sub) = self.sub_category {
            body.insert("subCategory".to_owned(), json!(sub));
        }
        if self.context.is_object() {
            body.insert("context".to_owned(), self.context.clone());
        }
        if !self.errors.is_empty() {
            body.insert("errors".to_owned(), json!(self.errors));
        }
        if self.links.is_object() {
            body.insert("links".to_owned(), self.links.clone());
        }
        Reply::json(self.status, &Json::Object(body))
    }

    /// An entry of a batch's `errors` (dossier 2.9).
    pub(super) fn entry(&self, trace: Option<&str>) -> Json {
        let mut context = if self.context.is_object() { self.context.clone() } else { json!({}) };
        if let Some(trace) = trace {
            context["objectWriteTraceId"] = json!([trace]);
        }
        let mut entry = json!({ "status": "error", "category": self.category, "message": self.message,
                                "context": context, "links": {}, "errors": self.errors });
        if let Some(sub) = self.sub_category {
            entry["subCategory"] = json!(sub);
        }
        entry
    }
}
