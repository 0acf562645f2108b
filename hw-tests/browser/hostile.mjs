/**
 * A hostile experience in the frame tries every way out, and reaches nothing.
 * A catcher on another port sees whatever arrives outside, whatever the page itself believes.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { DESKTOP, newPage, startBrowser, startNode, story, until } from './node.mjs';

await story('hostile', async ({ step, ending }) => {
  const caught = [];
  const catcher = createServer((request, answer) => {
    caught.push(`${request.method} ${request.url}`);
    answer.writeHead(200, { 'access-control-allow-origin': '*', 'content-type': 'text/javascript' }).end('1');
  });
  catcher.on('upgrade', (request, socket) => caught.push(`upgrade ${request.url}`) && socket.destroy());
  await new Promise((resolve) => catcher.listen(0, '127.0.0.1', resolve));
  ending(async () => catcher.close());
  const out = `http://127.0.0.1:${catcher.address().port}`;

  const folder = fileURLToPath(new URL('./hostile', import.meta.url));
  const node = await startNode(['--ephemeral', '--people', 'ann,bob', '--experience', folder]);
  ending(() => node.stop());
  const browser = await startBrowser();
  ending(() => browser.close());
  const { url } = await node.event((event) => event.event === 'pair' && event.name === 'ann');
  const page = await newPage(browser, DESKTOP, []);
  let dialogs = 0;
  page.on('dialog', (dialog) => (dialogs += 1) && dialog.dismiss());
  page.context().on('page', () => caught.push('a new window'));
  page.on('download', (download) => caught.push(`a download of ${download.url()}`));
  await page.goto(url);
  await page.getByRole('heading', { name: /^Hello/ }).waitFor();
  const origin = new URL(page.url()).origin;
  const launch = async (attack) => {
    await page.goto('about:blank');
    await page.goto(`${origin}/x/hostile#${encodeURIComponent(`${attack}|${out}`)}`);
    await page.locator('iframe, [role=alert]').first().waitFor();
  };
  const inside = () => page.frames().find((frame) => frame !== page.mainFrame() && frame.url().includes('/x/'));
  const finished = () => inside()?.evaluate(() => window.finished).catch(() => '');

  step('the catcher catches');
  await page.goto(`${out.replace('127.0.0.1', 'localhost')}/page`);
  await page.evaluate((to) => fetch(`${to}/control`, { mode: 'no-cors' }), out);
  assert(caught.includes('GET /control'), `nothing but ${caught}`);
  await page.goto(`${origin}/`);
  caught.splice(0);

  step('every way out');
  await launch('ways');
  const frameUrl = await (async () => {
    await until('the frame', () => inside());
    return inside().url();
  })();
  await until('the attacks to end', async () => (await finished()) === 'ways', 240_000);
  assert.deepEqual(await inside().evaluate(() => window.reached), []);
  assert.deepEqual(caught, []);
  assert.equal(dialogs, 0, 'it opened a dialog');
  assert(page.url().startsWith(`${origin}/x/hostile`), `it moved the shell to ${page.url()}`);
  assert.equal(await inside().evaluate(() => window.origin), 'null');
  // Still signed in, and nothing was granted.
  const grants = await page.evaluate(async () => {
    const answer = await fetch('/api/experiences/1/grants', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    return [answer.status, (await answer.json()).items];
  });
  assert.deepEqual(grants, [200, []]);

  for (const attack of ['flood', 'endless', 'huge', 'deep', 'odd']) {
    step(`${attack} messages end it, and the shell goes on`);
    await launch(attack);
    await page.getByText('Hostile was stopped').waitFor({ timeout: 30_000 });
    await page.getByRole('link', { name: 'Settings' }).click();
    await page.getByRole('heading', { name: 'Settings' }).waitFor();
  }

  for (const attack of ['leave', 'refresh', 'to-shell']) {
    step(`${attack}: the frame can't become another page`);
    await launch(attack);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    assert.deepEqual(caught, [], attack);
    for (const frame of page.frames().slice(1)) {
      const title = await frame.title().catch(() => '');
      assert.doesNotMatch(title, /Ann|ann|Home ·/, 'the shell runs inside the frame');
    }
    assert(page.url().startsWith(`${origin}/x/hostile`));
  }

  step('opened in a tab it has no origin and no name');
  await launch('nothing');
  await until('the frame', () => inside());
  const tab = await page.context().newPage();
  caught.splice(0); // The tab itself is our doing.
  await tab.goto(inside().url());
  assert.equal(await tab.evaluate(() => window.origin), 'null');
  await assert.rejects(tab.evaluate(() => localStorage.length));
  await assert.rejects(tab.evaluate(() => document.cookie.length));
  await tab.close();

  step('a frame of yesterday is gone');
  await page.goto(`${origin}/`);
  await page.getByRole('heading', { name: /^Hello/ }).waitFor();
  const answer = await page.request.get(frameUrl);
  assert.equal(answer.status(), 404);
  assert.deepEqual(caught, []);
});
