// Signing in, and what the org tells of itself: jsforce 3.10.16, unmodified.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import jsforce from 'jsforce';
import { control, fresh, oauth2, refused, signedIn, url, version } from './simulator.mjs';

let connection;
before(async () => (connection = await fresh()));

const redirectUri = 'http://127.0.0.1:9/callback';

/** Presses a button of the consent page and gives what the browser is sent back with. */
async function consent(parameters, decision) {
  const address = new URL(new jsforce.OAuth2({ ...oauth2, redirectUri }).getAuthorizationUrl(parameters));
  const form = new URLSearchParams(address.search);
  form.set('decision', decision);
  const response = await fetch(`${address.origin}${address.pathname}`, { method: 'POST', body: form, redirect: 'manual' });
  return new URL(response.headers.get('location')).searchParams;
}

function pkce() {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

test('a person allows, and the code becomes a session', async () => {
  const { verifier, challenge } = pkce();
  const back = await consent({ state: 's-1', code_challenge: challenge, code_challenge_method: 'S256' }, 'allow');
  assert.equal(back.get('state'), 's-1');
  const own = new jsforce.Connection({ oauth2: { ...oauth2, redirectUri }, version });
  const user = await own.authorize(back.get('code'), { code_verifier: verifier });
  assert.match(user.organizationId, /^00D\w{15}$/);
  assert.equal((await own.query('SELECT Id FROM Account')).totalSize, 30);
});

test('a person denies', async () => {
  const { challenge } = pkce();
  const back = await consent({ state: 's-2', code_challenge: challenge, code_challenge_method: 'S256' }, 'deny');
  assert.deepEqual([back.get('error'), back.get('state'), back.get('code')], ['access_denied', 's-2', null]);
});

test('a code with another verifier is worth nothing', async () => {
  const { challenge } = pkce();
  const back = await consent({ code_challenge: challenge, code_challenge_method: 'S256' }, 'allow');
  const own = new jsforce.Connection({ oauth2: { ...oauth2, redirectUri }, version });
  await assert.rejects(own.authorize(back.get('code'), { code_verifier: pkce().verifier }), refused('invalid_request'));
});

test('a code is taken once', async () => {
  const { verifier, challenge } = pkce();
  const back = await consent({ code_challenge: challenge, code_challenge_method: 'S256' }, 'allow');
  const own = new jsforce.Connection({ oauth2: { ...oauth2, redirectUri }, version });
  await own.authorize(back.get('code'), { code_verifier: verifier });
  await assert.rejects(own.authorize(back.get('code'), { code_verifier: verifier }), refused('invalid_grant'));
});

test('a wrong client secret is refused', async () => {
  const { refresh_token: refreshToken } = await control('token');
  const wrong = new jsforce.OAuth2({ ...oauth2, clientSecret: 'wrong' });
  await assert.rejects(wrong.refreshToken(refreshToken), refused('invalid_client'));
});

test('an expired session is refreshed once, and a rotated token is handed over', async () => {
  const { access_token: accessToken, refresh_token: refreshToken } = await control('token');
  const own = new jsforce.Connection({ instanceUrl: url, accessToken, refreshToken, oauth2, version });
  let given;
  own.on('refresh', (token) => (given = token));
  await control('token/expire');
  assert.equal((await own.query('SELECT Id FROM User')).totalSize, 3);
  assert.ok(given && given !== accessToken);
  await assert.rejects(own.oauth2.refreshToken(refreshToken), refused('invalid_grant'));
  connection = await signedIn();
});

test('without rotation a refresh token serves again', async () => {
  await control('settings', { rotation: false });
  const { refresh_token: refreshToken } = await control('token');
  const own = new jsforce.OAuth2(oauth2);
  const first = await own.refreshToken(refreshToken);
  const second = await own.refreshToken(refreshToken);
  assert.ok(first.access_token && second.access_token && first.instance_url === second.instance_url);
  await control('settings', { rotation: true });
});

test('a revoked session is over', async () => {
  const { access_token: accessToken } = await control('token');
  const own = new jsforce.Connection({ instanceUrl: url, accessToken, oauth2, version });
  assert.equal((await own.query('SELECT Id FROM User')).totalSize, 3);
  await own.oauth2.revokeToken(accessToken);
  // Without a flow to refresh it with, the client passes the org's own code on.
  const bare = new jsforce.Connection({ instanceUrl: url, accessToken, version });
  await assert.rejects(bare.query('SELECT Id FROM User'), refused('INVALID_SESSION_ID'));
});

test('identity names the signed-in person', async () => {
  const identity = await connection.identity();
  assert.equal(identity.email, 'integration@kestrel.example');
  assert.match(identity.user_id, /^005\w{15}$/);
});

test('the versions that are served are listed', async () => {
  const versions = await connection.request('/services/data');
  assert.ok(versions.some((served) => served.version === version && served.url === `/services/data/v${version}`));
});

test('the resources of a version lead somewhere', async () => {
  const resources = await connection.request(`/services/data/v${version}/`);
  const composite = await connection.request(resources.composite);
  assert.equal(composite.batch, `/services/data/v${version}/composite/batch`);
});

test('limits count the calls of the day', async () => {
  const first = await connection.limits();
  await connection.query('SELECT Id FROM User');
  const second = await connection.limits();
  assert.equal(first.DailyApiRequests.Max, 15000);
  assert.equal(first.DailyApiRequests.Remaining - second.DailyApiRequests.Remaining, 2);
});

test('every answer tells the limit', async () => {
  await connection.query('SELECT Id FROM User');
  assert.equal(connection.limitInfo.apiUsage.limit, 15000);
  assert.ok(connection.limitInfo.apiUsage.used > 0);
});

test('describeGlobal lists the objects', async () => {
  const names = (await connection.describeGlobal()).sobjects.map((object) => object.name);
  for (const name of ['Account', 'Contact', 'Opportunity', 'User']) assert.ok(names.includes(name), name);
});

test('describe names the external id', async () => {
  const described = await connection.describe('Account');
  const field = described.fields.find((field) => field.name === 'Crosstie_Id__c');
  assert.deepEqual([described.keyPrefix, field.externalId, field.unique, field.idLookup], ['001', true, true, true]);
});

test('describe tells what a field takes', async () => {
  const { fields } = await connection.sobject('Opportunity').describe();
  const field = (name) => fields.find((field) => field.name === name);
  assert.deepEqual([field('StageName').type, field('StageName').nillable], ['picklist', false]);
  assert.ok(field('StageName').picklistValues.some((value) => value.value === 'Closed Won' && value.active));
  assert.deepEqual([field('Amount').type, field('Amount').scale], ['currency', 2]);
  assert.deepEqual([field('AccountId').type, field('AccountId').referenceTo], ['reference', ['Account']]);
});

test('describe tells children', async () => {
  const { childRelationships } = await connection.describe('Account');
  const contacts = childRelationships.find((child) => child.relationshipName === 'Contacts');
  assert.deepEqual([contacts.childSObject, contacts.field], ['Contact', 'AccountId']);
});

test('an object that is not there is not described', async () => {
  await assert.rejects(connection.describe('Nothing__c'), refused('NOT_FOUND'));
});
