// Bulk API 2.0 through jsforce 3.10.16, unmodified.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { account, fresh, refused } from './simulator.mjs';

let connection;
before(async () => {
  connection = await fresh({ accounts: 2500 });
  Object.assign(connection.bulk2, { pollInterval: 20, pollTimeout: 20000 });
});

const load = (operation, input, more = {}) => (
  connection.bulk2.loadAndWaitForResults({ object: 'Account', operation, input, pollInterval: 20, pollTimeout: 20000, ...more }));

test('a bulk query streams its rows', async () => {
  const stream = await connection.bulk2.query('SELECT Id, Name FROM Account WHERE Name != null', { pollInterval: 20 });
  const rows = await stream.toArray();
  assert.ok(rows.length >= 2500);
  assert.match(rows[0].Id, /^001\w{15}$/);
});

test('a bulk query may see what was deleted', async () => {
  const id = await account(connection, { Name: 'Bulk deleted' });
  await connection.sobject('Account').destroy(id);
  const soql = "SELECT Id, IsDeleted FROM Account WHERE Name = 'Bulk deleted'";
  const alive = await (await connection.bulk2.query(soql, { pollInterval: 20 })).toArray();
  const all = await (await connection.bulk2.query(soql, { pollInterval: 20, scanAll: true })).toArray();
  assert.deepEqual([alive.length, all.map((row) => row.IsDeleted)], [0, ['true']]);
});

test('CSV keeps quotes, commas and line breaks', async () => {
  const Description = 'Say "hi", then\nleave';
  const id = await account(connection, { Name: 'Bulk quotes', Description });
  const stream = await connection.bulk2.query(`SELECT Description FROM Account WHERE Id = '${id}'`, { pollInterval: 20 });
  assert.deepEqual((await stream.toArray()).map((row) => row.Description), [Description]);
});

test('a malformed bulk query is refused', async () => {
  await assert.rejects(connection.bulk2.query('SELECT FROM', { pollInterval: 20 }), refused('MALFORMED_QUERY'));
});

test('an insert tells good rows from bad ones', async () => {
  const input = [{ LastName: 'Bulk', Email: 'bulk@client.example' }, { LastName: 'Bad', Email: 'nonsense' }];
  const results = await load('insert', input, { object: 'Contact' });
  assert.deepEqual([results.successfulResults.length, results.failedResults.length], [1, 1]);
  assert.match(results.failedResults[0].sf__Error, /^INVALID_EMAIL_ADDRESS:/);
  assert.equal(results.successfulResults[0].sf__Created, 'true');
  assert.equal((await connection.query("SELECT Id FROM Contact WHERE Email = 'bulk@client.example'")).totalSize, 1);
});

test('an update changes, and empties with #N/A', async () => {
  const ids = [await account(connection, { Phone: '1' }), await account(connection, { Phone: '1' })];
  const results = await load('update', [{ Id: ids[0], Phone: '2' }, { Id: ids[1], Phone: '#N/A' }]);
  assert.equal(results.successfulResults.length, 2);
  const read = await connection.sobject('Account').retrieve(ids);
  assert.deepEqual(read.map((record) => record.Phone), ['2', null]);
});

test('an upsert makes what is not there', async () => {
  const more = { externalIdFieldName: 'Crosstie_Id__c' };
  const first = await load('upsert', [{ Crosstie_Id__c: 'b-1', Name: 'Bulk up' }], more);
  const second = await load('upsert', [{ Crosstie_Id__c: 'b-1', Name: 'Bulk up 2' }], more);
  assert.deepEqual([first.successfulResults[0].sf__Created, second.successfulResults[0].sf__Created], ['true', 'false']);
  assert.equal(first.successfulResults[0].sf__Id, second.successfulResults[0].sf__Id);
});

test('a delete deletes', async () => {
  const id = await account(connection);
  const results = await load('delete', [{ Id: id }]);
  assert.equal(results.successfulResults[0].sf__Id, id);
  await assert.rejects(connection.sobject('Account').retrieve(id), refused('NOT_FOUND'));
});

test('a job tells its state, and may be aborted', async () => {
  const job = connection.bulk2.createJob({ object: 'Account', operation: 'insert' });
  await job.open();
  assert.equal((await job.check()).state, 'Open');
  await job.abort();
  assert.equal((await job.check()).state, 'Aborted');
});

test('a finished job counts its rows', async () => {
  const job = connection.bulk2.createJob({ object: 'Account', operation: 'insert' });
  await job.open();
  await job.uploadData([{ Name: 'Counted 1' }, { Name: 'Counted 2' }]);
  await job.close();
  await job.poll(20, 20000);
  const state = await job.check();
  assert.deepEqual([state.state, state.numberRecordsProcessed, state.numberRecordsFailed], ['JobComplete', 2, 0]);
});
