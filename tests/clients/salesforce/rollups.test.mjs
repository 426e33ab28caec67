// Roll-up summary fields through jsforce 3.10.16, unmodified.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { account, control, fresh, refused } from './simulator.mjs';

let connection;
before(async () => {
  connection = await fresh();
  Object.assign(connection.bulk2, { pollInterval: 20, pollTimeout: 20000 });
});

const deals = () => connection.sobject('Opportunity');
const deal = (AccountId, Amount) => ({ Name: 'Rolled', StageName: 'Prospecting', CloseDate: '2030-01-31', AccountId, Amount });
const shown = async (id) => {
  const row = await connection.sobject('Account').retrieve(id);
  return [row.Opportunity_Count__c, row.Opportunity_Amount__c];
};

test('an account counts and sums up its opportunities', async () => {
  const [id, other] = [await account(connection), await account(connection)];
  assert.deepEqual(await shown(id), [0, 0]);
  const made = await deals().create([deal(id, 100.1), deal(id, 20), deal(id, null)]);
  assert.deepEqual(await shown(id), [3, 120.1]);
  await deals().update({ Id: made[1].id, Amount: 30 });
  assert.deepEqual(await shown(id), [3, 130.1]);
  await deals().update({ Id: made[1].id, AccountId: other });
  assert.deepEqual([await shown(id), await shown(other)], [[2, 100.1], [1, 30]]);
  await deals().destroy(made[0].id);
  assert.deepEqual(await shown(id), [1, 0]);
  await control('edit', { action: 'undelete', object: 'Opportunity', id: made[0].id });
  assert.deepEqual(await shown(id), [2, 100.1]);
  await control('edit', { action: 'merge', object: 'Account', id, mergeInto: other });
  assert.deepEqual(await shown(other), [3, 130.1]);
});

test('the stamps of the account stay', async () => {
  const id = await account(connection);
  const stamps = async () => {
    const { SystemModstamp, LastModifiedDate } = await connection.sobject('Account').retrieve(id);
    return [SystemModstamp, LastModifiedDate];
  };
  const before = await stamps();
  await control('clock', { advanceMs: 60000 });
  await deals().create(deal(id, 5));
  assert.deepEqual([await shown(id), await stamps()], [[1, 5], before]);
  await control('rollups', { object: 'Account', id });
  const [stamp, modified] = await stamps();
  assert.ok(stamp > before[0], 'a recalculation moves it');
  assert.equal(modified, before[1]);
});

test('describe calls it calculated, and nobody writes it', async () => {
  const { fields } = await connection.describe('Account');
  const field = fields.find(({ name }) => name === 'Opportunity_Amount__c');
  assert.deepEqual([field.calculated, field.createable, field.updateable, field.type], [true, false, false, 'currency']);
  await assert.rejects(connection.sobject('Account').create({ Name: 'x', Opportunity_Amount__c: 1 }),
    refused('INVALID_FIELD_FOR_INSERT_UPDATE', 'Opportunity_Amount__c'));
});

test('it is queried, sorted by, and streamed', async () => {
  const [small, large] = [await account(connection, { Site: 'js' }), await account(connection, { Site: 'js' })];
  await deals().create([deal(small, 1), deal(large, 7), deal(large, 7)]);
  const soql = "SELECT Id, Opportunity_Amount__c FROM Account WHERE Site = 'js' AND Opportunity_Count__c > 0 ORDER BY Opportunity_Amount__c DESC";
  const { records } = await connection.query(soql);
  assert.deepEqual(records.map((row) => [row.Id, row.Opportunity_Amount__c]), [[large, 14], [small, 1]]);
  const rows = await (await connection.bulk2.query(soql, { pollInterval: 20 })).toArray();
  assert.deepEqual(rows.map((row) => row.Opportunity_Amount__c), ['14', '1']);
});

test('a bulk load of children is reckoned', async () => {
  const id = await account(connection);
  const input = [1, 2, 3].map((amount) => ({ ...deal(id, amount), Amount: String(amount) }));
  await connection.bulk2.loadAndWaitForResults({ object: 'Opportunity', operation: 'insert', input, pollInterval: 20, pollTimeout: 20000 });
  assert.deepEqual(await shown(id), [3, 6]);
});
