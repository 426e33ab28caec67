import { open, signIn, test } from './helpers';

// Every screen, wide and narrow, light and dark, into screenshots/.
const looks = [
  { name: 'wide-light', width: 1440, colorScheme: 'light' },
  { name: 'wide-dark', width: 1440, colorScheme: 'dark' },
  { name: 'narrow-light', width: 390, colorScheme: 'light' },
  { name: 'narrow-dark', width: 390, colorScheme: 'dark' },
] as const;

for (const look of looks) {
  test.describe(look.name, () => {
    test.use({ viewport: { width: look.width, height: 900 }, colorScheme: look.colorScheme });

    test('sign-in', async ({ page }) => {
      await open(page, '/sign-in');
      await page.screenshot({ path: `../screenshots/sign-in-${look.name}.png`, fullPage: true });
    });

    test('integrations', async ({ page }) => {
      await signIn(page);
      await page.screenshot({ path: `../screenshots/integrations-${look.name}.png`, fullPage: true });
    });
  });
}
