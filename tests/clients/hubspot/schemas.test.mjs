// Types of the account's own and their records by the unmodified client. What it needs: see simulator.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, begun, checked, refused } from "./simulator.mjs";

let hub;
let token;
before(async () => ([hub, token] = await begun()));
after(() => checked(30));

const text = (name, more = {}) => ({ name, label: name, type: "string", fieldType: "text", ...more });
const car = {
  name: "car",
  labels: { singular: "Car", plural: "Cars" },
  primaryDisplayProperty: "model",
  requiredProperties: ["model"],
  searchableProperties: ["model"],
  secondaryDisplayProperties: [],
  properties: [text("model"), text("vin", { hasUniqueValue: true }), text("year", { type: "number", fieldType: "number" })],
  associatedObjects: ["CONTACT"],
};
const api = () => hub.crm.schemas.coreApi;

test("a type is defined, found by each of its names, and listed", async () => {
  const made = await api().create(car);
  assert.match(made.objectTypeId, /^2-\d+$/);
  assert.equal(made.fullyQualifiedName, "p48011001_car");
  assert.ok(made.createdAt instanceof Date);
  for (const name of ["car", made.fullyQualifiedName, made.objectTypeId]) assert.equal((await api().getById(name)).id, made.id);
  assert.deepEqual((await api().getAll()).results.map(({ name }) => name), ["car"]);
  assert.deepEqual((await ask(token, "GET", "/crm/v3/schemas")).body.results.map(({ name }) => name), ["car"]);
  assert.equal((await refused(api().create(car))).code, 409);
  assert.equal((await refused(api().getById("boat"))).code, 404);
});
test("it is changed", async () => {
  const changed = await api().update("car", { labels: { singular: "Car", plural: "Vehicles" }, searchableProperties: ["model", "vin"] });
  assert.deepEqual([changed.labels.plural, changed.searchableProperties], ["Vehicles", ["model", "vin"]]);
  assert.equal((await refused(api().update("car", { requiredProperties: ["wings"] }))).code, 400);
});
for (const spelling of ["car", "p48011001_car", "p_car"]) {
  test(`its records are as others: ${spelling}`, async () => {
    const { basicApi, batchApi, searchApi } = hub.crm.objects;
    const made = await basicApi.create(spelling, { properties: { model: `Beetle ${spelling}`, vin: `one ${spelling}`, year: "1967" }, associations: [] });
    assert.equal((await basicApi.update(spelling, made.id, { properties: { year: "1968" } })).properties.year, "1968");
    const read = await basicApi.getById(spelling, `one ${spelling}`, ["year"], undefined, undefined, false, "vin");
    assert.deepEqual([read.id, read.properties.year], [made.id, "1968"]);
    const many = await batchApi.create(spelling, { inputs: [{ properties: { model: "Mini" }, associations: [] }, { properties: { model: "Maxi" }, associations: [] }] });
    assert.deepEqual(many.results.map(({ properties }) => properties.model), ["Mini", "Maxi"]);
    const found = await searchApi.doSearch(spelling, { query: spelling, limit: 10, after: 0, sorts: [], properties: ["vin"], filterGroups: [] });
    assert.deepEqual(found.results.map(({ id }) => id), [made.id]);
    await batchApi.archive(spelling, { inputs: many.results.map(({ id }) => ({ id })) });
    assert.equal((await basicApi.getPage(spelling)).results.some(({ id }) => id === many.results[0].id), false);
    assert.equal((await refused(basicApi.create(spelling, { properties: { year: "1" }, associations: [] }))).code, 400);
    await basicApi.archive(spelling, made.id);
  });
}
test("its properties are defined like others", async () => {
  const made = await hub.crm.properties.coreApi.create("car", text("colour", { groupName: "car_information" }));
  assert.equal(made.groupName, "car_information");
  assert.ok((await api().getById("car")).properties.some(({ name }) => name === "colour"));
});
test("its records are associated, and its associations are defined and end", async () => {
  const { objectTypeId } = await api().getById("car");
  const made = await hub.crm.objects.basicApi.create("car", { properties: { model: "Driven" }, associations: [] });
  const contact = await hub.crm.contacts.basicApi.create({ properties: { lastname: "Driver" }, associations: [] });
  await hub.crm.associations.v4.basicApi.createDefault("contacts", contact.id, objectTypeId, made.id);
  const linked = await hub.crm.associations.v4.basicApi.getPage("car", made.id, "contacts");
  assert.deepEqual(linked.results.map(({ toObjectId }) => String(toObjectId)), [contact.id]);
  const deals = await api().createAssociation("car", { fromObjectTypeId: objectTypeId, toObjectTypeId: "0-3", name: "car_to_deal" });
  assert.equal(deals.toObjectTypeId, "0-3");
  await api().archiveAssociation("car", deals.id);
  assert.equal((await refused(api().archiveAssociation("car", deals.id))).code, 404);
  await hub.crm.objects.basicApi.archive("car", made.id);
});
test("a type with records stays, one without is archived", async () => {
  const made = await hub.crm.objects.basicApi.create("car", { properties: { model: "Last" }, associations: [] });
  assert.equal((await refused(api().archive("car"))).code, 400);
  await hub.crm.objects.basicApi.archive("car", made.id);
  await api().archive("car");
  assert.equal((await refused(api().getById("car"))).code, 404);
  assert.deepEqual((await api().getAll(true)).results.map(({ name, archived }) => [name, archived]), [["car", true]]);
  await api().archive("car", true);
  assert.equal((await api().create(car)).name, "car");
});
