//! Bad input: whatever comes, the answer is a refusal, never a crash.

use proptest::prelude::*;

use super::*;

fn put(account: &mut Account, method: &str, path: &str, query: &str, body: &[u8]) -> Reply {
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("AUTHORIZATION", format!("bearer {}", account.token).parse().expect("a header"));
    let asked = Asked {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.to_vec(),
    };
    // What a served request goes through besides.
    let _ = (Portal::operation(&asked), Portal::shown(&asked));
    if path.starts_with("/_simulator") || path == "/" {
        commands::answer(&mut account.portal, &asked)
    } else {
        account.portal.answer(&asked)
    }
}

const PATHS: [&str; 28] = [
    "/crm/v3/objects/contacts",
    "/crm/v3/objects/contacts/search",
    "/crm/v3/objects/deals/batch/read",
    "/crm/v3/objects/companies/batch/create",
    "/crm/v3/objects/contacts/batch/upsert",
    "/crm/v3/objects/contacts/merge",
    "/crm/v3/objects/contacts/gdpr-delete",
    "/crm/v4/associations/contacts/companies/batch/create",
    "/crm/v4/associations/contacts/companies/labels",
    "/crm/v3/properties/contacts",
    "/crm/v3/properties/deals/groups",
    "/crm/v3/pipelines/deals",
    "/oauth/v1/token",
    "/oauth/2026-03/token/introspect",
    "/files/v3/files",
    "/files/v3/folders",
    "/webhooks/v3/2004801/subscriptions",
    "/webhooks/v3/2004801/subscriptions/batch/update",
    "/webhooks/2026-03/2004801/settings",
    "/webhooks-journal/subscriptions/2026-03",
    "/webhooks-journal/subscriptions/2026-03/filters",
    "/webhooks-journal/journal/2026-03/batch/read",
    "/webhooks-journal/snapshots/2026-03/crm",
    "/crm/v3/schemas",
    "/crm-object-schemas/2026-03/schemas/car/associations",
    "/_simulator/edit",
    "/_simulator/webhooks",
    "/_simulator/settings",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_end_in_a_crash(
        path in prop::sample::select(PATHS.to_vec()),
        body in prop::collection::vec(any::<u8>(), 0..200),
        query in "[ -~]{0,40}",
    ) {
        let reply = put(&mut account(&small()), "POST", path, &query, &body);
        prop_assert!(reply.status < 500, "{path}: {}", reply.body);
    }

    #[test]
    fn no_json_ends_in_a_crash(
        path in prop::sample::select(PATHS.to_vec()),
        method in prop::sample::select(vec!["POST", "PUT", "PATCH"]),
        name in prop::sample::select(vec![
            "inputs", "properties", "filterGroups", "filters", "sorts", "limit", "after", "query", "primaryObjectId", "label", "name",
            "stages", "options", "labels", "requiredProperties", "object", "fields", "objectId", "associations", "id", "searchLagMs", "snapshotRequests", "filter", "subscriptionType",
        ]),
        value in prop::sample::select(vec![
            "1", "-1", "1e999", "null", "[]", "{}", "[1]", "[{}]", "[[]]", "\"x\"", "true", "[{\"id\":1e99}]", "[{\"filters\":[{}]}]",
            "[{\"propertyName\":\"email\",\"operator\":\"IN\",\"values\":[1]}]", "{\"email\":[]}", "{\"a\":\"b\"}", "18446744073709551615",
            "[{\"id\":\"101\",\"properties\":{\"lifecyclestage\":\";;\",\"closedate\":\"999999999999999\"}}]",
            "[{\"from\":{\"id\":\"101\"},\"to\":{\"id\":9000000001},\"types\":[{\"associationTypeId\":99999999999}]}]",
            "[{\"propertyName\":\"lastmodifieddate\",\"operator\":\"BETWEEN\",\"value\":\"9\",\"highValue\":\"1\"}]",
        ]),
    ) {
        let body = format!("{{\"{name}\":{value}}}");
        let reply = put(&mut account(&small()), method, path, "", body.as_bytes());
        prop_assert!(reply.status < 500, "{path} {body}: {}", reply.body);
    }

    #[test]
    fn no_path_ends_in_a_crash(
        method in prop::sample::select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
        path in prop::collection::vec(prop::sample::select(vec![
            "crm", "v3", "v4", "2026-03", "objects", "contacts", "0-2", "101", "associations", "companies", "9000000001", "default",
            "batch", "read", "labels", "properties", "groups", "email", "pipelines", "deals", "stages", "owners", "oauth", "v1", "token",
            "access-tokens", "authorize", "files", "search", "stat", "signed-url", "folders", "hubfs", "48011001", "_simulator", "records", "stats", "definitions", "configurations", "all", "%F0%9F", "..", "", "é",
        ]), 0..9),
        query in prop::sample::select(vec![
            "", "limit=0", "limit=99999999999999999999", "after=-1", "archived=maybe", "idProperty=email", "object=contacts&id=x",
            "properties=,,&associations=nope", "redirect_uri=x&client_id=crosstie-demo", "%00=%ff",
        ]),
    ) {
        let reply = put(&mut account(&small()), method, &format!("/{}", path.join("/")), query, b"");
        prop_assert!(reply.status < 500, "{method} {path:?}: {}", reply.body);
    }
}
