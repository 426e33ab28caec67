// Sign-in, definitions, associations, owners, pipelines and limits by the unmodified client. What it needs: see simulator.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client } from "@hubspot/api-client";
import { ask, begun, client, control, fresh, refused, seen, url } from "./simulator.mjs";
import { problems } from "./validate.mjs";

let hub;
let token;
before(async () => ([hub, token] = await begun()));
after(() => assert.deepEqual(seen.wrong, [], "every answer is as the interface files say"));

const redirect = "http://127.0.0.1:9/callback";
const secrets = ["crosstie-demo", "crosstie-demo-secret"];
async function decide(decision, scope = "oauth crm.objects.contacts.read") {
  const form = new URLSearchParams({ client_id: secrets[0], redirect_uri: redirect, scope, state: "s&1", decision });
  const answer = await fetch(`${url}/oauth/authorize`, { method: "POST", body: form, redirect: "manual" });
  return new URL(answer.headers.get("location")).searchParams;
}

test("a planted error is found", () => {
  assert.notDeepEqual(problems("GET", `${url}/crm/v3/owners/`, 200, '{"results":[{"id":7}]}'), []);
  assert.notDeepEqual(problems("GET", `${url}/crm/v3/objects/contacts`, 200, '{"results":[{"id":"7","properties":{"a":1},"createdAt":"x","updatedAt":"y"}]}'), []);
  assert.deepEqual(problems("GET", `${url}/crm/v3/owners/`, 200, '{"results":[]}'), []);
});
test("the consent page allows, and its code becomes tokens once", async () => {
  const page = await (await fetch(`${url}/oauth/authorize?client_id=${secrets[0]}&redirect_uri=${redirect}&scope=oauth`)).text();
  assert.match(page, />Allow<\/button>/);
  const back = await decide("allow");
  assert.equal(back.get("state"), "s&1");
  const signedOut = new Client({ basePath: url });
  const tokens = await signedOut.oauth.tokensApi.create("authorization_code", back.get("code"), redirect, ...secrets);
  assert.equal(tokens.expiresIn, 1800);
  const again = await refused(signedOut.oauth.tokensApi.create("authorization_code", back.get("code"), redirect, ...secrets));
  assert.deepEqual([again.code, again.body.status], [400, "BAD_AUTH_CODE"]);
  const info = await signedOut.oauth.accessTokensApi.get(tokens.accessToken);
  assert.deepEqual(info.scopes, ["crm.objects.contacts.read", "oauth"]);
  const fresh = await signedOut.oauth.tokensApi.create("refresh_token", undefined, undefined, ...secrets, tokens.refreshToken);
  assert.equal(fresh.refreshToken, tokens.refreshToken);
  assert.equal((await signedOut.oauth.refreshTokensApi.get(tokens.refreshToken)).clientId, secrets[0]);
  await signedOut.oauth.refreshTokensApi.archive(tokens.refreshToken);
  const dead = await refused(signedOut.oauth.tokensApi.create("refresh_token", undefined, undefined, ...secrets, tokens.refreshToken));
  assert.equal(dead.body.status, "BAD_REFRESH_TOKEN");
});
test("PKCE may be required, and refresh tokens may rotate", async () => {
  await control("settings", { rotation: true, pkceRequired: true });
  assert.equal((await decide("allow")).get("error"), "invalid_request");
  const first = (await control("token", {})).refresh_token;
  const { tokensApi } = new Client({ basePath: url }).oauth;
  const renew = (token) => tokensApi.create("refresh_token", undefined, undefined, ...secrets, token);
  const second = (await renew(first)).refreshToken;
  assert.notEqual(second, first);
  assert.equal((await refused(renew(first))).body.status, "BAD_REFRESH_TOKEN");
  assert.notEqual((await renew(second)).refreshToken, second);
  await control("settings", { rotation: false, pkceRequired: false });
});
test("a denial comes back as one", async () => assert.equal((await decide("deny")).get("error"), "access_denied"));
test("an expired token is told from an unknown one", async () => {
  const short = await client();
  await control("token/expire");
  const expired = await refused(short.crm.contacts.basicApi.getPage(1));
  assert.deepEqual([expired.code, expired.body.category], [401, "EXPIRED_AUTHENTICATION"]);
  const unknown = await refused(new Client({ basePath: url, accessToken: "x" }).crm.contacts.basicApi.getPage(1));
  assert.equal(unknown.body.category, "INVALID_AUTHENTICATION");
  hub = await client();
  token = (await control("token", {})).access_token;
});
test("the newer token endpoint answers in the standard's words", async () => {
  const post = (path, form) => fetch(`${url}/oauth/${path}`, { method: "POST", body: new URLSearchParams({ client_id: secrets[0], client_secret: secrets[1], ...form }) });
  const dead = await (await post("2026-03/token", { grant_type: "refresh_token", refresh_token: "x" })).json();
  assert.deepEqual([dead.error, dead.status], ["invalid_grant", "BAD_REFRESH_TOKEN"]);
  const told = await (await post("v3/token/introspect", { token })).json();
  assert.deepEqual([told.active, told.token_use], [true, "access_token"]);
});
test("definitions are listed, made, changed and archived", async () => {
  const all = (await hub.crm.properties.coreApi.getAll("contacts")).results;
  const email = all.find(({ name }) => name === "email");
  assert.deepEqual([email.hasUniqueValue, email.modificationMetadata.readOnlyValue], [false, false]);
  const definition = { groupName: "contactinformation", name: "tier", label: "Tier", type: "enumeration", fieldType: "select", options: [{ label: "A", value: "a", hidden: false, displayOrder: 0 }] };
  assert.equal((await hub.crm.properties.coreApi.create("contacts", definition)).options[0].value, "a");
  assert.equal((await refused(hub.crm.properties.coreApi.create("contacts", definition))).code, 409);
  assert.equal((await hub.crm.properties.coreApi.update("contacts", "tier", { label: "Level" })).label, "Level");
  await hub.crm.properties.coreApi.archive("contacts", "tier");
  const gone = await refused(hub.crm.properties.coreApi.getByName("contacts", "tier"));
  assert.deepEqual([gone.code, gone.body.subCategory], [404, "PROPERTY_DOESNT_EXIST"]);
});
test("groups are listed and made", async () => {
  assert.equal((await hub.crm.properties.groupsApi.create("deals", { name: "ours", label: "Ours", displayOrder: 1 })).label, "Ours");
  assert.ok((await hub.crm.properties.groupsApi.getAll("deals")).results.some(({ name }) => name === "ours"));
});
async function pair() {
  const contact = await hub.crm.contacts.basicApi.create({ properties: { lastname: "P" }, associations: [] });
  const company = await hub.crm.companies.basicApi.create({ properties: { name: "P" }, associations: [] });
  return [contact.id, company.id];
}
test("the first company is the main one, the list tells its labels", async () => {
  const [contact, company] = await pair();
  await hub.crm.associations.v4.basicApi.createDefault("contacts", contact, "companies", company);
  const { results } = await hub.crm.associations.v4.basicApi.getPage("contacts", contact, "companies");
  assert.deepEqual(results.map((one) => [String(one.toObjectId), one.associationTypes.map(({ typeId }) => typeId)]), [[company, [1, 279]]]);
  const read = await hub.crm.contacts.basicApi.getById(contact, ["associatedcompanyid"]);
  assert.equal(read.properties.associatedcompanyid, company);
  await hub.crm.associations.v4.basicApi.archive("contacts", contact, "companies", company);
  assert.equal((await hub.crm.associations.v4.basicApi.getPage("contacts", contact, "companies")).results.length, 0);
});
test("a second main company takes the first one's place", async () => {
  const [contact, first] = await pair();
  const [, second] = await pair();
  const main = [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: 1 }];
  await hub.crm.associations.v4.basicApi.create("contacts", contact, "companies", first, main);
  await hub.crm.associations.v4.basicApi.create("contacts", contact, "companies", second, main);
  const read = await hub.crm.contacts.basicApi.getById(contact, ["associatedcompanyid"]);
  assert.equal(read.properties.associatedcompanyid, second);
});
test("associations in batches, and none is an error of its own", async () => {
  const [contact, company] = await pair();
  const [lonely] = await pair();
  const types = [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: 279 }];
  const made = await hub.crm.associations.v4.batchApi.create("contacts", "companies", { inputs: [{ _from: { id: contact }, to: { id: company }, types }] });
  assert.equal(made.results.length, 1);
  const read = await hub.crm.associations.v4.batchApi.getPage("contacts", "companies", { inputs: [{ id: contact }, { id: lonely }] });
  assert.deepEqual([String(read.results[0].to[0].toObjectId), read.errors.length], [company, 1]);
  await hub.crm.associations.v4.batchApi.archive("contacts", "companies", { inputs: [{ _from: { id: contact }, to: [{ id: company }] }] });
  assert.equal((await hub.crm.associations.v4.basicApi.getPage("contacts", contact, "companies")).results.length, 0);
});
test("labels of the account's own", async () => {
  const { results } = await hub.crm.associations.v4.schema.definitionsApi.create("contacts", "companies", { name: "advisor", label: "Advisor" });
  const [contact, company] = await pair();
  await hub.crm.associations.v4.basicApi.create("contacts", contact, "companies", company, [{ associationCategory: "USER_DEFINED", associationTypeId: results[0].typeId }]);
  const page = await hub.crm.associations.v4.basicApi.getPage("companies", company, "contacts");
  assert.ok(page.results[0].associationTypes.some(({ label }) => label === "Advisor"));
});
test("owners, by e-mail and by user id", async () => {
  const { results } = await hub.crm.owners.ownersApi.getPage("grace.okafor@kestrel.example");
  assert.deepEqual(results.map(({ lastName }) => lastName), ["Okafor"]);
  const one = await hub.crm.owners.ownersApi.getById(results[0].userId, "userId");
  assert.equal(one.id, results[0].id);
  assert.equal((await hub.crm.owners.ownersApi.getPage(undefined, undefined, 100, true)).results[0].userId, null);
});
test("pipelines and stages", async () => {
  const [sales] = (await hub.crm.pipelines.pipelinesApi.getAll("deals")).results;
  assert.deepEqual(sales.stages.find(({ id }) => id === "closedwon").metadata, { isClosed: "true", probability: "1.0" });
  const made = await hub.crm.pipelines.pipelinesApi.create("deals", { label: "Other", displayOrder: 1, stages: [{ label: "New", displayOrder: 0, metadata: { probability: "0.5" } }] });
  const deal = await hub.crm.deals.basicApi.create({ properties: { dealname: "S", dealstage: made.stages[0].id }, associations: [] });
  assert.equal(deal.properties.pipeline, made.id);
  const used = await refused(hub.crm.pipelines.pipelineStagesApi.archive("deals", made.id, made.stages[0].id));
  assert.equal(used.body.subCategory, "PipelineError.STAGE_ID_IN_USE");
});
test("the account and its schemas", async () => {
  assert.equal((await ask(token, "GET", "/account-info/v3/details")).body.uiDomain, "app.hubspot.com");
  assert.deepEqual((await hub.crm.schemas.coreApi.getAll()).results, []);
});
test("what is left of the limit is told, and past it 429", async () => {
  await control("limits", { burst: { count: 2, perMs: 600000 } });
  const first = await ask(token, "GET", "/crm/v3/objects/contacts?limit=1");
  assert.deepEqual([first.headers.get("x-hubspot-ratelimit-max"), first.headers.get("x-hubspot-ratelimit-remaining")], ["2", "1"]);
  await ask(token, "GET", "/crm/v3/owners/");
  const over = await ask(token, "GET", "/account-info/v3/details");
  assert.deepEqual([over.status, over.body.errorType, over.body.policyName], [429, "RATE_LIMIT", "TEN_SECONDLY_ROLLING"]);
  await control("limits", { burst: null, search: { count: 1, perMs: 600000 } });
  const search = () => ask(token, "POST", "/crm/v3/objects/companies/search", { limit: 1 });
  assert.equal((await search()).headers.get("x-hubspot-ratelimit-max"), null);
  assert.equal((await search()).body.message, "You have reached your secondly limit.");
  await control("limits", { search: null, daily: 1 });
  await ask(token, "GET", "/account-info/v3/details");
  assert.equal((await ask(token, "GET", "/account-info/v3/details")).body.policyName, "DAILY");
  await control("limits", { daily: null });
});
test("the control interface edits as a colleague and counts", async () => {
  await control("stats", undefined, "DELETE");
  const { id } = await control("edit", { object: "contacts", fields: { lastname: "Edited" } });
  const read = await hub.crm.contacts.basicApi.getById(id, ["lastname", "hs_object_source"]);
  assert.deepEqual([read.properties.lastname, read.properties.hs_object_source], ["Edited", "CRM_UI"]);
  const stats = await control("stats", undefined, "GET");
  assert.deepEqual([stats.calls, stats.byOperation.get], [1, 1]);
  await control("faults", { rules: [{ match: { operation: "get" }, fault: "status", status: 423, times: 1 }] });
  assert.equal((await ask(token, "GET", `/crm/v3/objects/contacts/${id}`)).status, 423);
  assert.equal((await ask(token, "GET", `/crm/v3/objects/contacts/${id}`)).status, 200);
});
