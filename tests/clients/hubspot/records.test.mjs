// Companies, contacts, deals and notes by the unmodified client. What it needs: see simulator.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, begun, checked, client, control, refused, url } from "./simulator.mjs";

let hub;
let token;
before(async () => ([hub, token] = await begun()));
after(() => checked(60));

const kinds = [
  { name: "companies", api: () => hub.crm.companies, given: { name: "Kestrel", domain: "Kestrel.example" }, key: "name", kept: { domain: "kestrel.example" } },
  { name: "contacts", api: () => hub.crm.contacts, given: { email: "Ann@Kestrel.example", firstname: "Ann" }, key: "firstname", kept: { email: "ann@kestrel.example" } },
  { name: "deals", api: () => hub.crm.deals, given: { dealname: "Order", dealstage: "qualifiedtobuy", amount: "12.50" }, key: "dealname", kept: { pipeline: "default", amount: "12.50" } },
];
for (const { name, api, given, key, kept } of kinds) {
  const many = (count) => Array.from({ length: count }, (_, i) => ({ properties: { ...given, [key]: `many ${i}`, ...(given.email && { email: `many${i}@kestrel.example` }) }, associations: [] }));
  test(`${name}: create, read, update, archive`, async () => {
    const made = await api().basicApi.create({ properties: given, associations: [] });
    for (const [property, value] of Object.entries(kept)) assert.equal(made.properties[property], value);
    const read = await api().basicApi.getById(made.id, [key, "nobody_defined_this"]);
    assert.equal(read.properties[key], given[key]);
    assert.ok(!("nobody_defined_this" in read.properties));
    const changed = await api().basicApi.update(made.id, { properties: { [key]: "Other" } });
    assert.equal(changed.properties[key], "Other");
    await api().basicApi.archive(made.id);
    assert.equal((await refused(api().basicApi.getById(made.id))).code, 404);
    const archived = await api().basicApi.getById(made.id, undefined, undefined, undefined, true);
    assert.equal(archived.archived, true);
    await api().basicApi.archive(made.id);
  });
  test(`${name}: pages end and meet each record once`, async () => {
    const all = await api().getAll(7);
    assert.equal(all.length, new Set(all.map((one) => one.id)).size);
    const page = await api().basicApi.getPage(5);
    assert.equal(page.results.length, 5);
    assert.ok(page.paging.next.link.startsWith(url));
  });
  test(`${name}: batch create, read, update, archive`, async () => {
    const made = await api().batchApi.create({ inputs: many(3) });
    assert.equal(made.results.length, 3);
    const ids = made.results.map(({ id }) => ({ id }));
    const read = await api().batchApi.read({ inputs: [...ids, { id: "1" }], properties: [key], propertiesWithHistory: [] });
    assert.equal(read.results.length, 3);
    assert.deepEqual(read.errors[0].context.ids, ["1"]);
    const changed = await api().batchApi.update({ inputs: ids.map((one) => ({ ...one, properties: { [key]: "All" } })) });
    assert.deepEqual(changed.results.map((one) => one.properties[key]), ["All", "All", "All"]);
    await api().batchApi.archive({ inputs: ids });
    const gone = await api().batchApi.read({ inputs: ids, properties: [key], propertiesWithHistory: [] });
    assert.equal(gone.results.length, 0);
  });
  test(`${name}: with trace ids a batch succeeds in part, without them not at all`, async () => {
    const inputs = many(2);
    inputs[1].properties.nobody_defined_this = "x";
    const whole = await refused(api().batchApi.create({ inputs }));
    assert.equal(whole.code, 400);
    const part = await api().batchApi.create({ inputs: inputs.map((one, i) => ({ ...one, objectWriteTraceId: `t${i}` })) });
    assert.equal(part.results.length, 1);
    assert.deepEqual(part.errors[0].context.objectWriteTraceId, ["t1"]);
    await api().batchApi.archive({ inputs: part.results.map(({ id }) => ({ id })) });
  });
  test(`${name}: a hundred and one inputs are too many`, async () => {
    assert.equal((await refused(api().batchApi.create({ inputs: many(101) }))).code, 400);
  });
  test(`${name}: upsert by a unique property`, async () => {
    const definition = { groupName: { companies: "companyinformation", contacts: "contactinformation", deals: "dealinformation" }[name], name: "own_key", label: "Own key", type: "string", fieldType: "text", hasUniqueValue: true };
    await hub.crm.properties.coreApi.create(name, definition);
    const input = (value) => ({ inputs: [{ id: "K-1", idProperty: "own_key", properties: { ...given, ...(given.email && { email: "upsert@kestrel.example" }), [key]: value } }] });
    const first = await api().batchApi.upsert(input("One"));
    assert.equal(first.results[0]._new ?? first.results[0].new, true);
    const second = await api().batchApi.upsert(input("Two"));
    assert.equal(second.results[0]._new ?? second.results[0].new, false);
    assert.equal(second.results[0].id, first.results[0].id);
    const read = await api().basicApi.getById("K-1", [key], undefined, undefined, false, "own_key");
    assert.equal(read.properties[key], "Two");
    const twin = await refused(api().basicApi.create({ properties: { ...given, ...(given.email && { email: "twin@kestrel.example" }), own_key: "K-1" }, associations: [] }));
    assert.equal(twin.body.errors[0].code, "CONFLICTING_UNIQUE_VALUE");
  });
  test(`${name}: history, newest first`, async () => {
    const made = await api().basicApi.create({ properties: { ...given, ...(given.email && { email: "history@kestrel.example" }), [key]: "First" }, associations: [] });
    await control("edit", { object: name, id: made.id, fields: { [key]: "Second" } });
    const read = await api().basicApi.getById(made.id, undefined, [key]);
    const versions = read.propertiesWithHistory[key];
    assert.deepEqual(versions.map((one) => [one.value, one.sourceType]), [["Second", "CRM_UI"], ["First", "INTEGRATION"]]);
  });
  test(`${name}: search by value, sorted, paged`, async () => {
    const wanted = { filterGroups: [{ filters: [{ propertyName: key, operator: "HAS_PROPERTY" }] }], sorts: ["hs_object_id"], properties: [key], limit: 3, after: "0", query: "" };
    const first = await api().searchApi.doSearch(wanted);
    assert.equal(first.results.length, 3);
    assert.equal(first.paging.next.after, "3");
    const second = await api().searchApi.doSearch({ ...wanted, after: first.paging.next.after });
    assert.ok(Number(second.results[0].id) > Number(first.results[2].id));
    const one = await api().searchApi.doSearch({ ...wanted, filterGroups: [{ filters: [{ propertyName: "hs_object_id", operator: "EQ", value: first.results[1].id }] }] });
    assert.deepEqual(one.results.map(({ id }) => id), [first.results[1].id]);
  });
  test(`${name}: search refuses what it does not know`, async () => {
    const search = (filters, more = {}) => refused(api().searchApi.doSearch({ filterGroups: [{ filters }], sorts: [], properties: [], limit: 10, after: "0", query: "", ...more }));
    assert.equal((await search([{ propertyName: "nope", operator: "EQ", value: "x" }])).code, 400);
    assert.equal((await search([{ propertyName: key, operator: "LIKE", value: "x" }])).code, 400);
    assert.equal((await search([], { limit: 201 })).code, 400);
    assert.equal((await search([], { limit: 100, after: "9950" })).code, 400);
    assert.equal((await search(Array(7).fill({ propertyName: key, operator: "HAS_PROPERTY" }))).code, 400);
  });
  test(`${name}: merge keeps one and leads there`, async () => {
    const made = await api().batchApi.create({ inputs: many(2) });
    const [a, b] = made.results.map(({ id }) => id);
    const kept = await ask(token, "POST", `/crm/v3/objects/${name}/merge`, { primaryObjectId: a, objectIdToMerge: b });
    assert.deepEqual([kept.status, kept.body.id], [200, a]);
    assert.equal((await api().basicApi.getById(b, ["hs_merged_object_ids"])).properties.hs_merged_object_ids, b);
    await api().basicApi.archive(a);
  });
  test(`${name}: the dated paths share the store`, async () => {
    const dated = await ask(token, "GET", `/crm/objects/2026-03/${name}?limit=2`);
    const v3 = await ask(token, "GET", `/crm/v3/objects/${name}/?limit=2`);
    assert.deepEqual(dated.body.results, v3.body.results);
  });
}

