// A stranger's client, jsforce 3.10.16 unmodified, against the Salesforce simulator.
//
// Needs: `npm install`, SALESFORCE_URL (address of a simulator with its control interface, started with at least 20
// accounts), and no http_proxy or https_proxy in the environment: jsforce would send everything there.
// Run: node --test tests/clients/salesforce/

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import jsforce from 'jsforce';

const url = process.env.SALESFORCE_URL;
const version = '62.0';
let connection;

async function control(path, body = {}) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/_simulator/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return response.json();
}

const refused = (code) => (error) => {
  assert.equal(error.errorCode ?? error.name, code);
  return true;
};

before(async () => {
  await control('reset', { seed: 1, accounts: 2500, contacts: 50, opportunities: 20 });
  const { access_token: accessToken } = await control('token');
  connection = new jsforce.Connection({ instanceUrl: url, accessToken, version });
});

test('identity names the signed-in person', async () => {
  assert.equal((await connection.identity()).email, 'integration@kestrel.example');
});

test('describe names the external id', async () => {
  const described = await connection.describe('Account');
  const field = described.fields.find((field) => field.name === 'Crosstie_Id__c');
  assert.deepEqual([described.keyPrefix, field.externalId, field.unique], ['001', true, true]);
});

test('describeGlobal lists the objects', async () => {
  const names = (await connection.describeGlobal()).sobjects.map((object) => object.name);
  for (const name of ['Account', 'Contact', 'Opportunity', 'User']) assert.ok(names.includes(name), name);
});

test('a query fetches its further pages by itself', async () => {
  const records = await connection.query('SELECT Id FROM Account', { autoFetch: true, maxFetch: 5000 });
  assert.equal(new Set(records.records.map((record) => record.Id)).size, 2500);
});

test('a page names its next one', async () => {
  const first = await connection.query('SELECT Id FROM Account');
  assert.deepEqual([first.done, first.records.length, first.totalSize], [false, 2000, 2500]);
  const rest = await connection.queryMore(first.nextRecordsUrl);
  assert.deepEqual([rest.done, rest.records.length], [true, 500]);
});

test('parents and children are nested', async () => {
  const soql = "SELECT Id, Account.Name, Account.Owner.Email FROM Contact WHERE AccountId != null LIMIT 1";
  const { records: [contact] } = await connection.query(soql);
  assert.ok(contact.Account.Name.length > 0 && contact.Account.Owner.Email.endsWith('@kestrel.example'));
});

test('a record is created, read, changed and deleted', async () => {
  const made = await connection.sobject('Account').create({ Name: 'Stranger Ltd', Phone: '1' });
  assert.equal(made.success, true);
  await connection.sobject('Account').update({ Id: made.id, Phone: '2' });
  const read = await connection.sobject('Account').retrieve(made.id);
  assert.deepEqual([read.Name, read.Phone], ['Stranger Ltd', '2']);
  await connection.sobject('Account').destroy(made.id);
  await assert.rejects(connection.sobject('Account').retrieve(made.id), refused('NOT_FOUND'));
});

test('an upsert creates once and then changes', async () => {
  const first = await connection.sobject('Account').upsert({ Name: 'Up', Crosstie_Id__c: 'js-1' }, 'Crosstie_Id__c');
  const second = await connection.sobject('Account').upsert({ Name: 'Up 2', Crosstie_Id__c: 'js-1' }, 'Crosstie_Id__c');
  assert.deepEqual([first.created, second.created, second.id], [true, false, first.id]);
  assert.equal((await connection.sobject('Account').retrieve(first.id)).Name, 'Up 2');
});

test('a collection answers in its order, each record for itself', async () => {
  const results = await connection.sobject('Account').create([{ Name: 'One' }, {}, { Name: 'Three' }]);
  assert.deepEqual(results.map((result) => result.success), [true, false, true]);
  assert.equal(results[1].errors[0].statusCode, 'REQUIRED_FIELD_MISSING');
});

test('errors carry their codes', async () => {
  await assert.rejects(connection.query('SELECT Nope FROM Account'), refused('INVALID_FIELD'));
  await assert.rejects(connection.query('SELECT FROM'), refused('MALFORMED_QUERY'));
  await assert.rejects(connection.sobject('Account').create({ Phone: '1' }), refused('REQUIRED_FIELD_MISSING'));
});

test('a bulk query streams its rows', async () => {
  const stream = await connection.bulk2.query('SELECT Id, Name FROM Account WHERE Name != null', { pollInterval: 50 });
  const rows = await stream.toArray();
  assert.ok(rows.length >= 2500);
  assert.match(rows[0].Id, /^001\w{15}$/);
});

test('a bulk load tells good rows from bad ones', async () => {
  const input = [{ LastName: 'Bulk', Email: 'bulk@client.example' }, { LastName: 'Bad', Email: 'nonsense' }];
  const load = { object: 'Contact', operation: 'insert', input, pollInterval: 50, pollTimeout: 10000 };
  const results = await connection.bulk2.loadAndWaitForResults(load);
  assert.deepEqual([results.successfulResults.length, results.failedResults.length], [1, 1]);
  assert.match(results.failedResults[0].sf__Error, /^INVALID_EMAIL_ADDRESS:/);
  const { totalSize } = await connection.query("SELECT Id FROM Contact WHERE Email = 'bulk@client.example'");
  assert.equal(totalSize, 1);
});

test('an expired session is refreshed once, and a rotated token is handed over', async () => {
  const granted = await control('token');
  const oauth2 = { loginUrl: url, clientId: 'crosstie-demo', clientSecret: 'crosstie-demo-secret' };
  const { access_token: accessToken, refresh_token: refreshToken } = granted;
  const own = new jsforce.Connection({ instanceUrl: url, accessToken, refreshToken, oauth2, version });
  let fresh;
  own.on('refresh', (token) => (fresh = token));
  await control('token/expire');
  assert.equal((await own.query('SELECT Id FROM User')).totalSize, 3);
  assert.ok(fresh && fresh !== accessToken);
  await assert.rejects(own.oauth2.refreshToken(refreshToken), refused('invalid_grant'));
});
