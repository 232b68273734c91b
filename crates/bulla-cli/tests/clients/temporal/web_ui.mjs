// The Web UI of a real Temporal server in Chromium: decoded where the codec lets it, raw where it refuses.
//
//   node web_ui.mjs PLAYWRIGHT UI-URL CODEC-URL ALLOWED-TOKEN WORKFLOW
//
// The browser driver sets and drops the authorisation header: without a login of its own, the UI of a development server has no token.
const [playwright, ui, codec, token, workflow] = process.argv.slice(2);
const { chromium } = (await import(playwright)).default;

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  for (const [who, expected] of [[token, true], ['nobody', false]]) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const statuses = [];
    await page.route(`${codec}/**`, async (route) => {
      const request = route.request();
      if (request.method() !== 'POST') return route.continue();
      await route.continue({ headers: { ...request.headers(), authorization: `Bearer ${who}` } });
    });
    const isOfCodec = (response) => response.url().startsWith(codec) && response.request().method() === 'POST';
    page.on('response', (response) => {
      if (isOfCodec(response)) statuses.push(response.status());
    });
    // The UI shows raw payloads before the codec has answered, too.
    const answered = page.waitForResponse(isOfCodec, { timeout: 60_000 });
    await page.goto(`${ui}/namespaces/default/workflows/${workflow}`, { waitUntil: 'domcontentloaded' });
    const shown = (text) => page.waitForFunction((text) => document.body.innerText.includes(text), text, { timeout: 60_000 });
    if (expected) {
      await shown('SECRET-card');
      await shown('SECRET-result');
      if (!statuses.length || statuses.some((status) => status !== 200)) throw new Error(`statuses ${statuses}`);
    } else {
      await answered;
      // Base64 of a record's first bytes, with the scheme of its key: the data as it is stored.
      await shown('"AQEAVWF3cy1rbXM6');
      if ((await page.locator('body').innerText()).includes('SECRET')) throw new Error('plaintext without leave');
      if (!statuses.length || statuses.some((status) => status !== 401)) throw new Error(`statuses ${statuses}`);
    }
    await context.close();
  }
  console.log('ok');
} finally {
  await browser.close();
}
