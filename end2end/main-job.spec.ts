import { accessible, demo, expect, hydrated, open, test } from './helpers';
import type { Page } from '@playwright/test';

// The main job, as a person does it: sign in, connect, look at the mappings, sync, change a record on each side, sync again.

const looks = [
  { name: 'wide-light', width: 1440, scheme: 'light' },
  { name: 'wide-dark', width: 1440, scheme: 'dark' },
  { name: 'narrow-light', width: 390, scheme: 'light' },
  { name: 'narrow-dark', width: 390, scheme: 'dark' },
] as const;

/** The page as it is now, in each look, into screenshots/; and nothing that axe calls serious in light and dark. */
async function seen(page: Page, name: string) {
  for (const look of looks) {
    await page.emulateMedia({ colorScheme: look.scheme });
    await page.setViewportSize({ width: look.width, height: 900 });
    await page.screenshot({ path: `../screenshots/${name}-${look.name}.png`, fullPage: true });
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(sideways, `${name} scrolls sideways at ${look.width}`).toBeLessThanOrEqual(0);
    if (look.width === 1440) await accessible(page);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1440, height: 900 });
}

async function control(path: string, body?: unknown) {
  const answer = await fetch(`${demo().simulators.salesforce}/_simulator/${path}`, body ? { method: 'POST', body: JSON.stringify(body) } : {});
  expect(answer.ok).toBe(true);
  return answer;
}

async function accounts(): Promise<{ id: string; fields: Record<string, string | null> }[]> {
  return (await (await control('records/Account')).text()).split('\n').filter(Boolean).map(line => JSON.parse(line));
}

async function api(path: string) {
  const { url, apiKey } = demo();
  return (await fetch(`${url}/api/crm/${path}`, { headers: { authorization: `Bearer ${apiKey}` } })).json();
}

/** Waits until no run of the connection is on or waits. */
async function synced(runs: number) {
  await expect
    .poll(async () => (await api('sync/logs?limit=200')).logs.filter((log: { status: string }) => log.status !== 'running').length, { timeout: 90_000 })
    .toBeGreaterThanOrEqual(runs);
  await expect.poll(async () => (await api('configs')).configs[0].lastSyncStatus, { timeout: 90_000 }).toBe('success');
}

test('the main job', async ({ page }) => {
  test.setTimeout(420_000);
  await open(page, '/sign-in');
  await seen(page, '01-sign-in');
  await page.getByRole('button', { name: /^Admin/ }).click();
  await page.waitForURL('**/integrations');
  await hydrated(page);
  await expect(page.getByText('Connect your CRM to keep data in sync')).toBeVisible();
  await seen(page, '02-integrations-empty');

  await page.getByRole('link', { name: 'Connect Salesforce' }).click();
  await page.waitForURL('**/connect**');
  await expect(page.getByRole('heading', { name: 'Connect a CRM' })).toBeVisible();
  await seen(page, '03-choose');
  const started = Date.now();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL('**/connect/salesforce/authorise**');
  await hydrated(page);
  await seen(page, '04-authorise');
  const clicked = Date.now();
  await page.getByRole('button', { name: 'Continue to Salesforce' }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL('**/connect/salesforce/configure');
  await hydrated(page);
  console.log(`OAuth flow, from click to "Configure": ${Date.now() - clicked} ms (with the step before: ${Date.now() - started} ms)`);
  await expect(page.getByRole('button', { name: 'Complete set-up' })).toBeVisible();
  await seen(page, '05-configure');
  await page.getByRole('button', { name: 'Complete set-up' }).click();
  await page.waitForURL('**/connect/salesforce/done**');
  await hydrated(page);
  await synced(2);
  await page.reload();
  await hydrated(page);
  await seen(page, '06-done');

  await open(page, '/integrations/salesforce/mappings/accounts');
  await expect(page.getByText('Website').first()).toBeVisible();
  await seen(page, '07-mappings');

  // A colleague in Salesforce changes one company, we another.
  const both = (await api('records/accounts?limit=200')).records.filter(
    (record: { links: { state: string }[]; deletedAt: string | null }) => record.links.some(link => link.state === 'linked'),
  );
  expect(both.length).toBeGreaterThan(100);
  const [ours, theirs] = both;
  const crmId = (record: { links: { crmRecordId: string }[] }) => record.links[0].crmRecordId;
  await control('edit', { object: 'Account', id: crmId(theirs), fields: { Phone: '+49 30 555 0142' } });
  await open(page, `/records/accounts/${ours.id}`);
  await seen(page, '08-record');
  await page.getByRole('link', { name: 'Edit', exact: true }).first().click();
  await page.getByLabel('Phone', { exact: true }).fill('+44 20 555 0143');
  await page.getByRole('button', { name: /^Save/ }).click();
  await expect(page.getByText('+44 20 555 0143').first()).toBeVisible();

  const before = (await api('sync/logs?limit=200')).pagination.total;
  await open(page, '/integrations');
  await page.getByRole('button', { name: 'Sync now' }).click();
  await synced(before + 1);
  await expect.poll(async () => (await accounts()).find(one => one.id === crmId(ours))?.fields.Phone, { timeout: 60_000 }).toBe('+44 20 555 0143');
  await expect
    .poll(async () => (await api(`records/accounts/${theirs.id}`)).record.fields.phone, { timeout: 60_000 })
    .toBe('+49 30 555 0142');
  await open(page, '/integrations');
  await seen(page, '09-integrations');

  await open(page, '/logs');
  await expect(page.getByRole('heading', { name: 'Logs' })).toBeVisible();
  await seen(page, '10-logs');
  const logs = (await api('sync/logs?entityType=accounts&limit=10')).logs;
  const pull = logs.find((log: { syncDirection: string; recordsUpdated: number }) => log.syncDirection === 'pull' && log.recordsUpdated > 0);
  await open(page, `/logs/${pull.id}`);
  await expect(page.getByText('+49 30 555 0142').first()).toBeVisible();
  await seen(page, '11-log');

  for (const [address, name] of [
    ['/conflicts', '12-conflicts'],
    ['/integrations/salesforce/settings', '13-settings'],
    ['/records/contacts', '14-records'],
    ['/members', '15-members'],
    ['/api-keys', '16-api-keys'],
  ]) {
    await open(page, address);
    await seen(page, name);
  }
});
