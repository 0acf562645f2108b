/** What people do in every story: move about, open the chat, write; and by the keyboard alone. */
import assert from 'node:assert/strict';
import { until } from './node.mjs';

export function go(page, name) {
  if (name === 'Home' && page.url().includes('/x/')) return page.getByRole('link', { name: 'Back to home' }).or(page.getByRole('link', { name: 'Home' })).first().click();
  return page.getByRole('navigation', { name: 'Twin' }).getByRole('link', { name: new RegExp(`^${name}`) }).click();
}

export async function rename(page, name) {
  await go(page, 'Settings');
  await page.getByLabel('What you are called').fill(name);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  await go(page, 'Home');
  await page.getByRole('heading', { name: `Hello, ${name}` }).waitFor();
}

export function frameOf(page) {
  return page.frameLocator('iframe');
}

/** Opens the chat; the first time it sees nothing until the person chooses. */
export async function openChat(page) {
  if (!page.url().includes('/x/')) {
    if (new URL(page.url()).pathname !== '/') await go(page, 'Home');
    await page.getByRole('link', { name: /^Chat/ }).click();
  }
  const chat = frameOf(page);
  const choose = chat.getByRole('button', { name: 'Choose conversations' });
  const first = chat.locator('.row').first();
  await choose.or(first).first().waitFor();
  if (await choose.isVisible()) {
    assert.equal(await chat.locator('.row').count(), 0, 'the chat sees something before the choice');
    await choose.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Choose' }).click();
    await first.waitFor();
  }
  return chat;
}

export async function write(chat, name, text) {
  const field = chat.getByLabel(`Write to ${name}`);
  await field.fill(text);
  await field.press('Enter');
  await says(chat, text);
}

export function says(chat, text) {
  return chat.locator('.message .text', { hasText: text }).last().waitFor();
}

export async function tool(chat, text, name) {
  const message = chat.locator('.message', { hasText: text }).last();
  await message.hover();
  await message.getByRole('button', { name, exact: true }).click({ force: true });
}

/** Makes two people contacts of each other; both are at home afterwards. */
export async function befriend(one, other) {
  await go(other, 'Contacts');
  const link = other.getByLabel('Your card as a link');
  await until('a card', async () => (await link.inputValue()).length > 50);
  await go(one, 'Contacts');
  await one.getByLabel('Their card').fill(await link.inputValue());
  await one.getByRole('button', { name: 'Ask to be in touch' }).click();
  await other.getByRole('button', { name: 'Accept' }).click();
  await other.getByText(/are contacts now/).waitFor();
  await go(one, 'Home');
  await go(other, 'Home');
}

/** Walks to an element by the Tab key. Waits for it first: what is not there yet can't be reached. */
export async function tabTo(page, wanted, key = 'Tab') {
  for (let tabs = 0; tabs < 80; tabs += 1) {
    if (await focused(wanted)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`the keyboard does not reach ${wanted}`);
}

/** Only in the page or frame that really has the keyboard: each has an active element of its own. */
function focused(wanted) {
  return wanted.evaluateAll((found) => found.some((one) => one === document.activeElement && document.hasFocus()));
}

/** Opens a link of the shell by keyboard alone. */
export function press(page, name) {
  return pressButton(page, page.getByRole('link', { name: new RegExp(`^${name}`) }));
}

/** Walks to a button and presses it. */
export async function pressButton(page, button) {
  await button.waitFor();
  await tabTo(page, button);
  await page.keyboard.press('Enter');
}
