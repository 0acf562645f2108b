/**
 * A hostile experience in the frame tries every way out, and reaches nothing.
 * A catcher on another port sees whatever arrives outside, whatever the page itself believes. Every way is also
 * tried outside of the wall, in a plain page of a twin's origin: there it has to succeed, or it would prove nothing.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pairing, startNode, startProfile, story, until } from './node.mjs';
import { allow, attackPage, fetched, listens, startCatcher, watched } from './wall.mjs';

/** From this Chromium on a page's `Connection-Allowlist` shuts what no content policy covers: WebRTC and hints. */
const SHUTS_CONNECTIONS = 152;

/** What cannot be shown outside of the wall, and why. */
const UNPROVEN = {
  icon: 'a browser without windows fetches none',
  manifest: 'a browser without windows fetches none',
  prerender: 'Chromium prerenders only what it thinks worth it',
  'another twin': 'no page of another origin may read what a twin answers, walled or not',
  'the node': 'no page of another origin may read what the node answers, walled or not',
  'asking for a choice without the person': 'only the shell has a picker',
  'asking for a space without the person': 'only the shell has a picker',
  'dns prefetch': "nobody hears a lookup but the browser's own log, which is read at the end",
  'a second greeting': 'only the shell is greeted; the first greeting succeeded, or the attack knew no route',
};

