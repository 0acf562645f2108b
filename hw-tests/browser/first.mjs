/** What somebody sees before they know anybody: the node's own page, being let in, and the first empty views. */
import assert from 'node:assert/strict';
import { DESKTOP, PHONE, inspect, newPage, startBrowser, startNode, story } from './node.mjs';
import { press, tabTo } from './people.mjs';

await story('first', async ({ step, ending }) => {
  const node = await startNode([]);
  ending(() => node.stop());
  const browser = await startBrowser();
  ending(() => browser.close());
  const complaints = [];
  const look = async (page, name) => complaints.push(...(await inspect(page, `first-${name}`)));
  const { url } = await node.event(({ event }) => event === 'welcome');

  step('a new node asks for a name and nothing else');
  const page = await newPage(browser, PHONE, complaints);
  await page.goto(url);
  await page.getByLabel("Your twin's name").pressSequentially('Grandma Ann');
  await page.getByText('grandma-ann.').waitFor();
  await look(page, 'claim-phone');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: /^Hello/ }).waitFor();

  step('by keyboard: the first steps, the card, the settings');
  await page.getByRole('heading', { name: 'To begin' }).waitFor();
  await look(page, 'home-phone');
  await press(page, 'Say who you are');
  const name = page.getByLabel('What you are called');
  await tabTo(page, name);
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('Ann');
  await page.keyboard.press('Enter');
  await page.getByText('Saved.').waitFor();
  await look(page, 'settings-phone');
  await press(page, 'Home');
  await page.getByRole('heading', { name: 'Hello, Ann' }).waitFor();
  await press(page, 'Share your card');
  await page.getByText('Nobody is here yet.').waitFor();
  await page.getByAltText(/QR code/).waitFor();
  assert(await page.getByRole('heading', { name: 'Your card' }).evaluate((card) => card.getBoundingClientRect().top < innerHeight / 2));
  await look(page, 'contacts-phone');
  await press(page, 'History');
  await page.getByText('Your twin was made').waitFor();

  step('the chat says what it will see, and a choice can be left by Escape');
  await page.goBack();
  await press(page, 'Home');
  await press(page, 'Chat');
  const chat = page.frameLocator('iframe');
  const choose = chat.getByRole('button', { name: 'Choose conversations' });
  await choose.waitFor();
  await look(page, 'chat-phone');
  await tabTo(page, choose);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await look(page, 'pick-phone');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await chat.locator('.row').count(), 0);

  step('desktop, dark and German, and the pages of somebody who is not let in');
  const origin = new URL(page.url()).origin;
  const state = await page.context().storageState();
  for (const [looks, options] of Object.entries({ desktop: DESKTOP, dark: { ...DESKTOP, colorScheme: 'dark', locale: 'de-DE' } })) {
    const known = await newPage(browser, { ...options, storageState: state }, complaints);
    for (const [view, path] of Object.entries({ home: '/', contacts: '/contacts', chat: '/x/chat' })) {
      await known.goto(`${origin}${path}`);
      await (view === 'chat' ? known.frameLocator('iframe').locator('.hint .main') : known.locator('.next:visible, .mine img')).first().waitFor();
      await look(known, `${view}-${looks}`);
    }
    const stranger = await newPage(browser, options, complaints);
    for (const [view, path] of Object.entries({ unpaired: `${origin}/`, pair: `${origin}/pair`, wrong: `${origin}/pair#notacodeatall`, node: new URL('/', url).href })) {
      await stranger.goto(path);
      // A wrong code is tried first, and then said to be wrong.
      await stranger.locator(view === 'wrong' ? '[role=alert]' : 'h1').first().waitFor();
      await look(stranger, `${view}-${looks}`);
    }
  }

  step('nobody answers: one quiet line, which goes away by itself');
  const line = page.locator('#line p');
  const { gateway } = node.verb('status');
  const { pid } = node.verb('twin', 'list').find((twin) => twin.awake);
  // At once after the page is there: its worker and its socket may be on their way.
  await page.goto(`${origin}/`);
  await page.getByRole('heading', { name: 'Hello, Ann' }).waitFor();
  // Nobody is there to start them again, and the listener stays: connections are made and wait.
  process.kill(node.child.pid, 'SIGSTOP');
  try {
    process.kill(gateway, 'SIGKILL');
    process.kill(pid, 'SIGKILL');
    await line.waitFor();
    await look(page, 'away-phone');
  } finally {
    process.kill(node.child.pid, 'SIGCONT');
  }
  await line.waitFor({ state: 'detached' });
  await press(page, 'Contacts');
  await page.getByText('Nobody is here yet.').waitFor();

  assert.deepEqual(complaints, []);
});
