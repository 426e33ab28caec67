// SOQL through jsforce 3.10.16, unmodified.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { account, fresh, refused } from './simulator.mjs';

let connection;
before(async () => (connection = await fresh({ accounts: 2500, contacts: 50 })));

const names = (result) => result.records.map((record) => record.Name);

test('a query fetches its further pages by itself', async () => {
  const result = await connection.query('SELECT Id FROM Account', { autoFetch: true, maxFetch: 5000 });
  assert.equal(new Set(result.records.map((record) => record.Id)).size, 2500);
});

test('a page names its next one', async () => {
  const first = await connection.query('SELECT Id FROM Account');
  assert.deepEqual([first.done, first.records.length, first.totalSize], [false, 2000, 2500]);
  const rest = await connection.queryMore(first.nextRecordsUrl);
  assert.deepEqual([rest.done, rest.records.length], [true, 500]);
});

test('a client may ask for smaller pages', async () => {
  const headers = { 'Sforce-Query-Options': 'batchSize=200' };
  const page = await connection.query('SELECT Id FROM Account LIMIT 450', { headers });
  assert.deepEqual([page.records.length, page.totalSize, page.done], [200, 450, false]);
});

test('a locator that was never given is refused', async () => {
  await assert.rejects(connection.queryMore('01g000000000001AAA-2000'), refused('INVALID_QUERY_LOCATOR'));
});

test('parents are nested', async () => {
  const soql = 'SELECT Id, Account.Name, Account.Owner.Email FROM Contact WHERE AccountId != null LIMIT 1';
  const { records: [contact] } = await connection.query(soql);
  assert.ok(contact.Account.Name.length > 0 && contact.Account.Owner.Email.endsWith('@kestrel.example'));
  assert.equal(contact.Account.attributes.type, 'Account');
});

test('children are nested', async () => {
  const id = await account(connection, { Name: 'Parent Ltd' });
  await connection.sobject('Contact').create([{ LastName: 'A', AccountId: id }, { LastName: 'B', AccountId: id }]);
  const { records: [parent] } = await connection.query(
    `SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName DESC) FROM Account WHERE Id = '${id}'`);
  assert.deepEqual(parent.Contacts.records.map((contact) => contact.LastName), ['B', 'A']);
  assert.deepEqual([parent.Contacts.totalSize, parent.Contacts.done], [2, true]);
});

test('no children are null', async () => {
  const id = await account(connection, { Name: 'Childless Ltd' });
  const { records: [parent] } = await connection.query(`SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Id = '${id}'`);
  assert.equal(parent.Contacts, null);
});

test('LIKE folds case and knows its wildcards', async () => {
  await connection.sobject('Account').create([{ Name: 'Wild_card One' }, { Name: 'WILDXCARD Two' }]);
  assert.deepEqual(names(await connection.query("SELECT Name FROM Account WHERE Name LIKE 'wild_card%' ORDER BY Name")).length, 2);
  assert.deepEqual(names(await connection.query("SELECT Name FROM Account WHERE Name LIKE 'wild\\_card%'")), ['Wild_card One']);
});

test('quotes and backslashes are escaped', async () => {
  await account(connection, { Name: "O'Neil \\ Söhne" });
  const result = await connection.query("SELECT Name FROM Account WHERE Name = 'O\\'Neil \\\\ Söhne'");
  assert.deepEqual(names(result), ["O'Neil \\ Söhne"]);
});

test('sobject().find builds the query', async () => {
  await connection.sobject('Account').create([{ Name: 'Find 1', NumberOfEmployees: 5 }, { Name: 'Find 2', NumberOfEmployees: 9 }]);
  const found = await connection.sobject('Account')
    .find({ Name: { $like: 'Find %' }, NumberOfEmployees: { $gt: 5 } }, ['Name', 'NumberOfEmployees']).sort('-Name').limit(5);
  assert.deepEqual(found.map((record) => [record.Name, record.NumberOfEmployees]), [['Find 2', 9]]);
});

test('sobject().findOne gives one or null', async () => {
  const sobject = connection.sobject('Account');
  assert.equal((await sobject.findOne({ Name: 'Find 1' })).Name, 'Find 1');
  assert.equal(await sobject.findOne({ Name: 'No such name' }), null);
});

test('sobject().count counts', async () => {
  assert.equal(await connection.sobject('Account').count({ Name: { $like: 'Find %' } }), 2);
});

