// Dependent picklists through jsforce 3.10.16, unmodified.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { fresh, refused, version } from './simulator.mjs';

let connection;
before(async () => (connection = await fresh()));

const projects = () => connection.sobject('Project__c');

/** The controlling values that go with a value: bit n of its bytes, the highest of each first. */
function goesWith(option, controlling) {
  const bytes = Buffer.from(option.validFor, 'base64');
  return controlling.filter((_, place) => bytes[place >> 3] & (0x80 >> (place & 7))).map(({ value }) => value);
}

test('describe tells which values go together', async () => {
  const { fields } = await connection.describe('Project__c');
  const field = (name) => fields.find((field) => field.name === name);
  const material = field('Material__c');
  assert.deepEqual([material.dependentPicklist, material.controllerName, material.restrictedPicklist], [true, 'Trade__c', true]);
  const controlling = field(material.controllerName).picklistValues;
  const pairs = Object.fromEntries(material.picklistValues.map((option) => [option.value, goesWith(option, controlling)]));
  assert.deepEqual([pairs.Tile, pairs.Glass, pairs.Sealant],
    [['Roofing'], ['Solar', 'Facade'], ['Roofing', 'Solar', 'Facade']]);
});

test('values that go together are taken, others are not', async () => {
  const made = await projects().create({ Name: 'Roof', Trade__c: 'Roofing', Material__c: 'Slate' });
  assert.equal(made.success, true);
  await projects().update({ Id: made.id, Trade__c: 'Facade' });
  await assert.rejects(projects().update({ Id: made.id, Trade__c: 'Solar' }), refused('FIELD_INTEGRITY_EXCEPTION', 'Slate'));
  await assert.rejects(projects().create({ Name: 'x', Trade__c: 'Solar', Material__c: 'Tile' }), refused('FIELD_INTEGRITY_EXCEPTION'));
  await assert.rejects(projects().create({ Name: 'x', Trade__c: 'Solar', Material__c: 'Gold' }),
    refused('INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST', 'Gold'));
  const { Trade__c, Material__c } = await projects().retrieve(made.id);
  assert.deepEqual([Trade__c, Material__c], ['Facade', 'Slate']);
});

test('ui-api tells the values of a record type', async () => {
  const { recordTypeInfos } = await connection.describe('Project__c');
  const internal = recordTypeInfos.find(({ developerName }) => developerName === 'Internal').recordTypeId;
  const path = `/services/data/v${version}/ui-api/object-info/Project__c/picklist-values/${internal}`;
  const { picklistFieldValues } = await connection.request(path);
  assert.deepEqual(picklistFieldValues.Status__c.values.map(({ value }) => value), ['Planned', 'Active', 'Done']);
  assert.deepEqual(picklistFieldValues.Material__c.controllerValues, { Roofing: 0, Solar: 1, Facade: 2 });
  const one = await connection.request(`${path}/Material__c`);
  assert.deepEqual(one.values.find(({ value }) => value === 'Glass').validFor, [1, 2]);
});

test('an external id that several have names them all', async () => {
  const made = await projects().create([{ Name: 'a', Legacy_Id__c: 'js' }, { Name: 'b', Legacy_Id__c: 'js' }]);
  assert.ok(made.every(({ success }) => success));
  await assert.rejects(projects().upsert({ Name: 'c', Legacy_Id__c: 'js' }, 'Legacy_Id__c'), refused('MULTIPLE_CHOICES'));
});
