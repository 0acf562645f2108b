/**
 * Two people share a list: one makes it and asks the other in, both tick at once, both while they can't be reached,
 * with a twin killed half-way; who is taken out gets nothing new. In the end both see the same.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DESKTOP, PHONE, inspect, newPage, pairing, startBrowser, startNode, story, until } from './node.mjs';
import { befriend, frameOf, go } from './people.mjs';
import { fetched } from './wall.mjs';

await story('todo', async ({ step, ending }) => {
  const node = await startNode([]);
  ending(() => node.stop());
  const browser = await startBrowser();
  ending(() => browser.close());
  const complaints = [];

  step('two people know each other');
  const ann = await newPage(browser, DESKTOP, complaints);
  const bob = await newPage(browser, PHONE, complaints);
  await ann.goto(pairing(node, 'ann'));
  await ann.getByRole('heading', { name: /^Hello/ }).waitFor();
  await bob.goto(pairing(node, 'bob'));
  await bob.getByRole('heading', { name: /^Hello/ }).waitFor();
  await befriend(ann, bob);

  step('a list of its own, and nothing before the choice');
  const anns = await openTodo(ann);
  await anns.getByRole('button', { name: 'Choose a space' }).click();
  const dialog = ann.getByRole('dialog');
  await dialog.getByLabel('Its name').fill('Groceries');
  complaints.push(...(await inspect(ann, 'todo-choice')));
  await dialog.getByRole('button', { name: 'Choose', exact: true }).click();
  await anns.getByRole('heading', { name: 'Groceries' }).waitFor();
  await add(anns, 'Milk');
  await add(anns, 'Bread');

  step('the other is asked in and comes');
  await go(ann, 'Home');
  await go(ann, 'Shared');
  await ann.getByRole('button', { name: /Groceries/ }).click();
  await dialog.getByLabel('Words to go with it').fill('for the weekend');
  complaints.push(...(await inspect(ann, 'space-dialog')));
  await dialog.getByRole('button', { name: 'Ask them in' }).click();
  await ann.getByText('Bob is asked in.').waitFor();
  await go(bob, 'Shared');
  await bob.getByText('for the weekend').waitFor();
  complaints.push(...(await inspect(bob, 'space-invitation')));
  await bob.getByRole('button', { name: 'Come in' }).click();
  await bob.getByText('You are in “Groceries”.').waitFor();
  const bobs = await openTodo(bob);
  await bobs.getByRole('button', { name: 'Choose a space' }).click();
  await bob.getByRole('dialog').getByLabel('Groceries').check();
  await bob.getByRole('dialog').getByRole('button', { name: 'Choose', exact: true }).click();
  await task(bobs, 'Milk').waitFor();
  await task(bobs, 'Bread').waitFor();

  step('both tick at once');
  await openTodo(ann);
  await Promise.all([tick(anns, 'Milk'), tick(bobs, 'Bread'), add(anns, 'Apples'), add(bobs, 'Pears')]);
  await same(anns, bobs, ['Apples', 'Pears'], ['Bread', 'Milk']);
  complaints.push(...(await inspect(ann, 'todo-desktop')), ...(await inspect(bob, 'todo-phone')));

  step('both out of reach, and a twin killed half-way');
  await Promise.all([ann.context().setOffline(true), bob.context().setOffline(true)]);
  await add(anns, 'Cheese');
  await tick(anns, 'Apples');
  await add(bobs, 'Olives');
  await ann.context().setOffline(false);
  process.kill(node.verb('twin', 'list').find((twin) => twin.name === 'bob').pid, 'SIGKILL');
  await bob.context().setOffline(false);
  await same(anns, bobs, ['Cheese', 'Olives', 'Pears'], ['Apples', 'Bread', 'Milk']);

  step('changed, dated and removed');
  await tool(bobs, 'Pears', 'Change');
  await bobs.getByLabel('What is to be done', { exact: true }).fill('Ripe pears');
  await bobs.getByRole('button', { name: 'Save' }).click();
  await task(anns, 'Ripe pears').waitFor();
  await tool(anns, 'Olives', 'Day');
  await anns.getByLabel('By which day').fill('2031-05-04');
  await anns.getByRole('button', { name: 'Save' }).click();
  await bobs.getByText('2031').waitFor();
  await tool(anns, 'Cheese', 'Remove');
  await anns.getByRole('button', { name: 'Really remove it for everybody?' }).click();
  await same(anns, bobs, ['Olives', 'Ripe pears'], ['Apples', 'Bread', 'Milk']);

  step('the history knows, and takes back for both');
  await go(ann, 'Home');
  await go(ann, 'History');
  const entry = ann.getByRole('listitem').filter({ hasText: 'You removed something from “Groceries”' }).first();
  await entry.locator('summary').click();
  await entry.getByRole('button', { name: 'Undo' }).click();
  await dialog.getByRole('button', { name: 'Undo' }).click();
  await task(bobs, 'Cheese').waitFor();
  complaints.push(...(await inspect(ann, 'space-history')));

  step('in German, in the dark, on a narrow phone');
  const state = await bob.context().storageState();
  const small = { viewport: { width: 320, height: 640 }, locale: 'de-DE', colorScheme: 'dark', storageState: state };
  const narrow = await newPage(browser, { ...PHONE, ...small }, complaints);
  await narrow.goto(bob.url());
  const dark = frameOf(narrow);
  await task(dark, 'Cheese').waitFor();
  await dark.getByLabel(/Was mit .*Cheese/).click();
  complaints.push(...(await inspect(narrow, 'todo-narrow-de-dark')));
  await narrow.goto(new URL('/spaces', narrow.url()).href);
  await narrow.getByRole('button', { name: /Groceries/ }).waitFor();
  complaints.push(...(await inspect(narrow, 'spaces-narrow-de-dark')));
  await narrow.context().close();

  step('out as a text, edited, and in again');
  await go(ann, 'Shared');
  const list = () => ann.getByRole('button', { name: /Groceries/ }).click();
  await list();
  const [saved] = await Promise.all([ann.waitForEvent('download'), dialog.getByRole('button', { name: 'Save as text' }).click()]);
  assert.equal(saved.suggestedFilename(), 'Groceries.txt');
  const text = readFileSync(await saved.path(), 'utf8');
  assert.match(text, /^hometwin records 1\n# Groceries\n# Change what you like/);
  assert.match(text, /\ntitle: Ripe pears\n/);
  const read = async (words) => {
    await list();
    await dialog.locator('input[type=file]').setInputFiles({ name: 'Groceries.txt', mimeType: 'text/plain', buffer: Buffer.from(words) });
  };
  await read(text.replace('title: Ripe pears', 'title: Very ripe pears\ntitle: again'));
  await dialog.getByText('Nothing was changed.').waitFor();
  await dialog.getByText('this field is there twice.').waitFor();
  complaints.push(...(await inspect(ann, 'text-mistakes')));
  await dialog.getByRole('button', { name: 'Close' }).click();
  await read(`${text.replace('title: Ripe pears', 'title: Very ripe pears')}\nnew hometwin/task@1\ntitle: Figs\n`);
  await dialog.getByText('1 is new and 1 changes').waitFor();
  complaints.push(...(await inspect(ann, 'text-does')));
  await dialog.getByRole('button', { name: 'Do it' }).click();
  await task(bobs, 'Very ripe pears').waitFor();
  await task(bobs, 'Figs').waitFor();

  step('who is taken out gets nothing new');
  await go(ann, 'Shared');
  await ann.getByRole('button', { name: /Groceries/ }).click();
  await dialog.getByRole('button', { name: 'Take out' }).click();
  await dialog.getByRole('button', { name: 'Take out' }).click();
  await ann.getByText(/Bob is no longer in/).waitFor();
  await bobs.getByRole('button', { name: 'Choose a space' }).waitFor();
  await openTodo(ann);
  await add(anns, 'Secret');
  // What Ann says to him in another way goes the same way and later: had the other come, it were here before.
  await said(ann, bob, 'That was all');
  await go(bob, 'Home');
  await go(bob, 'History');
  await bob.getByText(/took you out of/).first().waitFor();
  const held = JSON.stringify([
    await asked(bob, 'history/1/list', { limit: 200 }),
    ...(await asked(bob, 'spaces/1/list', { all: true })).items,
    ...(await titles(bob)),
  ]);
  assert(held.includes('Milk'), 'what he had he keeps');
  assert(!held.includes('Secret'), 'he got what was written without him');
  assert.deepEqual(complaints, []);
});

/** What a page's own twin answers. */
async function asked(page, path, body) {
  const { status, body: answer } = await fetched(page, `/api/${path}`, body);
  assert.equal(status, 200, `${path}: ${JSON.stringify(answer)}`);
  return answer;
}

