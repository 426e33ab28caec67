// What every spec uses: a page whose console must stay silent, people of the demo, hydration, accessibility.
import { readFileSync } from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import { expect, test as base, type Page } from '@playwright/test';

export interface Demo {
  url: string;
  databaseUrl: string;
  writerDatabaseUrl: string;
  apiKey: string;
  workspaceId: string;
  users: { email: string; password: string; role: Role }[];
  simulators: { salesforce: string };
}

export type Role = 'admin' | 'sales_ops' | 'reviewer' | 'compliance';

/** The demo that is looked at, from its demo.json. */
export function demo(): Demo {
  return JSON.parse(readFileSync(process.env.CROSSTIE_DEMO_FILE ?? '../data/demo.json', 'utf8'));
}

/** A test whose page may not write errors or warnings to the console, throw, or ask for what is not there. */
export const test = base.extend<{ complaints: string[] }>({
  complaints: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      page.on('pageerror', error => complaints.push(String(error)));
      page.on('console', message => {
        // Chromium itself notes each refusal (4xx) of the server; a form that is refused on purpose must not fail for that.
        const isRefusal = /^Failed to load resource: the server responded with a status of 4\d\d/.test(message.text());
        if (['error', 'warning'].includes(message.type()) && !isRefusal) complaints.push(message.text());
      });
      page.on('response', response => {
        if (response.status() >= 500) complaints.push(`${response.status()} ${response.url()}`);
      });
      await use(complaints);
      expect(complaints, 'complaints of the page').toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** A click before hydration may be lost: waits until the browser's program has taken over. */
export async function hydrated(page: Page) {
  await page.waitForSelector('html[data-hydrated="true"]', { state: 'attached' });
}

/** Goes to an address and waits for hydration. */
export async function open(page: Page, address: string) {
  await page.goto(address);
  await hydrated(page);
}

/** Signs in as one of the demo's people, by e-mail and password. */
export async function signIn(page: Page, role: Role = 'admin', next = '/') {
  const person = demo().users.find(user => user.role === role);
  if (!person) throw new Error(`the demo has nobody of role ${role}`);
  await open(page, `/sign-in?next=${encodeURIComponent(next)}`);
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL(url => url.pathname !== '/sign-in');
  await hydrated(page);
}

/** Fails with the violations' names and places. */
export async function accessible(page: Page) {
  const result = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
  const found = result.violations.map(one => `${one.id}: ${one.nodes.map(node => node.target.join(' ')).join(', ')}`);
  expect(found).toEqual([]);
}
