// Several requests in one call, by requests of jsforce 3.10.16, unmodified.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { account, fresh, refused, version } from './simulator.mjs';

let connection;
before(async () => (connection = await fresh()));

const base = `/services/data/v${version}`;
const post = (path, body) => connection.requestPost(`${base}/composite${path}`, body);
const create = (object, body, referenceId) => ({ method: 'POST', url: `${base}/sobjects/${object}`, body, referenceId });
const count = async (where) => (await connection.query(`SELECT Id FROM Account WHERE ${where}`)).totalSize;

test('a request refers to the answer of another', async () => {
  const { compositeResponse: [parent, child, found] } = await post('', { compositeRequest: [
    create('Account', { Name: 'Composite' }, 'parent'),
    create('Contact', { LastName: 'Composite', AccountId: '@{parent.id}' }, 'child'),
    { method: 'GET', url: `${base}/query?q=SELECT AccountId FROM Contact WHERE Id = '@{child.id}'`, referenceId: 'found' },
  ] });
  assert.deepEqual([parent.httpStatusCode, child.httpStatusCode, found.httpStatusCode], [201, 201, 200]);
  assert.equal(found.body.records[0].AccountId, parent.body.id);
  assert.equal(parent.httpHeaders.Location, `${base}/sobjects/Account/${parent.body.id}`);
});

test('all or none halts the others', async () => {
  const { compositeResponse } = await post('', { allOrNone: true, compositeRequest: [
    create('Account', { Name: 'Halted' }, 'good'), create('Account', {}, 'bad') ] });
  assert.deepEqual(compositeResponse.map((answer) => answer.body[0].errorCode), ['PROCESSING_HALTED', 'REQUIRED_FIELD_MISSING']);
  assert.equal(await count("Name = 'Halted'"), 0);
});

test('a write and its read-back are one call', async () => {
  const id = await account(connection, { Phone: 'before' });
  const { compositeResponse: [write, read] } = await post('', { compositeRequest: [
    { method: 'PATCH', url: `${base}/sobjects/Account/${id}`, body: { Phone: 'after' }, referenceId: 'write' },
    { method: 'GET', url: `${base}/sobjects/Account/${id}?fields=Phone`, referenceId: 'read' } ] });
  assert.deepEqual([write.httpStatusCode, write.body, read.body.Phone], [204, null, 'after']);
});

test('26 requests are too many', async () => {
  const compositeRequest = Array.from({ length: 26 }, (_, place) => create('Account', { Name: 'x' }, `r${place}`));
  await assert.rejects(post('', { compositeRequest }), refused('LIMIT_EXCEEDED'));
});

test('a batch answers each by itself', async () => {
  const id = await account(connection, { Name: 'Batch' });
  const answer = await post('/batch', { batchRequests: [
    { method: 'GET', url: `v${version}/sobjects/Account/${id}?fields=Name` },
    { method: 'GET', url: `v${version}/sobjects/Account/001000000000000AAA` },
    { method: 'PATCH', url: `v${version}/sobjects/Account/${id}`, richInput: { Phone: 'batch' } } ] });
  assert.deepEqual([answer.hasErrors, answer.results.map((result) => result.statusCode)], [true, [200, 404, 204]]);
  assert.equal(answer.results[0].result.Name, 'Batch');
  assert.equal((await connection.sobject('Account').retrieve(id)).Phone, 'batch');
});

test('a batch may halt on an error', async () => {
  const answer = await post('/batch', { haltOnError: true, batchRequests: [
    { method: 'GET', url: `v${version}/sobjects/Account/001000000000000AAA` },
    { method: 'POST', url: `v${version}/sobjects/Account`, richInput: { Name: 'Never' } } ] });
  assert.deepEqual(answer.results.map((result) => result.statusCode), [404, 412]);
  assert.equal(await count("Name = 'Never'"), 0);
});

test('a tree makes a family', async () => {
  const answer = await post('/tree/Account', { records: [{
    attributes: { type: 'Account', referenceId: 'a' }, Name: 'Tree',
    Contacts: { records: [{ attributes: { type: 'Contact', referenceId: 'c' }, LastName: 'Leaf' }] } }] });
  assert.equal(answer.hasErrors, false);
  const ids = Object.fromEntries(answer.results.map((result) => [result.referenceId, result.id]));
  assert.equal((await connection.sobject('Contact').retrieve(ids.c)).AccountId, ids.a);
});

test('a tree with a bad leaf is not planted', async () => {
  await assert.rejects(post('/tree/Account', { records: [{
    attributes: { type: 'Account', referenceId: 'a' }, Name: 'Felled',
    Contacts: { records: [{ attributes: { type: 'Contact', referenceId: 'c' } }] } }] }));
  assert.equal(await count("Name = 'Felled'"), 0);
});

test('of two graphs the good one is applied', async () => {
  const graph = (graphId, body) => ({ graphId, compositeRequest: [
    create('Account', { Name: graphId }, 'company'), create('Contact', { ...body, AccountId: '@{company.id}' }, 'person') ] });
  const { graphs } = await post('/graph', { graphs: [graph('Good graph', { LastName: 'x' }), graph('Bad graph', {})] });
  assert.deepEqual(graphs.map((answer) => [answer.graphId, answer.isSuccessful]), [['Good graph', true], ['Bad graph', false]]);
  assert.equal(await count("Name IN ('Good graph', 'Bad graph')"), 1);
});
