/**
 * Three people talk in a space: on a desktop, a phone and a tablet. One comes later and finds what was said; one is away
 * with a twin that is killed; one may only look for a while. In the end all have the same.
 */
import assert from 'node:assert/strict';
import { DESKTOP, PHONE, inspect, newPage, pairing, startBrowser, startNode, story, until } from './node.mjs';
import { befriend, frameOf, go, openChat, says, tool, write } from './people.mjs';

const ALL = 'everybody in Book club';

await story('group', async ({ step, ending }) => {
  const node = await startNode([]);
  ending(() => node.stop());
  const browser = await startBrowser();
  ending(() => browser.close());
  const complaints = [];

  step('three people, of whom two know only the first');
  const ann = await newPage(browser, DESKTOP, complaints);
  const bob = await newPage(browser, PHONE, complaints);
  const cem = await newPage(browser, { viewport: { width: 820, height: 1180 } }, complaints);
  for (const [page, name] of [[ann, 'ann'], [bob, 'bob'], [cem, 'cem']]) {
    await page.goto(pairing(node, name));
    await page.getByRole('heading', { name: /^Hello/ }).waitFor();
  }
  await befriend(ann, bob);
  await befriend(ann, cem);

  step('a space, and the way from it to its conversation');
  await go(ann, 'Shared');
  await ann.getByLabel('Name', { exact: true }).fill('Book club');
  await ann.getByRole('button', { name: 'Make it' }).click();
  await ask(ann, 'Bob');
  await come(bob);
  const bobs = await openChat(bob);
  await bobs.getByRole('button', { name: /^Book club/ }).click();
  const anns = await openChat(ann);
  await anns.getByRole('button', { name: /^Book club/ }).waitFor();
  await go(ann, 'Home');
  await go(ann, 'Shared');
  await ann.getByRole('button', { name: /Book club/ }).click();
  await ann.getByRole('dialog').getByRole('button', { name: 'Conversation' }).click();
  await write(anns, ALL, 'What do we read next?');
  await says(bobs, 'What do we read next?');
  await write(bobs, ALL, 'Something shrot');
  await says(anns, 'Something shrot');
  await tool(bobs, 'Something shrot', 'Edit');
  await write(bobs, ALL, 'Something short');
  await says(anns, 'Something short');

  step('who comes later finds what was said, read already');
  await go(ann, 'Home');
  await go(ann, 'Shared');
  await ask(ann, 'Cem');
  await come(cem);
  const cems = await openChat(cem);
  await cems.locator('.row', { hasText: 'Bob: Something short' }).waitFor();
  assert.equal(await cems.locator('.unread').count(), 0);
  await cems.getByRole('button', { name: /^Book club/ }).click();
  await until('the names of senders', async () => (await cems.locator('.who').allTextContents()).join() === 'Ann,Bob');
  await cems.getByText('With Ann and Bob').waitFor();
  await tool(cems, 'Something short', 'Reply');
  await write(cems, ALL, 'A play?');
  await says(bobs, 'A play?');
  complaints.push(...(await inspect(bob, 'group-phone')), ...(await inspect(cem, 'group-tablet')));

  step('unread, and read');
  await go(bob, 'Home');
  await write(cems, ALL, 'Or poems');
  await go(ann, 'Home');
  await openChat(ann);
  const row = anns.getByRole('button', { name: /^Book club/ });
  await row.locator('.unread', { hasText: '2' }).waitFor();
  await row.click();
  await until('nothing unread', async () => (await row.locator('.unread').count()) === 0);

  step('all write while one is out of reach and another twin is killed');
  await openChat(bob);
  await bobs.getByRole('button', { name: /^Book club/ }).click();
  await cem.context().setOffline(true);
  await write(cems, ALL, 'poems from here');
  process.kill(node.verb('twin', 'list').find((twin) => twin.name === 'bob').pid, 'SIGKILL');
  await write(anns, ALL, 'poems from there');
  await write(bobs, ALL, 'poems from anywhere');
  await cem.context().setOffline(false);
  await same([anns, bobs, cems], 7);

  step('deleted for everybody, and taken back in the history');
  await tool(anns, 'poems from there', 'Delete');
  await anns.getByRole('button', { name: 'Delete for everybody?' }).click();
  await says(cems, 'This message was deleted.');
  await go(ann, 'Home');
  await go(ann, 'History');
  await ann.getByText('Cem wrote in “Book club”: “poems from here”').waitFor();
  const entry = ann.getByRole('listitem').filter({ hasText: 'You deleted a message in “Book club”' });
  await entry.locator('summary').click();
  await entry.getByRole('button', { name: 'Undo' }).click();
  await ann.getByRole('dialog').getByRole('button', { name: 'Undo' }).click();
  await says(cems, 'poems from there');
  complaints.push(...(await inspect(ann, 'group-history')));

  step('who may only look reads on, in German, in the dark, on a narrow phone');
  await go(ann, 'Shared');
  await ann.getByRole('button', { name: /Book club/ }).click();
  const bobsRow = ann.getByRole('dialog').getByRole('listitem').filter({ hasText: 'Bob' });
  await bobsRow.getByRole('button', { name: 'Only look' }).click();
  await bobs.getByText('but not write there').waitFor();
  await write(cems, ALL, 'Decided, then');
  await says(bobs, 'Decided, then');
  const state = await bob.context().storageState();
  const small = { viewport: { width: 320, height: 640 }, locale: 'de-DE', colorScheme: 'dark', storageState: state };
  const narrow = await newPage(browser, { ...PHONE, ...small }, complaints);
  await narrow.goto(bob.url());
  await frameOf(narrow).getByText('aber dort nicht schreiben').waitFor();
  complaints.push(...(await inspect(narrow, 'group-narrow-de-dark')));
  await narrow.context().close();
  const again = await openChat(ann.url().includes('/x/') ? ann : (await go(ann, 'Home'), ann));
  await again.getByRole('button', { name: /^Book club/ }).click();
  await same([again, bobs, cems], 8);
  assert.deepEqual(complaints, []);
});

/** Asks somebody into the space; the page with the spaces is open. */
async function ask(page, name) {
  await page.getByRole('button', { name: /Book club/ }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Who').selectOption(name);
  await dialog.getByRole('button', { name: 'Ask them in' }).click();
  await page.getByText(`${name} is asked in.`).waitFor();
}

async function come(page) {
  await go(page, 'Shared');
  await page.getByRole('button', { name: 'Come in' }).click();
  await page.getByText('You are in “Book club”.').waitFor();
}

/** All see the same words in the same order. */
async function same(all, count) {
  const seen = (chat) => chat.locator('.message .text').allTextContents();
  await until(`${count} messages, the same for all`, async () => {
    const texts = await Promise.all(all.map(seen));
    return texts.every((one) => one.length === count && one.join('\n') === texts[0].join('\n'));
  });
}