test('aggregates group', async () => {
  const made = [['Alder', 100], ['Alder', 300], ['Birch', 50]].map(([NextStep, Amount]) => (
    { Name: 'Aggregate', NextStep, Amount, StageName: 'Prospecting', CloseDate: '2030-01-31' }));
  await connection.sobject('Opportunity').create(made);
  const { records } = await connection.query(
    `SELECT NextStep step, COUNT(Id) deals, SUM(Amount) total, MAX(Amount) most FROM Opportunity
     WHERE Name = 'Aggregate' GROUP BY NextStep HAVING SUM(Amount) > 40 ORDER BY NextStep`);
  assert.deepEqual(records.map((row) => [row.step, row.deals, row.total, row.most]), [['Alder', 2, 400, 300], ['Birch', 1, 50, 50]]);
});

test('COUNT() is the total', async () => {
  const result = await connection.query("SELECT COUNT() FROM Opportunity WHERE Name = 'Aggregate'");
  assert.deepEqual([result.totalSize, result.records.length], [3, 0]);
});

test('date literals are taken from the org clock', async () => {
  const today = await connection.query("SELECT Id FROM Opportunity WHERE Name = 'Aggregate' AND CreatedDate = TODAY");
  const before = await connection.query("SELECT Id FROM Opportunity WHERE Name = 'Aggregate' AND CreatedDate < TODAY");
  const far = await connection.query("SELECT Id FROM Opportunity WHERE Name = 'Aggregate' AND CloseDate > NEXT_N_DAYS:30");
  assert.deepEqual([today.totalSize, before.totalSize, far.totalSize], [3, 0, 3]);
});

test('IN takes a list and a semi-join', async () => {
  const list = await connection.query("SELECT Name FROM Account WHERE Name IN ('Find 1', 'Find 2', 'No such') ORDER BY Name");
  assert.deepEqual(names(list), ['Find 1', 'Find 2']);
  const semi = await connection.query("SELECT Name FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE LastName = 'A')");
  assert.deepEqual(names(semi), ['Parent Ltd']);
});

test('queryAll sees what was deleted', async () => {
  const id = await account(connection, { Name: 'Deleted Ltd' });
  await connection.sobject('Account').destroy(id);
  const soql = `SELECT Id, IsDeleted FROM Account WHERE Id = '${id}'`;
  assert.equal((await connection.query(soql)).totalSize, 0);
  const all = await connection.query(soql, { scanAll: true });
  assert.deepEqual(all.records.map((record) => record.IsDeleted), [true]);
});

test('ORDER BY puts empty values where it is told to', async () => {
  await connection.sobject('Account').create([{ Name: 'Order', Phone: '2' }, { Name: 'Order' }, { Name: 'Order', Phone: '1' }]);
  const phones = async (order) => (await connection.query(`SELECT Phone FROM Account WHERE Name = 'Order' ORDER BY Phone ${order}`))
    .records.map((record) => record.Phone);
  assert.deepEqual(await phones('ASC'), [null, '1', '2']);
  assert.deepEqual(await phones('DESC NULLS LAST'), ['2', '1', null]);
});

test('OFFSET and LIMIT cut a window', async () => {
  const result = await connection.query("SELECT Name FROM Account WHERE Name LIKE 'Find %' ORDER BY Name LIMIT 1 OFFSET 1");
  assert.deepEqual(names(result), ['Find 2']);
});

for (const [soql, code, part] of [
  ['SELECT Nope FROM Account', 'INVALID_FIELD', "No such column 'Nope'"],
  ['SELECT FROM', 'MALFORMED_QUERY', ''],
  ['SELECT Id FROM Nothing', 'INVALID_TYPE', "'Nothing'"],
  ["SELECT Id FROM Account WHERE Name = 'open", 'MALFORMED_QUERY', ''],
  ["SELECT Id FROM Account WHERE CreatedDate = 'text'", 'INVALID_FIELD', 'CreatedDate'],
  ["SELECT Id FROM Account WHERE Id = 'nonsense'", 'INVALID_QUERY_FILTER_OPERATOR', ''],
  ['SELECT Id, Nope.Name FROM Contact', 'INVALID_FIELD', 'Nope'],
  ['SELECT Id FROM Account LIMIT x', 'MALFORMED_QUERY', ''],
]) {
  test(`refused: ${soql}`, async () => {
    await assert.rejects(connection.query(soql), refused(code, part));
  });
}