await story('hostile', async ({ step, ending }) => {
  const catcher = await startCatcher();
  ending(() => catcher.stop());
  const { caught, leaked, ports, out } = catcher;
  const node = await startNode(['--experience', new URL('./hostile', import.meta.url).pathname]);
  ending(() => node.stop());
  const netlog = join(mkdtempSync(join(tmpdir(), 'hometwin-netlog-')), 'log.json');
  ending(async () => rmSync(dirname(netlog), { recursive: true, force: true }));
  const profile = await startProfile([`--log-net-log=${netlog}`]);
  ending(() => profile.close());
  const { context } = profile;
  watched(context, caught);

  const enter = async (name) => {
    const page = await context.newPage();
    await page.goto(pairing(node, name));
    await page.getByRole('heading', { name: /^Hello/ }).waitFor();
    await allow(page);
    return page;
  };
  const page = await enter('ann');
  const origin = new URL(page.url()).origin;
  const listener = await context.newPage();
  await listener.goto(`${origin}/`);
  const ear = await listens(listener);
  const api = (path, body, headers) => fetched(listener, `/api/${path}`, body, headers);
  await api('chat/1/send', { id: '2'.repeat(32), conversation: 'self', text: 'private' });
  // There is something to be had: a space with a record in it, which nobody was granted.
  const { space } = (await api('spaces/1/create', { id: '3'.repeat(32), name: 'private' })).body;
  const secret = await api('records/1/put', { id: '4'.repeat(32), space, type: 'hometwin/task@1', fields: { title: 'private' } });
  assert.equal(secret.status, 200);
  const other = (await api('experiences/1/open', { name: 'chat' })).body;

  const launch = async (attack) => {
    await page.goto('about:blank');
    await page.goto(`${origin}/x/hostile#${encodeURIComponent([attack, out, other.frame, ports, space].join('|'))}`);
    await page.locator('iframe, [role=alert]').first().waitFor();
  };
  const inside = () => page.frames().find((frame) => frame !== page.mainFrame() && frame.url().includes('/x/'));
  const ask = (question) => inside()?.evaluate(question).catch(() => undefined);
  const finished = (attack) => until(attack, async () => (await ask(() => window.finished)) === attack, 600_000);

  step('every way that leaves the page where it is');
  await launch('all');
  await finished('all');
  const ways = await ask(() => window.ways);
  const tried = await ask(() => window.tried);
  const frameUrl = inside().url();
  assert.deepEqual(await ask(() => window.reached), {});
  assert.deepEqual(caught, []);
  const chromium = Number(await page.evaluate(() => navigator.userAgent.match(/Chrome\/(\d+)/)[1]));
  const open = Object.entries(leaked).map(([way, bytes]) => `${way} (${bytes} bytes)`);
  if (chromium >= SHUTS_CONNECTIONS) assert.deepEqual(open, []);
  else step(`known to be open in Chromium ${chromium}, see THREATS: ${open.join(', ')}, and dns prefetch`);
  assert(!ear.heard, 'another tab heard it');
  assert.equal(await ask(() => window.origin), 'null');
  assert.equal(new URL(page.url()).pathname, '/x/hostile');
  const { items: records } = (await api('records/1/query', { space, type: 'hometwin/task@1' })).body;
  assert.deepEqual(records.map(({ fields }) => fields.title), ['private'], 'what is in the space is as it was');
  assert.deepEqual((await api('spaces/1/list', {})).body.items.length, 1, 'no space was made');
  const grants = await api('experiences/1/grants', {});
  assert.deepEqual([grants.status, grants.body.items], [200, []], 'signed in, and nothing is granted');

  for (const way of ways.filter((name) => !tried.includes(name))) {
    step(way);
    await launch(way);
    // Until it was tried, or moved the frame; then what left has a moment to arrive.
    await until(`${way} to be tried`, async () => !inside() || (await ask(() => window.finished)) === way || (await ask(() => location.href)) === undefined);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual(caught, [], way);
    assert.equal(new URL(page.url()).pathname, '/x/hostile', `${way} moved the shell`);
    for (const frame of page.frames().slice(1)) {
      assert(/\/x\/[0-9a-f]{32}\/|^chrome-error|^about:blank/.test(frame.url()), `${way}: the frame shows ${frame.url()}`);
    }
  }

  const stops = 'flood,endless,asking and taking back,following,huge,buffer,blob,list,deep,loop,shared,odd,numbers,two questions,ports';
  for (const attack of stops.split(',')) {
    step(`${attack}: the frame is stopped, the person is told, the shell goes on`);
    let asked = 0;
    const began = performance.now();
    const count = (request) => (asked += request.url().includes('/api/'));
    page.on('request', count);
    await launch(attack);
    await page.getByText('Hostile was stopped').waitFor();
    assert.equal(await page.locator('iframe').count(), 0);
    await page.getByRole('link', { name: 'Settings' }).click();
    await page.getByRole('heading', { name: 'Settings' }).waitFor();
    page.off('request', count);
    const seconds = 2 + (performance.now() - began) / 1000;
    assert(asked < 400 * seconds, `${asked} calls reached the twin in ${seconds} seconds`);
  }

  step('a frame may hear that notifications are granted, and still shows none');
  await launch('nothing');
  await finished('nothing');
  // The answer is the permission of the twin's own page, which `allow` gave; the frame has none of its own, and
  // the way `notifications` above found that nothing is shown. Without that permission the answer is no.
  const told = () => ask(async () => [await Notification.requestPermission(), Notification.permission]);
  assert.deepEqual(await told(), ['granted', 'denied']);
  await context.clearPermissions();
  assert.deepEqual(await told(), ['denied', 'denied']);
  await allow(page);

  step('what is opened in a tab runs nowhere near the twin');
  for (const file of ['index.html', 'picture.svg']) {
    const tab = await context.newPage();
    await tab.goto(new URL(file, inside().url()).href);
    assert.equal(await tab.evaluate(() => window.origin), 'null', file);
    await assert.rejects(tab.evaluate(() => localStorage.length), file);
    await assert.rejects(tab.evaluate(() => document.cookie.length), file);
    assert.deepEqual(await tab.evaluate(() => ({ ...document.documentElement.dataset })), {}, 'a script in a picture runs');
    await tab.close();
  }
  caught.splice(0); // The tabs themselves are our doing.

  step('a frame of yesterday, a guessed one, and their tokens reach nothing');
  const file = async (frame) => (await fetched(listener, `/x/${frame}/index.html`)).status;
  const { token, frame } = other;
  const wrong = [`${token.slice(0, -1)}${token.endsWith('0') ? 1 : 0}`, '0'.repeat(token.length), 'x', frame, ''];
  const useless = async (tokens) => {
    for (const one of tokens) {
      const { status, body } = await api('chat/1/conversations', {}, { experience: one });
      assert(status >= 400 && !body.items, `the token ${one} got ${status}`);
    }
  };
  assert.equal((await api('chat/1/conversations', {}, { experience: token })).status, 200, 'an open frame can ask');
  assert.deepEqual([await file(frame), await file('0'.repeat(32))], [200, 404]);
  await useless(wrong);
  await page.goto(`${origin}/`);
  await page.getByRole('heading', { name: /^Hello/ }).waitFor();
  await api('experiences/1/close', { frame });
  await useless([token, ...wrong]);
  assert.equal(await file(frame), 404);
  const [yesterday] = frameUrl.match(/[0-9a-f]{32}/);
  await until('the frame of the page that was left to be closed', async () => (await file(yesterday)) === 404);
  assert.deepEqual(caught, []);

  step('the control: outside of the wall each of them succeeds');
  for (const way of Object.keys(leaked)) delete leaked[way];
  const free = await enter('bob');
  const succeeded = await attackPage(free, { ways, tried, out, caught, leaked, ports, unproven: UNPROVEN });
  assert(succeeded.has('a script in a picture'));
  const unproven = ways.filter((name) => !succeeded.has(name) && !UNPROVEN[name]);
  assert.deepEqual(unproven, [], 'these attempts fail without the wall too, so they prove nothing');
  step(`${succeeded.size - 1} of ${ways.length} ways are open without the wall and shut by it`);
  step(`of those no content policy covers: ${Object.entries(leaked).map(([way, bytes]) => `${way} (${bytes} bytes)`).join(', ')}`);

  step("the browser's own log: which names a hint made it look up");
  await profile.close();
  const looked = (who) => readFileSync(netlog, 'utf8').includes(`hint-of-the-${who}.invalid`);
  assert(looked('free'), 'without the wall the hint is taken');
  if (chromium >= SHUTS_CONNECTIONS) assert(!looked('walled'), 'the hint is taken');
  else step(`known to be open in Chromium ${chromium}: dns prefetch ${looked('walled') ? 'asked for a name' : 'did nothing'}`);
});
