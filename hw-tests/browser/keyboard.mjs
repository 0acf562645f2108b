/** The whole of a conversation by the keyboard alone, on a desktop and at the width of a phone: nothing is clicked. */
import assert from 'node:assert/strict';
import { DESKTOP, PHONE, inspect, newPage, pairing, startBrowser, startNode, story } from './node.mjs';
import { frameOf, press, pressButton, says, tabTo } from './people.mjs';

await story('keyboard', async ({ step, ending }) => {
  const node = await startNode([]);
  ending(() => node.stop());
  const browser = await startBrowser();
  ending(() => browser.close());
  const complaints = [];
  const look = async (page, name) => complaints.push(...(await inspect(page, `keyboard-${name}`)));

  step('two people come in');
  const ann = await newPage(browser, DESKTOP, complaints);
  const bob = await newPage(browser, { viewport: PHONE.viewport }, complaints);
  for (const [page, name] of [[ann, 'ann'], [bob, 'bob']]) {
    await page.goto(pairing(node, name));
    await page.getByRole('heading', { name: /^Hello/ }).waitFor();
  }

  step('one asks, the other accepts');
  await press(bob, 'Contacts');
  const link = bob.getByLabel('Your card as a link');
  await bob.getByAltText(/QR code/).waitFor();
  await press(ann, 'Contacts');
  await type(ann, ann.getByLabel('Their card'), await link.inputValue());
  await type(ann, ann.getByLabel('A few words for them'), 'Ann from next door');
  await ann.keyboard.press('Enter');
  await ann.getByText('Asked. You will see here').waitFor();
  await bob.getByText('Ann from next door').waitFor();
  await pressButton(bob, bob.getByRole('button', { name: 'Accept' }));
  await bob.getByText('You and Ann are contacts now.').waitFor();
  await ann.getByRole('button', { name: /^Bob/ }).waitFor();

  step('both open the chat and choose what it may see');
  const [annChat, bobChat] = [await enter(ann), await enter(bob)];
  await choose(ann, annChat, 'Bob');
  await choose(bob, bobChat, 'Ann');

  step('they write to each other');
  await say(ann, annChat, 'Bob', 'Are you in tonigt?');
  await says(bobChat, 'Are you in tonigt?');
  await say(bob, bobChat, 'Ann', 'From eight on');
  await says(annChat, 'From eight on');
  await look(bob, 'talk-phone');

  step('arrow up edits the last one, Escape leaves it');
  const field = annChat.getByLabel('Write to Bob');
  await tabTo(ann, field);
  await ann.keyboard.press('ArrowUp');
  await annChat.getByText('Editing your message').waitFor();
  await look(ann, 'edit-desktop');
  await ann.keyboard.press('Escape');
  await annChat.getByText('Editing your message').waitFor({ state: 'detached' });
  await ann.keyboard.press('ArrowUp');
  await ann.keyboard.press('ControlOrMeta+A');
  await ann.keyboard.type('Are you in tonight?');
  await ann.keyboard.press('Enter');
  await says(bobChat, 'Are you in tonight?');
  await bobChat.getByText('edited').waitFor();

  for (const [page, chat, other, name, far] of [[ann, annChat, 'Bob', 'desktop', bobChat], [bob, bobChat, 'Ann', 'phone', annChat]]) {
    step(`${name}: back into the messages, edit, reply, delete`);
    await say(page, chat, other, 'wrong window');
    await says(far, 'wrong window');
    await tool(page, chat, 'wrong window', 'Edit');
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('the wrong window');
    await page.keyboard.press('Enter');
    await says(far, 'the wrong window');
    await tool(page, chat, 'the wrong window', 'Reply');
    await page.keyboard.type('as I said');
    await page.keyboard.press('Enter');
    await far.locator('blockquote', { hasText: 'the wrong window' }).waitFor();
    await tool(page, chat, 'the wrong window', 'Delete');
    await page.keyboard.press('Enter');
    await far.locator('.message .text', { hasText: /^the wrong window$/ }).waitFor({ state: 'detached' });
    await says(chat, 'This message was deleted.');
    await chat.locator('textarea:focus').waitFor();

    step(`${name}: the history takes a message back`);
    await say(page, chat, other, `a secret of the ${name}`);
    await says(far, `a secret of the ${name}`);
    // On a phone the way to the other views leads over home.
    await leave(page);
    await press(page, 'History');
    const entry = page.getByRole('listitem').filter({ hasText: `a secret of the ${name}` });
    await pressButton(page, entry.locator('summary'));
    await pressButton(page, entry.getByRole('button', { name: 'Undo' }));
    await pressButton(page, page.getByRole('dialog').getByRole('button', { name: 'Undo' }));
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await far.locator('.message .text', { hasText: `a secret of the ${name}` }).waitFor({ state: 'detached' });
    assert(await page.evaluate(() => document.activeElement !== document.body), 'the focus is lost after undo');
    await look(page, `undone-${name}`);
    await press(page, 'Home');
    await press(page, 'Chat');
    await choose(page, chat, other);
  }

  assert.deepEqual(complaints, []);
});

async function type(page, field, text) {
  await tabTo(page, field);
  await page.keyboard.insertText(text);
}

/** Opens the chat from home and chooses everything. */
async function enter(page) {
  await press(page, 'Home');
  await press(page, 'Chat');
  const chat = frameOf(page);
  await pressButton(page, chat.getByRole('button', { name: 'Choose conversations' }));
  await pressButton(page, page.getByRole('dialog').getByRole('button', { name: 'Choose' }));
  await chat.locator('.row').first().waitFor();
  return chat;
}

async function say(page, chat, name, text) {
  await tabTo(page, chat.getByLabel(`Write to ${name}`));
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
  await says(chat, text);
}

/** From the field back to the messages, up to the one that is meant, and into its tools. */
async function tool(page, chat, text, name) {
  const message = chat.locator('.message').filter({ has: chat.locator('.text', { hasText: new RegExp(`^${text}$`) }) }).last();
  await tabTo(page, chat.locator('.message:focus'), 'Shift+Tab');
  await walkTo(page, message, 'ArrowUp');
  await pressButton(page, message.getByRole('button', { name, exact: true }));
}

/** A list is one stop of the Tab key; the arrows walk in it. */
async function choose(page, chat, name) {
  await chat.locator('.row').first().waitFor();
  await tabTo(page, chat.locator('.row:focus'));
  await page.keyboard.press('Home');
  await walkTo(page, chat.locator('.row', { hasText: name }), 'ArrowDown');
  await page.keyboard.press('Enter');
}

async function walkTo(page, wanted, key) {
  for (let steps = 0; steps < 30; steps += 1) {
    if (await wanted.evaluate((one) => one === document.activeElement)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${key} does not reach ${wanted}`);
}

async function leave(page) {
  if (page.viewportSize().width > 700) return;
  await tabTo(page, page.getByRole('link', { name: 'Back to home' }), 'Shift+Tab');
  await page.keyboard.press('Enter');
}
