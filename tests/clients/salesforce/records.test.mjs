// Single records and collections through jsforce 3.10.16, unmodified.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { account, control, fresh, refused, url, version } from './simulator.mjs';

let connection;
before(async () => (connection = await fresh()));

const accounts = () => connection.sobject('Account');
const base = `/services/data/v${version}`;

test('a record is created, read, changed and deleted', async () => {
  const made = await accounts().create({ Name: 'Stranger Ltd', Phone: '1' });
  assert.equal(made.success, true);
  await accounts().update({ Id: made.id, Phone: '2' });
  const read = await accounts().retrieve(made.id);
  assert.deepEqual([read.Name, read.Phone], ['Stranger Ltd', '2']);
  await accounts().destroy(made.id);
  await assert.rejects(accounts().retrieve(made.id), refused('NOT_FOUND'));
});

test('a record tells its type and address', async () => {
  const id = await account(connection);
  const read = await accounts().retrieve(id);
  assert.deepEqual(read.attributes, { type: 'Account', url: `${base}/sobjects/Account/${id}` });
  assert.equal((await connection.request(read.attributes.url)).Id, id);
});

test('only the fields asked for come', async () => {
  const id = await account(connection, { Phone: '1' });
  const read = await connection.request(`${base}/sobjects/Account/${id}?fields=Name,Phone`);
  assert.deepEqual(Object.keys(read).sort(), ['Name', 'Phone', 'attributes']);
});

test('an emptied field is null', async () => {
  const id = await account(connection, { Phone: '1' });
  await accounts().update({ Id: id, Phone: null });
  assert.equal((await accounts().retrieve(id)).Phone, null);
});

test('a 15-character id is as good', async () => {
  const id = await account(connection, { Phone: '15' });
  const read = await accounts().retrieve(id.slice(0, 15));
  assert.deepEqual([read.Id, read.Phone], [id, '15']);
});

test('text comes back as it was sent', async () => {
  const Description = 'Two\nlines, "quotes", \\ and 😀 株式会社';
  const id = await account(connection, { Description });
  assert.equal((await accounts().retrieve(id)).Description, Description);
});

test('numbers, dates and truth keep their types', async () => {
  const made = await connection.sobject('Opportunity').create(
    { Name: 'Deal', StageName: 'Closed Won', CloseDate: '2030-02-28', Amount: 1234.5 });
  const deal = await connection.sobject('Opportunity').retrieve(made.id);
  assert.deepEqual([deal.Amount, deal.CloseDate, deal.IsWon, deal.IsClosed], [1234.5, '2030-02-28', true, true]);
  assert.equal(deal.Probability, 100, 'the stage sets it');
});

test('an edit moves the stamps', async () => {
  const id = await account(connection);
  const first = await accounts().retrieve(id);
  await control('clock', { advanceMs: 5000 });
  await accounts().update({ Id: id, Phone: '3' });
  const second = await accounts().retrieve(id);
  assert.ok(second.SystemModstamp > first.SystemModstamp);
  assert.equal(second.CreatedDate, first.CreatedDate);
  assert.match(second.SystemModstamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000$/);
});

test('an upsert creates once and then changes', async () => {
  const first = await accounts().upsert({ Name: 'Up', Crosstie_Id__c: 'js-1' }, 'Crosstie_Id__c');
  const second = await accounts().upsert({ Name: 'Up 2', Crosstie_Id__c: 'js-1' }, 'Crosstie_Id__c');
  assert.deepEqual([first.created, second.created, second.id], [true, false, first.id]);
  assert.equal((await accounts().retrieve(first.id)).Name, 'Up 2');
});

test('an external id with special characters addresses its record', async () => {
  const key = 'a/b?c%d#e';
  const path = `${base}/sobjects/Account/Crosstie_Id__c/${encodeURIComponent(key)}`;
  // upsert() of this client leaves its key as it is.
  const made = await connection.request({ method: 'PATCH', url: path, body: JSON.stringify({ Name: 'Odd key' }) });
  const read = await connection.request(path);
  assert.deepEqual([read.Id, read.Crosstie_Id__c], [made.id, key]);
});