/** What a twin has of its only space, whether or not its person is still in it. */
async function titles(page) {
  const { items } = await asked(page, 'history/1/list', { limit: 200, kinds: ['record.'] });
  return items;
}

/** One says something to the other, who hears it. */
async function said(from, to, text) {
  const { items } = await asked(from, 'chat/1/conversations', {});
  const { conversation } = items.find(({ with: other }) => !other.me);
  await asked(from, 'chat/1/send', { id: crypto.randomUUID().replaceAll('-', ''), conversation, text });
  await until('the other to hear it', async () => {
    const heard = await asked(to, 'chat/1/messages', { conversation });
    return heard.items.some((message) => message.text === text);
  });
}

async function openTodo(page) {
  if (!page.url().includes('/x/')) {
    if (new URL(page.url()).pathname !== '/') await go(page, 'Home');
    await page.getByRole('link', { name: /^To-do/ }).click();
  }
  return frameOf(page);
}

function task(todo, title) {
  return todo.locator('li', { has: todo.locator('.title', { hasText: new RegExp(`^${title}$`) }) });
}

async function add(todo, title) {
  await todo.getByLabel('What is to be done?').fill(title);
  await todo.getByLabel('What is to be done?').press('Enter');
  await task(todo, title).waitFor();
}

async function tick(todo, title) {
  await task(todo, title).getByRole('checkbox').click();
  await todo.locator('li.ticked', { hasText: title }).waitFor({ state: 'attached' });
}

async function tool(todo, title, name) {
  await task(todo, title).locator('summary').click();
  await task(todo, title).getByRole('button', { name, exact: true }).click();
}

/** Both see these to do and these done. */
async function same(one, other, left, done) {
  const seen = async (todo) => {
    const titles = async (of) => (await todo.locator(of).allTextContents()).sort();
    return [await titles('li:not(.ticked) .title'), await titles('li.ticked .title')];
  };
  const wanted = JSON.stringify([left, done]);
  for (const todo of [one, other]) {
    await until(`the list to be ${wanted}`, async () => JSON.stringify(await seen(todo)) === wanted);
  }
}
