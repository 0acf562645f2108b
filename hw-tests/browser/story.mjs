/**
 * Two people meet and talk, each in their own browser: a desktop and a phone.
 * Everything is done as a person would: by what is on the screen and by the keyboard.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DESKTOP, PHONE, inspect, newPage, pairing, photo, startBrowser, startNode, story, until, watch } from './node.mjs';
import { frameOf, go, openChat, rename, says, tool, write } from './people.mjs';

/** Larger than what lies in an entry. */
const picture = photo(800, 560);

await story('story', async ({ step, ending }) => {
  const node = await startNode(['--sleep-after', '2s']);
  ending(() => node.stop());
  const browser = await startBrowser();
  ending(() => browser.close());
  const complaints = [];

  step('two people come in');
  const ann = await newPage(browser, DESKTOP, complaints);
  let bob = await newPage(browser, PHONE, complaints);
  await ann.goto(pairing(node, 'ann'));
  await bob.goto(pairing(node, 'bob'));
  for (const page of [ann, bob]) {
    await page.getByRole('heading', { name: /^Hello/ }).waitFor();
    assert(!page.url().includes('#'), 'the code stays in the address');
  }

  step('they say who they are');
  await rename(ann, 'Ann');
  await rename(bob, 'Bob');

  step('cards are exchanged');
  await go(ann, 'Contacts');
  await go(bob, 'Contacts');
  const link = bob.getByLabel('Your card as a link');
  await until('a card', async () => (await link.inputValue()).length > 50);
  await ann.getByLabel('Their card').fill(await link.inputValue());
  await ann.getByLabel('A few words for them').fill("It's Ann from next door");
  await ann.getByRole('button', { name: 'Ask to be in touch' }).click();
  await bob.getByText("It's Ann from next door").waitFor();
  complaints.push(...(await inspect(bob, 'request-phone')));
  await bob.getByRole('button', { name: 'Accept' }).click();
  await bob.getByText('You and Ann are contacts now.').waitFor();
  await ann.getByRole('button', { name: /Bob/ }).waitFor();

  step('both choose what the chat may see');
  const annChat = await openChat(ann);
  let bobChat = await openChat(bob);

  step('they talk, live, both ways');
  await annChat.getByRole('button', { name: /^Bob/ }).click();
  await bobChat.getByRole('button', { name: /^Ann/ }).click();
  await write(annChat, 'Bob', 'Are you in tonight?');
  await says(bobChat, 'Are you in tonight?');
  await write(bobChat, 'Ann', 'From eight on. Bring the drll?');
  await says(annChat, 'From eight on. Bring the drll?');
  await annChat.locator('.message').getByText(/· read$/).waitFor();

  step('edit, reply, delete');
  await tool(bobChat, 'Bring the drll?', 'Edit');
  await write(bobChat, 'Ann', 'From eight on. Bring the drill?');
  await says(annChat, 'From eight on. Bring the drill?');
  await annChat.getByText('edited').waitFor();
  await tool(annChat, 'Bring the drill?', 'Reply');
  await write(annChat, 'Bob', 'Will do');
  await says(bobChat, 'Will do');
  await write(annChat, 'Bob', 'wrong window');
  await says(bobChat, 'wrong window');
  await tool(annChat, 'wrong window', 'Delete');
  await annChat.getByRole('button', { name: 'Delete for everybody?' }).click();
  await says(bobChat, 'This message was deleted.');
  await says(annChat, 'This message was deleted.');

  step('a photo is shared, and kept in the files of the other');
  await annChat.locator('input[type=file]').setInputFiles({ name: 'garden.png', mimeType: 'image/png', buffer: picture });
  const came = bobChat.locator('.file', { hasText: 'garden.png' });
  await until('the photo', () => came.locator('img').evaluate((img) => img.complete && img.naturalWidth > 1).catch(() => false));
  complaints.push(...(await inspect(bob, 'photo-phone')));
  await came.getByRole('button', { name: 'Keep garden.png in my files' }).click();
  await bob.getByRole('dialog').getByRole('button', { name: 'Choose' }).click();
  await came.getByText('Kept in your files as garden.png.').waitFor();
  await go(bob, 'Home');
  await bob.getByRole('link', { name: /^Files/ }).click();
  const kept = frameOf(bob);
  await kept.getByRole('button', { name: 'Choose files' }).click();
  await bob.getByRole('dialog').getByLabel('All my files').check();
  await bob.getByRole('dialog').getByRole('button', { name: 'Choose' }).click();
  await kept.locator('.open', { hasText: 'Chat' }).click();
  const [saved] = await Promise.all([bob.waitForEvent('download'), kept.locator('.open', { hasText: 'garden.png' }).click()]);
  assert.deepEqual(readFileSync(await saved.path()), picture);
  await go(bob, 'Home');
  bobChat = await openChat(bob);
  await bobChat.getByRole('button', { name: /^Ann/ }).click();

  step('history finds it and takes it back');
  await write(annChat, 'Bob', 'the surprise party is on Friday');
  await says(bobChat, 'surprise party');
  // The read marker is the last thing that happens: the history stands still from then on.
  await annChat.locator('.message', { hasText: 'surprise' }).getByText(/· read$/).waitFor();
  await go(ann, 'Home');
  await go(ann, 'History');
  await ann.getByLabel('Search for words').fill('surprise');
  const entry = ann.getByRole('listitem').filter({ hasText: 'surprise party' });
  await entry.locator('summary').click();
  await write(bobChat, 'Ann', 'What surprise?');
  await ann.getByRole('listitem').filter({ hasText: 'What surprise?' }).waitFor();
  assert(await entry.locator('details').evaluate((details) => details.open), 'what happens elsewhere closes an opened entry');
  await entry.getByRole('button', { name: 'Undo' }).click();
  complaints.push(...(await inspect(ann, 'undo-desktop')));
  await ann.getByRole('dialog').getByRole('button', { name: 'Undo' }).click();
  await until('the message to be taken back', async () => (await bobChat.locator('.message .text', { hasText: 'surprise party' }).count()) === 0);

  step('the laptop closes, the twin sleeps, a message comes, the laptop opens');
  const address = bob.url();
  const profile = bob.context();
  await bob.close();
  const asleep = (name) => node.verb('twin', 'list').some((twin) => twin.name === name && !twin.awake);
  await until('Bob to sleep', () => asleep('bob'));
  await go(ann, 'Home');
  const again = await openChat(ann);
  await again.getByRole('button', { name: /^Bob/ }).click();
  await write(again, 'Bob', 'Sleep well');
  bob = await profile.newPage();
  watch(bob, complaints);
  await bob.goto(address);
  bobChat = frameOf(bob);
  await says(bobChat, 'Sleep well');

  step('twin and gateway are killed under open pages, which come back by themselves');
  const { pid } = node.verb('twin', 'list').find((twin) => twin.name === 'bob');
  process.kill(pid, 'SIGKILL');
  await write(again, 'Bob', 'still there?');
  await says(bobChat, 'still there?');
  process.kill(node.verb('status').gateway, 'SIGKILL');
  await write(bobChat, 'Ann', 'of course');
  await says(again, 'of course');

  step('by keyboard alone');
  await go(ann, 'Home');
  // A page that was just opened has the focus as a whole: only a link counts.
  const focused = () => ann.evaluate(() => (document.activeElement.matches('a') ? document.activeElement.textContent : ''));
  for (let tabs = 0; tabs < 20 && !/Chat/.test(await focused()); tabs += 1) await ann.keyboard.press('Tab');
  assert.match(await focused(), /Chat/);
  await ann.keyboard.press('Enter');
  await frameOf(ann).getByRole('button', { name: /^Bob/ }).waitFor();

  step('pictures in both sizes, colours and all languages');
  const state = await ann.context().storageState();
  const origin = new URL(ann.url()).origin;
  const conversation = new URL(ann.url()).hash || new URL(address).hash;
  const views = { home: '/', contacts: '/contacts', history: '/history', settings: '/settings', chat: `/x/chat${conversation}` };
  const filled = { home: '.tile', contacts: '.row', history: '.entry', settings: '#sessions ~ .rows .row' };
  const narrow = { viewport: { width: 320, height: 640 } };
  const tablet = { viewport: { width: 820, height: 1180 }, hasTouch: true };
  for (const [size, device] of Object.entries({ desktop: DESKTOP, phone: PHONE, narrow, tablet })) {
    for (const [looks, options] of Object.entries({
      light: {},
      dark: { colorScheme: 'dark' },
      de: { locale: 'de-DE' },
      qps: { query: '?lang=qps' },
    })) {
      const { query = '', ...context } = options;
      const page = await newPage(browser, { ...device, ...context, storageState: state }, complaints);
      for (const [view, path] of Object.entries(views)) {
        const [place, hash = ''] = path.split('#');
        const answer = await page.goto(`${origin}${place}${query}${hash && `#${hash}`}`);
        assert(answer === null || answer.ok(), `${place} can't be opened by its address: ${answer?.status()}`);
        if (view === 'chat') await frameOf(page).locator('.message:visible').first().waitFor();
        else await page.locator(filled[view]).first().waitFor();
        await page.evaluate(() => document.fonts.ready);
        complaints.push(...(await inspect(page, `${view}-${size}-${looks}`, { axe: looks !== 'qps' })));
        if (view === 'settings') {
          await page.locator('#view').evaluate((scrolls) => scrolls.scrollTo(0, scrolls.scrollHeight));
          complaints.push(...(await inspect(page, `settings-end-${size}-${looks}`, { axe: false })));
        }
        if (looks === 'qps') assert.equal(await page.evaluate(() => document.documentElement.dir), 'rtl');
        if (looks === 'de') assert.match(await page.evaluate(() => document.documentElement.lang), /^de\b/);
      }
      await page.context().close();
    }
  }

  assert.deepEqual(complaints, []);
});
