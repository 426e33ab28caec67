// What every file of these tests needs: the simulator's address, a client, its control interface, and a watch on every answer.
//
// Environment: HUBSPOT_URL, the address of a running simulator (`crosstie simulate --hubspot 127.0.0.1:4802`), which these
// tests reset. Run with `node --test --test-concurrency=1 tests/clients/hubspot/`; the packages are those of the root package.json.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { Client } from "@hubspot/api-client";
import { problems } from "./validate.mjs";

export const url = process.env.HUBSPOT_URL;
assert.ok(url, "HUBSPOT_URL must name a running simulator");

export const seen = { checked: 0, unknown: new Set(), wrong: [] };

// The client calls node-fetch by its `default`: it is watched there, and stays what it is.
const nodeFetch = createRequire(createRequire(import.meta.url).resolve("@hubspot/api-client"))("node-fetch");
const plain = nodeFetch.default;

async function watched(address, init = {}) {
  const response = await plain(address, init);
  const text = await response.text();
  const method = (init.method ?? "GET").toUpperCase();
  const found = problems(method, String(address), response.status, text);
  if (found === undefined) seen.unknown.add(`${method} ${new URL(address).pathname}`);
  else {
    seen.checked += 1;
    seen.wrong.push(...found);
  }
  const body = response.status === 204 ? null : text;
  return new nodeFetch.Response(body, { status: response.status, headers: response.headers, url: response.url });
}
nodeFetch.default = watched;

export async function control(path, body, method = "POST") {
  const response = await plain(`${url}/_simulator/${path}`, {
    method, body: body === undefined ? undefined : JSON.stringify(body), headers: { "content-type": "application/json" },
  });
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return text.startsWith("{") && !text.includes("\n") ? JSON.parse(text) : text;
}

export async function fresh(options = {}) {
  await control("reset", { seed: 1, accounts: 30, contacts: 60, opportunities: 20 });
  // As HubSpot is by itself; this client knows no PKCE.
  await control("settings", { rotation: false, pkceRequired: false, sessionSeconds: 1800 });
  await control("limits", { daily: null, burst: null, search: null, ...options });
  return client();
}

/** What most files begin with: a client of a new account, and a token for requests by hand. */
export async function begun() {
  return [await fresh(), (await control("token", {})).access_token];
}

/** What every file ends with: each answer was as the interface files say, and there were so many at least. */
export function checked(least) {
  assert.deepEqual(seen.wrong, [], "every answer is as the interface files say");
  assert.ok(seen.checked > least, `${seen.checked} answers were checked`);
}

export async function client(scope) {
  const { access_token: accessToken } = await control("token", scope ? { scope } : {});
  return new Client({ accessToken, basePath: url });
}

/** A request by hand, checked like the client's. */
export async function ask(token, method, path, body) {
  const response = await watched(`${url}${path}`, {
    method, headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text.startsWith("{") ? JSON.parse(text) : text };
}

/** The refusal that a call of the client ends in. */
export async function refused(call) {
  try {
    await call;
  } catch (error) {
    const body = typeof error.body === "string" ? JSON.parse(error.body) : error.body;
    return { code: error.code, body };
  }
  return assert.fail("it was not refused");
}
