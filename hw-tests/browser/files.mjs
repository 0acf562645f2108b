/**
 * Somebody keeps files: sends them, also over an interruption, finds them on another device, renames, replaces,
 * throws away and takes back, and gets out what they put in. What was sent never runs as a page.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DESKTOP, PHONE, inspect, newPage, pairing, startBrowser, startNode, story, until } from './node.mjs';
import { frameOf, go } from './people.mjs';

/** A picture of one point. */
const PIXEL = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const sum = (bytes) => createHash('sha256').update(bytes).digest('hex');

await story('files', async ({ step, ending }) => {
  const node = await startNode(['--sleep-after', '5s']);
  ending(() => node.stop());
  const browser = await startBrowser();
  ending(() => browser.close());
  const complaints = [];

  step('nothing is seen before the choice');
  const ann = await newPage(browser, DESKTOP, complaints);
  await ann.goto(pairing(node, 'ann'));
  await ann.getByRole('heading', { name: /^Hello/ }).waitFor();
  await ann.getByRole('link', { name: /^Files/ }).click();
  const files = frameOf(ann);
  await files.getByRole('button', { name: 'Choose files' }).click();
  complaints.push(...(await inspect(ann, 'files-choice')));
  await ann.getByRole('dialog').getByLabel('All my files').check();
  await ann.getByRole('dialog').getByRole('button', { name: 'Choose' }).click();
  await files.getByText('Nothing here yet.').waitFor();

  step('files arrive: small, large and hostile ones, into a folder');
  await files.getByRole('button', { name: 'New folder' }).click();
  await files.getByLabel('Name of the folder').fill('Holiday');
  await files.getByRole('button', { name: 'Make' }).click();
  await open(files, 'Holiday').click();
  await files.getByRole('heading', { name: 'Holiday' }).waitFor();
  const large = randomBytes(9_000_000);
  const page = Buffer.from('<script>document.title = "ran"; parent.postMessage("ran", "*")</script><h1>page</h1>');
  await send(files, [
    { name: 'note.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') },
    { name: 'film.bin', mimeType: 'application/octet-stream', buffer: large },
    { name: 'evil.html', mimeType: 'text/html', buffer: page },
    { name: 'pixel.png', mimeType: 'image/png', buffer: PIXEL },
  ]);
  for (const name of ['note.txt', 'film.bin', 'evil.html', 'pixel.png']) await open(files, name).waitFor();
  const picture = files.locator('li.file img');
  await until('a picture in the list', () => picture.evaluate((img) => img.complete && img.naturalWidth > 0));
  complaints.push(...(await inspect(ann, 'files-desktop')));

  step('they come out as they went in');
  assert.equal(sum(await save(ann, files, 'film.bin')), sum(large));
  assert.equal((await save(ann, files, 'note.txt')).toString(), 'hello');

  step('opened by its address a file is saved and does not run');
  const [evil] = await Promise.all([ann.waitForEvent('download'), open(files, 'evil.html').click()]);
  const tab = await ann.context().newPage();
  const saved = tab.waitForEvent('download');
  await tab.goto(evil.url()).catch(() => {});
  assert.equal(readFileSync(await (await saved).path()).toString(), page.toString());
  assert.equal(await tab.title(), '');
  await tab.close();

  step('a sending survives the twin, and the network');
  const other = randomBytes(20_000_000);
  let steps = 0;
  await ann.route('**/api/files/1/uploads/*', (route) => {
    if (route.request().method() !== 'PATCH' || ++steps !== 3) return route.continue();
    process.kill(node.verb('twin', 'list').find((twin) => twin.name === 'ann').pid, 'SIGKILL');
    return route.abort();
  });
  await send(files, [{ name: 'long.bin', mimeType: '', buffer: other }]);
  await open(files, 'long.bin').waitFor();
  assert.equal(steps, 6, 'five steps of 4 MiB, one of them twice');
  await ann.unroute('**/api/files/1/uploads/*');
  assert.equal(sum(await save(ann, files, 'long.bin')), sum(other));

  step('renamed, and seen at once on the phone');
  const phone = await newPage(browser, { ...PHONE, storageState: await ann.context().storageState() }, complaints);
  await phone.goto(ann.url());
  const held = frameOf(phone);
  await open(held, 'note.txt').waitFor();
  await tool(files, 'note.txt', 'Rename');
  await files.getByLabel('New name of note.txt').fill('greeting.txt');
  await files.getByRole('button', { name: 'Save', exact: true }).click();
  await open(files, 'greeting.txt').waitFor();
  await open(held, 'greeting.txt').waitFor();
  complaints.push(...(await inspect(phone, 'files-phone')));

  step('the same name again: a new version, and the old one back');
  await send(files, [{ name: 'greeting.txt', mimeType: 'text/plain', buffer: Buffer.from('goodbye') }]);
  await files.getByRole('button', { name: 'As a new version' }).click();
  await until('the new version', async () => (await save(ann, files, 'greeting.txt')).toString() === 'goodbye');
  await tool(files, 'greeting.txt', 'Versions');
  await files.getByRole('button', { name: 'Bring back' }).click();
  await until('the old version', async () => (await save(ann, files, 'greeting.txt')).toString() === 'hello');

  step('thrown away, taken back, thrown away for good');
  await tool(files, 'film.bin', 'Put into the trash');
  await open(files, 'film.bin').waitFor({ state: 'detached' });
  await open(held, 'film.bin').waitFor({ state: 'detached' });
  await files.getByRole('button', { name: 'Trash', exact: true }).click();
  await tool(files, 'film.bin', 'Take back');
  await files.getByText('The trash is empty.').waitFor();
  await open(held, 'film.bin').waitFor();
  await ann.goBack();
  await tool(files, 'film.bin', 'Put into the trash');
  await files.getByRole('button', { name: 'Trash', exact: true }).click();
  await tool(files, 'film.bin', 'Delete for good');
  await files.getByRole('button', { name: 'For good, with all versions?' }).click();
  await files.getByText('The trash is empty.').waitFor();

  step('moved, and the history takes it back');
  await ann.goBack();
  await tool(files, 'long.bin', 'Move');
  await files.getByRole('button', { name: 'Files', exact: true }).click();
  await files.getByRole('button', { name: 'Move long.bin here' }).click();
  await open(files, 'long.bin').waitFor();
  await open(held, 'long.bin').waitFor({ state: 'detached' });
  await go(ann, 'Home');
  await go(ann, 'History');
  const entry = ann.getByRole('listitem').filter({ hasText: 'You moved a file or folder' }).first();
  await entry.locator('summary').click();
  await entry.getByRole('button', { name: 'Undo' }).click();
  await ann.getByRole('dialog').getByRole('button', { name: 'Undo' }).click();
  await open(held, 'long.bin').waitFor();

  step('in German, in the dark, on a narrow phone, by keyboard');
  const state = await phone.context().storageState();
  const small = { viewport: { width: 320, height: 640 }, locale: 'de-DE', colorScheme: 'dark', storageState: state };
  const narrow = await newPage(browser, { ...PHONE, ...small }, complaints);
  await narrow.goto(phone.url());
  const dark = frameOf(narrow);
  await open(dark, 'greeting.txt').waitFor();
  await dark.getByLabel('Was du mit greeting.txt tun kannst').click();
  complaints.push(...(await inspect(narrow, 'files-narrow-de-dark')));
  await open(dark, 'evil.html').focus();
  await narrow.keyboard.press('ArrowDown');
  assert.match(await dark.locator(':focus').textContent(), /greeting/);

  assert.deepEqual(complaints, []);
});

function open(files, name) {
  return files.locator('.open', { hasText: name });
}

async function send(files, chosen) {
  await files.locator('input[type=file]').setInputFiles(chosen);
}

async function tool(files, name, action) {
  const row = files.locator('li', { has: open(files, name) }).first();
  await row.waitFor();
  if (!(await row.locator('details').evaluate((details) => details.open))) await row.locator('summary').click();
  await row.getByRole('button', { name: action, exact: true }).click();
}

async function save(page, files, name) {
  const [download] = await Promise.all([page.waitForEvent('download'), open(files, name).click()]);
  return readFileSync(await download.path());
}