test("values are kept as the CRM keeps them", async () => {
  const { id } = await hub.crm.deals.basicApi.create({ properties: { dealname: "V", dealstage: "closedwon", closedate: "1582947017000", amount: 7 }, associations: [] });
  const read = await hub.crm.deals.basicApi.getById(id, ["closedate", "amount", "hs_is_closed_won", "hs_next_step"]);
  assert.equal(read.properties.closedate, "2020-02-29T03:30:17.000Z");
  assert.equal(read.properties.amount, "7");
  assert.equal(read.properties.hs_is_closed_won, "true");
  assert.equal(read.properties.hs_next_step, null);
  const cleared = await hub.crm.deals.basicApi.update(id, { properties: { amount: "" } });
  assert.equal(cleared.properties.amount, null);
});
for (const [property, value, code] of [["nope", "x", "PROPERTY_DOESNT_EXIST"], ["hs_object_id", "7", "READ_ONLY_VALUE"], ["amount", "many", "INVALID_INTEGER"], ["dealstage", "nowhere", "INVALID_OPTION"], ["closedate", "soon", "INVALID_LONG"], ["hubspot_owner_id", "1", "INVALID_OPTION"]]) {
  test(`${property}: ${value} is refused as ${code}`, async () => {
    const { code: status, body } = await refused(hub.crm.deals.basicApi.create({ properties: { dealname: "R", dealstage: "closedwon", [property]: value }, associations: [] }));
    assert.deepEqual([status, body.category, body.errors[0].code, body.errors[0].context.propertyName], [400, "VALIDATION_ERROR", code, [property]]);
  });
}
test("an address is one contact's", async () => {
  const { id } = await hub.crm.contacts.basicApi.create({ properties: { email: "one@kestrel.example" }, associations: [] });
  const { code, body } = await refused(hub.crm.contacts.basicApi.create({ properties: { email: "ONE@kestrel.example" }, associations: [] }));
  assert.deepEqual([code, body.category, body.message], [409, "CONFLICT", `Contact already exists. Existing ID: ${id}`]);
  const read = await hub.crm.contacts.basicApi.getById("one@kestrel.example", ["email"], undefined, undefined, false, "email");
  assert.equal(read.id, id);
  const odd = await refused(hub.crm.companies.basicApi.getById("kestrel.example", undefined, undefined, undefined, false, "domain"));
  assert.match(odd.body.message, /non-unique 0-2 property domain/);
});
test("an erased contact is gone", async () => {
  const { id } = await hub.crm.contacts.basicApi.create({ properties: { email: "erase@kestrel.example" }, associations: [] });
  const gone = await ask(token, "POST", "/crm/v3/objects/contacts/gdpr-delete", { objectId: "erase@kestrel.example", idProperty: "email" });
  assert.equal(gone.status, 204);
  const after = await ask(token, "GET", `/crm/v3/objects/contacts/${id}?archived=True`);
  assert.equal(after.status, 404);
});
test("a lifecycle goes forward only", async () => {
  const { id } = await hub.crm.companies.basicApi.create({ properties: { name: "L", lifecyclestage: "customer" }, associations: [] });
  const back = await hub.crm.companies.basicApi.update(id, { properties: { lifecyclestage: "lead" } });
  assert.equal(back.properties.lifecyclestage, "customer");
});
test("a note hangs on its deal", async () => {
  const deal = await hub.crm.deals.basicApi.create({ properties: { dealname: "N", dealstage: "closedwon" }, associations: [] });
  const note = await hub.crm.objects.notes.basicApi.create({ properties: { hs_timestamp: "2024-01-02T03:04:05Z", hs_note_body: "<p>Hi</p>" }, associations: [{ to: { id: deal.id }, types: [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: 214 }] }] });
  const read = await hub.crm.objects.notes.basicApi.getById(note.id, ["hs_note_body"], undefined, ["deals"]);
  assert.deepEqual(read.associations.deals.results.map(({ id, type }) => [id, type]), [[deal.id, "note_to_deal"]]);
  assert.equal((await refused(hub.crm.objects.notes.basicApi.create({ properties: { hs_note_body: "x" }, associations: [] }))).code, 400);
});
test("unknown types and malformed bodies are refused", async () => {
  assert.equal((await refused(hub.crm.objects.basicApi.getPage("widgets"))).body.message, "Unable to infer object type from: widgets");
  assert.equal((await refused(hub.crm.objects.basicApi.getPage("0-9999"))).body.message, "Invalid object or event type id: 0-9999");
  assert.equal((await ask(token, "POST", "/crm/v3/objects/contacts", "{")).status, 400);
  assert.equal((await ask(token, "POST", "/crm/v3/objects/contacts", { properties: [] })).status, 400);
  assert.equal((await ask(token, "PUT", "/crm/v3/objects/contacts", {})).status, 405);
  assert.equal((await ask(token, "GET", "/crm/v3/nothing")).status, 404);
  assert.equal((await ask(token, "GET", "/crm/v3/objects/contacts?after=zzz")).status, 400);
});
test("a lagging index finds a record later", async () => {
  await control("settings", { searchLagMs: 60000 });
  const made = await hub.crm.contacts.basicApi.create({ properties: { email: "lag@kestrel.example" }, associations: [] });
  const search = () => hub.crm.contacts.searchApi.doSearch({ filterGroups: [{ filters: [{ propertyName: "email", operator: "EQ", value: "lag@kestrel.example" }] }], sorts: [], properties: [], limit: 1, after: "0", query: "" });
  assert.equal((await search()).total, 0);
  await control("clock", { advanceMs: 61000 });
  assert.deepEqual((await search()).results.map(({ id }) => id), [made.id]);
  await control("settings", { searchLagMs: 0 });
});
test("a token without the scope is refused with its name", async () => {
  const reader = await client("oauth crm.objects.contacts.read");
  assert.equal((await reader.crm.contacts.basicApi.getPage(1)).results.length, 1);
  const { code, body } = await refused(reader.crm.deals.basicApi.getPage(1));
  assert.deepEqual([code, body.category, body.errors[0].context.requiredGranularScopes], [403, "MISSING_SCOPES", ["crm.objects.deals.read"]]);
});