test('a reference may be by external id', async () => {
  const parent = await accounts().upsert({ Name: 'Referred', Crosstie_Id__c: 'ref-1' }, 'Crosstie_Id__c');
  const made = await connection.sobject('Contact').create({ LastName: 'Child', Account: { Crosstie_Id__c: 'ref-1' } });
  assert.equal((await connection.sobject('Contact').retrieve(made.id)).AccountId, parent.id);
  await assert.rejects(connection.sobject('Contact').create({ LastName: 'Orphan', Account: { Crosstie_Id__c: 'no such' } }),
    refused('INVALID_FIELD', 'no such'));
});

test('what a record refers to is reached through it', async () => {
  const id = await account(connection, { Name: 'Reached' });
  const made = await connection.sobject('Contact').create({ LastName: 'Way', AccountId: id });
  assert.equal((await connection.request(`${base}/sobjects/Contact/${made.id}/Account`)).Name, 'Reached');
});

test('deleting an account takes its contacts along', async () => {
  const id = await account(connection);
  const made = await connection.sobject('Contact').create({ LastName: 'Along', AccountId: id });
  await accounts().destroy(id);
  await assert.rejects(connection.sobject('Contact').retrieve(made.id), refused('NOT_FOUND'));
  const { records: [gone] } = await connection.query(`SELECT IsDeleted FROM Contact WHERE Id = '${made.id}'`, { scanAll: true });
  assert.equal(gone.IsDeleted, true);
});

test('a colleague merges, and the loser names the winner', async () => {
  const [winner, loser] = [await account(connection, { Name: 'Winner' }), await account(connection, { Name: 'Loser' })];
  await control('edit', { action: 'merge', object: 'Account', id: loser, mergeInto: winner });
  const soql = `SELECT IsDeleted, MasterRecordId FROM Account WHERE Id = '${loser}'`;
  const { records: [gone] } = await connection.query(soql, { scanAll: true });
  assert.deepEqual([gone.IsDeleted, gone.MasterRecordId], [true, winner]);
});

test('a colleague brings a record back', async () => {
  const id = await account(connection, { Phone: 'back' });
  await accounts().destroy(id);
  await control('edit', { action: 'undelete', object: 'Account', id });
  assert.equal((await accounts().retrieve(id)).Phone, 'back');
});

test('updated and deleted list what changed', async () => {
  const [changed, gone] = [await account(connection), await account(connection)];
  await accounts().update({ Id: changed, Phone: '7' });
  await accounts().destroy(gone);
  await control('clock', { advanceMs: 120000 });
  const now = new Date((await connection.query('SELECT MAX(SystemModstamp) at FROM Account')).records[0].at).getTime();
  const [from, to] = [new Date(now - 3600000), new Date(now + 60000)];
  assert.ok((await accounts().updated(from, to)).ids.includes(changed));
  const deleted = await accounts().deleted(from, to);
  assert.ok(deleted.deletedRecords.some((record) => record.id === gone));
  assert.ok(Date.parse(deleted.latestDateCovered) <= to.getTime());
});

test('an update under an old stamp is refused', async () => {
  const id = await account(connection);
  await control('clock', { advanceMs: 5000 });
  await accounts().update({ Id: id, Phone: '8' });
  const at = new Date(Date.parse((await accounts().retrieve(id)).LastModifiedDate) - 3000).toUTCString();
  const response = await fetch(`${url}${base}/sobjects/Account/${id}`, {
    method: 'PATCH', body: JSON.stringify({ Phone: '9' }),
    headers: { authorization: `Bearer ${connection.accessToken}`, 'content-type': 'application/json', 'if-unmodified-since': at },
  });
  assert.equal(response.status, 412);
  assert.equal((await accounts().retrieve(id)).Phone, '8');
});

test('a collection answers in its order, each record for itself', async () => {
  const results = await accounts().create([{ Name: 'One' }, {}, { Name: 'Three' }]);
  assert.deepEqual(results.map((result) => result.success), [true, false, true]);
  assert.equal(results[1].errors[0].statusCode, 'REQUIRED_FIELD_MISSING');
});

test('all or none takes back what was good', async () => {
  const results = await accounts().create([{ Name: 'All or none' }, {}], { allOrNone: true });
  assert.deepEqual(results.map((result) => result.errors[0].statusCode), ['ALL_OR_NONE_OPERATION_ROLLED_BACK', 'REQUIRED_FIELD_MISSING']);
  assert.equal((await connection.query("SELECT Id FROM Account WHERE Name = 'All or none'")).totalSize, 0);
});

