import { accessible, demo, expect, hydrated, open, signIn, test } from './helpers';

test('a person signs in with e-mail and password and out again', async ({ page }) => {
  await signIn(page);
  await expect(page).toHaveURL(/\/integrations$/);
  const cookies = await page.context().cookies();
  const session = cookies.find(cookie => cookie.httpOnly);
  expect(session?.sameSite).toBe('Lax');
});

test('a wrong password is told beside the form and leaves the person outside', async ({ page }) => {
  await open(page, '/sign-in');
  await page.getByLabel('E-mail').fill('admin@demo.test');
  await page.getByLabel('Password', { exact: true }).fill('not the password');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page).toHaveURL(/\/sign-in/);
});

test('the demo offers its people by one click', async ({ page }) => {
  await open(page, '/sign-in');
  for (const person of demo().users) await expect(page.getByText(person.email)).toBeVisible();
  await page.getByRole('button', { name: /reviewer@demo\.test/ }).click();
  await page.waitForURL(/\/integrations$/);
  await hydrated(page);
});

test('a page asked for before signing in is the one that comes after it', async ({ page }) => {
  await page.goto('/logs');
  await expect(page).toHaveURL(/\/sign-in\?/);
  await hydrated(page);
  await page.getByRole('button', { name: /admin@demo\.test/ }).click();
  await page.waitForURL(/\/logs$/);
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1440, 390]) {
    test(`the sign-in page is accessible, ${colorScheme}, ${width} px`, async ({ page }) => {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await open(page, '/sign-in');
      await accessible(page);
    });
  }
}

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('a person signs in', async ({ page }) => {
    const person = demo().users.find(user => user.role === 'admin');
    await page.goto('/sign-in');
    await page.getByLabel('E-mail').fill(person!.email);
    await page.getByLabel('Password', { exact: true }).fill(person!.password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await expect(page).toHaveURL(/\/integrations$/);
  });

  test('a person enters by one click', async ({ page }) => {
    await page.goto('/sign-in');
    await page.getByRole('button', { name: /salesops@demo\.test/ }).click();
    await expect(page).toHaveURL(/\/integrations$/);
  });
});
