// Webhooks by the unmodified client: settings, subscriptions, and requests that its own check of signatures accepts.
// What it needs: see simulator.mjs.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { Client, Signature } from "@hubspot/api-client";
import { ask, control, fresh, refused, seen, url } from "./simulator.mjs";

const app = 2004801;
const clientSecret = "crosstie-demo-secret";
const hours = 3_600_000;
let hub;
let receiver;
let settings;
let subscriptions;
before(async () => {
  hub = await fresh();
  const { webhooks } = new Client({ developerApiKey: "crosstie-demo-developer-key", basePath: url });
  settings = webhooks.settingsApi;
  subscriptions = webhooks.subscriptionsApi;
  receiver = await receive();
});
after(() => {
  receiver.close();
  assert.deepEqual(seen.wrong, [], "every answer is as the interface files say");
  assert.ok(seen.checked > 15, `${seen.checked} answers were checked`);
});

/** A receiver of events; `next` is a promise of the next request. */
async function receive() {
  const arrived = [];
  const waiting = [];
  const made = {
    status: 204,
    next: () => new Promise((resolve) => (arrived.length ? resolve(arrived.shift()) : waiting.push(resolve))),
    close: () => server.close(),
  };
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts).toString();
      const seen = { method: request.method, headers: request.headers, body, events: JSON.parse(body) };
      response.writeHead(made.status, { connection: "close" }).end();
      waiting.length ? waiting.shift()(seen) : arrived.push(seen);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  made.url = `http://127.0.0.1:${server.address().port}/hooks/hubspot?from=here`;
  return made;
}

const aim = () => settings.configure(app, { targetUrl: receiver.url, throttling: { maxConcurrentRequests: 10 } });
const property = (name) => ({ eventType: "contact.propertyChange", propertyName: name, active: true });

test("a target is set, told and taken away", async () => {
  assert.equal((await refused(settings.getAll(app))).code, 404);
  const few = await refused(settings.configure(app, { targetUrl: receiver.url, throttling: { maxConcurrentRequests: 5 } }));
  assert.deepEqual([few.code, few.body.category], [400, "VALIDATION_ERROR"]);
  assert.equal((await aim()).targetUrl, receiver.url);
  const told = await settings.getAll(app);
  assert.equal(told.throttling.maxConcurrentRequests, 10);
  assert.ok(told.createdAt instanceof Date);
  await settings.clear(app);
  assert.equal((await refused(settings.getAll(app))).code, 404);
});
test("subscriptions are made, listed, switched and ended", async () => {
  const made = await subscriptions.create(app, { ...property("phone"), active: false });
  assert.deepEqual([made.eventType, made.propertyName, made.active], ["contact.propertyChange", "phone", false]);
  assert.equal((await refused(subscriptions.create(app, property("phone")))).code, 409);
  assert.equal((await refused(subscriptions.create(app, { eventType: "contact.birthday" }))).code, 400);
  assert.equal((await refused(subscriptions.create(app, property("hs_lastmodifieddate")))).code, 400);
  const id = Number(made.id);
  assert.equal((await subscriptions.update(id, app, { active: true })).active, true);
  const batch = await subscriptions.updateBatch(app, { inputs: [{ id, active: false }] });
  assert.deepEqual([batch.status, batch.results[0].active], ["COMPLETE", false]);
  const part = await subscriptions.updateBatch(app, { inputs: [{ id, active: true }, { id: 999, active: true }] });
  assert.deepEqual([part.results.length, part.numErrors], [1, 1]);
  assert.equal((await subscriptions.getById(id, app)).active, true);
  assert.deepEqual((await subscriptions.getAll(app)).results.map((one) => one.id), [made.id]);
  await subscriptions.archive(id, app);
  assert.equal((await refused(subscriptions.getById(id, app))).code, 404);
});
test("without the developer's key there is no way in", async () => {
  const stranger = new Client({ developerApiKey: "guessed", basePath: url });
  assert.equal((await refused(stranger.webhooks.settingsApi.getAll(app))).body.category, "INVALID_AUTHENTICATION");
  const { access_token: token } = await control("token", { scope: "oauth developers-read" });
  assert.equal((await ask(token, "GET", `/webhooks/v3/${app}/subscriptions`)).status, 200);
  assert.equal((await ask(token, "GET", `/webhooks/2026-03/${app}/subscriptions`)).status, 200);
  assert.equal((await ask(token, "POST", `/webhooks/v3/${app}/subscriptions`, property("phone"))).status, 403);
});
test("what happens arrives with signatures that the client accepts", async () => {
  await aim();
  await subscriptions.create(app, { eventType: "contact.creation", active: true });
  await subscriptions.create(app, property("lastname"));
  const { id } = await hub.crm.contacts.basicApi.create({ properties: { lastname: "Zoë" }, associations: [] });
  const { method, headers, body, events } = await receiver.next();
  const given = { clientSecret, requestBody: body, method, url: receiver.url };
  assert.equal(headers["x-hubspot-signature-version"], "v1");
  const signature = headers["x-hubspot-signature"];
  assert.equal(Signature.isValid({ ...given, signature }), true);
  assert.equal(Signature.isValid({ ...given, signature, requestBody: `${body} ` }), false);
  const newest = { ...given, signatureVersion: "v3", signature: headers["x-hubspot-signature-v3"] };
  const timestamp = Number(headers["x-hubspot-request-timestamp"]);
  assert.equal(Signature.isValid({ ...newest, timestamp }), true);
  assert.equal(Signature.isValid({ ...newest, timestamp: timestamp + 1 }), false);
  assert.deepEqual(events.map((event) => event.subscriptionType).sort(), ["contact.creation", "contact.propertyChange"]);
  for (const event of events) assert.deepEqual([event.objectId, event.appId, event.changeSource], [Number(id), app, "API"]);
  await control("edit", { object: "contacts", id, fields: { lastname: "Ångström" }, user: "Grace Okafor" });
  const [told] = (await receiver.next()).events;
  assert.deepEqual([told.propertyValue, told.changeSource, told.sourceId], ["Ångström", "CRM_UI", "userId:9586506"]);
});
test("what is refused comes again, and what was taken does not", async () => {
  const { id } = await control("edit", { object: "contacts", fields: { firstname: "Nobody" } });
  await receiver.next();
  receiver.status = 503;
  await control("edit", { object: "contacts", id, fields: { lastname: "Late" } });
  assert.equal((await receiver.next()).events[0].attemptNumber, 0);
  receiver.status = 200;
  await control("clock", { advanceMs: 12 * hours });
  const [again] = (await receiver.next()).events;
  assert.deepEqual([again.attemptNumber, again.propertyValue], [1, "Late"]);
  await control("clock", { advanceMs: 12 * hours });
  await control("edit", { object: "contacts", id, fields: { lastname: "Later" } });
  assert.equal((await receiver.next()).events[0].propertyValue, "Later");
});
