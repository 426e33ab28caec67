// What every file of these tests needs: the simulator's address, its control interface, a client.
//
// Environment: SALESFORCE_URL, the address of a running simulator (`crosstie simulate --salesforce 127.0.0.1:4801`), which
// these tests reset, and no http_proxy or https_proxy: jsforce would send everything there.
// Run with `node --test --test-concurrency=1 tests/clients/salesforce/`; the packages are those of the root package.json.
import assert from 'node:assert/strict';
import jsforce from 'jsforce';

export const url = process.env.SALESFORCE_URL;
assert.ok(url, 'SALESFORCE_URL must name a running simulator');

export const version = '62.0';
export const oauth2 = { loginUrl: url, clientId: 'crosstie-demo', clientSecret: 'crosstie-demo-secret' };

/** A call of the control interface. */
export async function control(path, body = {}, method = 'POST') {
  const init = { method, headers: { 'content-type': 'application/json' } };
  const response = await fetch(`${url}/_simulator/${path}`, method === 'GET' ? { method } : { ...init, body: JSON.stringify(body) });
  assert.ok(response.ok, `${path}: ${response.status}`);
  const text = await response.text();
  return text === '' ? {} : JSON.parse(text);
}

/** A new org, and a client signed in to it. */
export async function fresh(records = {}) {
  await control('reset', { seed: 1, accounts: 30, contacts: 60, opportunities: 20, ...records });
  return signedIn();
}

/** A client signed in to the org as it is. */
export async function signedIn(more = {}) {
  const { access_token: accessToken } = await control('token');
  return new jsforce.Connection({ instanceUrl: url, accessToken, version, ...more });
}

/** For `assert.rejects`: an error of this code, and with this text in its message. */
export const refused = (code, part = '') => (error) => {
  assert.equal(error.errorCode ?? error.name, code, `${error.message}`);
  assert.ok(error.message.includes(part), error.message);
  return true;
};

/** A record of an account that a test calls its own. */
export async function account(connection, fields = {}) {
  const made = await connection.sobject('Account').create({ Name: 'Kestrel Ltd', ...fields });
  assert.equal(made.success, true);
  return made.id;
}