test('more than 200 records go in several calls', async () => {
  await control('stats', undefined, 'DELETE');
  const many = Array.from({ length: 450 }, (_, place) => ({ Name: `Many ${place}` }));
  const results = await accounts().create(many, { allowRecursive: true });
  assert.ok(results.length === 450 && results.every((result) => result.success));
  assert.equal((await control('stats', undefined, 'GET')).byOperation.collections_create, 3);
});

test('a collection is updated', async () => {
  const ids = [await account(connection), await account(connection)];
  const results = await accounts().update(ids.map((Id, place) => ({ Id, Phone: `u${place}` })));
  assert.deepEqual(results.map((result) => result.id), ids);
  const read = await accounts().retrieve(ids);
  assert.deepEqual(read.map((record) => record.Phone), ['u0', 'u1']);
});

test('a collection is retrieved, null in the place of what is missing', async () => {
  const id = await account(connection, { Phone: 'here' });
  const body = { ids: [id, '001000000000000AAA'], fields: ['Phone'] };
  const found = await connection.requestPost(`${base}/composite/sobjects/Account`, body);
  assert.deepEqual([found[0].Phone, found[1]], ['here', null]);
});

test('a collection is upserted', async () => {
  const records = [{ Name: 'C1', Crosstie_Id__c: 'c-1' }, { Name: 'C2', Crosstie_Id__c: 'c-2' }];
  const first = await accounts().upsert(records, 'Crosstie_Id__c');
  const second = await accounts().upsert(records.map((record) => ({ ...record, Phone: 'c' })), 'Crosstie_Id__c');
  assert.deepEqual([first.map((result) => result.created), second.map((result) => result.created)], [[true, true], [false, false]]);
  assert.deepEqual(second.map((result) => result.id), first.map((result) => result.id));
});

test('a collection is deleted', async () => {
  const ids = [await account(connection), await account(connection)];
  const results = await accounts().destroy([...ids, '001000000000000AAA']);
  assert.deepEqual(results.map((result) => result.success), [true, true, false]);
  assert.equal((await connection.query(`SELECT Id FROM Account WHERE Id IN ('${ids.join("','")}')`)).totalSize, 0);
});

for (const [what, object, fields, code, part] of [
  ['a missing name', 'Account', { Phone: '1' }, 'REQUIRED_FIELD_MISSING', 'Name'],
  ['a field that is not there', 'Account', { Name: 'x', Nope: 1 }, 'INVALID_FIELD', 'Nope'],
  ['a long name', 'Account', { Name: 'x'.repeat(256) }, 'STRING_TOO_LONG', '255'],
  ['an address without @', 'Contact', { LastName: 'x', Email: 'nonsense' }, 'INVALID_EMAIL_ADDRESS', 'nonsense'],
  ['a reference to nothing', 'Contact', { LastName: 'x', AccountId: '001000000000000AAA' }, 'INVALID_CROSS_REFERENCE_KEY', ''],
  ['a text for a number', 'Account', { Name: 'x', NumberOfEmployees: 'many' }, 'JSON_PARSER_ERROR', ''],
  ['a system field', 'Account', { Name: 'x', SystemModstamp: '2024-01-01T00:00:00Z' }, 'INVALID_FIELD_FOR_INSERT_UPDATE', ''],
  ['a malformed reference', 'Contact', { LastName: 'x', AccountId: 'nonsense' }, 'MALFORMED_ID', ''],
  ['an object that is not there', 'Nothing', { Name: 'x' }, 'NOT_FOUND', ''],
]) {
  test(`refused: ${what}`, async () => {
    await assert.rejects(connection.sobject(object).create(fields), refused(code, part));
  });
}

test('an external id that another has is refused', async () => {
  const id = await account(connection, { Crosstie_Id__c: 'taken' });
  await assert.rejects(accounts().create({ Name: 'Second', Crosstie_Id__c: 'TAKEN' }), refused('DUPLICATE_VALUE', id.slice(0, 15)));
});

test('a deleted record cannot be changed', async () => {
  const id = await account(connection);
  await accounts().destroy(id);
  await assert.rejects(accounts().update({ Id: id, Phone: '1' }), refused('ENTITY_IS_DELETED'));
});
