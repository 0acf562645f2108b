/** How a person comes in and who may not: passkeys without a name to type, devices that are named and sent away. */
import assert from 'node:assert/strict';
import { DESKTOP, PHONE, inspect, newPage, pairing, startBrowser, startNode, story, until } from './node.mjs';
import { go, openChat, press, pressButton } from './people.mjs';

await story('passkeys', async ({ step, ending }) => {
  const node = await startNode([]);
  ending(() => node.stop());
  const browser = await startBrowser();
  ending(() => browser.close());
  const complaints = [];
  const look = async (page, name) => complaints.push(...(await inspect(page, `passkeys-${name}`)));

  step('a phone is let in, and is offered a passkey');
  const phone = await newPage(browser, PHONE, complaints);
  const posted = [];
  phone.on('request', (request) => /add_passkey|sign_in$/.test(request.url()) && posted.push(request.postData()));
  let finger = await authenticator(phone, { isUserVerified: false });
  await phone.goto(pairing(node, 'ann'));
  await phone.getByRole('heading', { name: 'So that you always find back in' }).waitFor();
  const origin = new URL(phone.url()).origin;
  await look(phone, 'offer-phone');

  step('whoever the device does not recognise is told that nothing happened');
  await phone.getByRole('button', { name: 'Make a passkey' }).click();
  await phone.getByText('Nothing was changed.').waitFor();
  assert.equal((await finger.credentials()).length, 0);
  // After that many wrong fingers a device takes none any more.
  await finger.end();
  finger = await authenticator(phone);

  step('it is made by keyboard, knows whose it is, and gives no secret away');
  await pressButton(phone, phone.getByRole('button', { name: 'Make a passkey' }));
  await phone.getByText('The passkey is made.').waitFor();
  await phone.getByRole('heading', { name: 'So that you always find back in' }).waitFor({ state: 'detached' });
  const [key] = await finger.credentials();
  assert.deepEqual([key.isResidentCredential, key.rpId], [true, 'ann.localhost']);
  assert.deepEqual(Object.keys(JSON.parse(posted.at(-1))).sort(), ['authenticator_data', 'client_data', 'id', 'public_key']);
  await phone.reload();
  await phone.getByRole('heading', { name: /^Hello/ }).waitFor();
  assert.equal(await phone.getByRole('button', { name: 'Make a passkey' }).isVisible(), false, 'there is one already');

  step('it is in the settings, where it gets a name, and a second one on the same device is refused');
  await press(phone, 'Settings');
  const keys = phone.getByRole('region', { name: 'Passkeys' });
  await keys.getByRole('button', { name: 'Make a passkey' }).click();
  await phone.getByText('This device has a passkey for your twin already.').waitFor();
  await keys.getByRole('button', { name: /^Rename/ }).click();
  await phone.getByLabel('New name').fill('Red telephone');
  await phone.keyboard.press('Enter');
  await keys.getByText('Red telephone').waitFor();
  await look(phone, 'settings-phone');

  step('signed out, it comes back without a name');
  await phone.getByRole('button', { name: 'Sign out here' }).click();
  await phone.getByRole('dialog').getByRole('button', { name: 'Sign out here' }).click();
  const enter = phone.getByRole('button', { name: 'Come in with a passkey' });
  await enter.waitFor();
  await look(phone, 'enter-phone');
  await pressButton(phone, enter);
  await phone.getByRole('heading', { name: /^Hello/ }).waitFor();
  const body = JSON.parse(posted.at(-1));
  assert.deepEqual(Object.keys(body).sort(), ['authenticator_data', 'client_data', 'credential', 'signature', 'user']);

  step('what was answered once opens nothing again');
  const stranger = await newPage(browser, DESKTOP, complaints);
  await stranger.goto(`${origin}/`);
  await stranger.getByRole('button', { name: 'Come in with a passkey' }).waitFor();
  const replayed = await post(stranger, 'sign_in', body);
  assert.deepEqual(replayed, [403, 'bad_passkey']);
  assert.deepEqual(await post(stranger, 'add_passkey', JSON.parse(posted[0])), [401, 'signed_out']);
  assert.deepEqual(await post(stranger, 'passkeys', {}), [401, 'signed_out']);
  await stranger.context().close();

  step('a laptop that has the same passkey comes in, and the phone is asked about it');
  const laptop = await newPage(browser, DESKTOP, complaints);
  const other = await authenticator(laptop);
  await other.take((await finger.credentials())[0]);
  await laptop.goto(`${origin}/`);
  await laptop.getByRole('button', { name: 'Come in with a passkey' }).click();
  await laptop.getByRole('heading', { name: /^Hello/ }).waitFor();
  const notice = phone.getByRole('region', { name: 'A new device came in. Was that you?' });
  await notice.waitFor();
  assert.equal(await laptop.getByText('Was that you?').count(), 0, 'it is not asked about itself');
  await look(phone, 'arrival-phone');
  await notice.getByRole('button', { name: 'Yes, that was me' }).click();
  await notice.waitFor({ state: 'detached' });
  await phone.reload();
  await phone.getByRole('heading', { name: /^Hello/ }).waitFor();
  assert.equal(await notice.count(), 0);

  step('the phone names the laptop, and sends it away while it reads');
  await openChat(laptop);
  await press(phone, 'Settings');
  const devices = phone.getByRole('region', { name: 'Your devices' });
  const row = devices.getByRole('listitem').filter({ hasNotText: 'This device' }).last();
  await row.getByRole('button', { name: /^Rename/ }).click();
  await phone.getByLabel('New name').fill('Old laptop');
  await phone.keyboard.press('Enter');
  await devices.getByText('Old laptop').waitFor();
  await look(phone, 'devices-phone');
  await devices.getByRole('button', { name: 'Sign out Old laptop' }).click();
  await phone.getByRole('dialog').getByRole('button', { name: 'Sign out', exact: true }).click();
  await phone.getByText('Old laptop is signed out.').waitFor();
  const again = laptop.getByRole('button', { name: 'Come in with a passkey' });
  await again.waitFor();
  assert.equal(laptop.frames().length, 1, 'the chat is still open');

  step('a passkey that was removed lets nobody in, and who came in with it is out');
  await again.click();
  await laptop.getByRole('heading', { name: /^Hello/ }).waitFor();
  await phone.reload();
  await keys.getByRole('button', { name: 'Remove Red telephone' }).click();
  await phone.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await phone.getByText('Removed: Red telephone.').waitFor();
  await again.waitFor();
  await again.click();
  await laptop.getByRole('alert').getByText('It was removed from your twin').waitFor();
  await look(laptop, 'removed-desktop');
  await go(phone, 'Home');
  await phone.getByRole('heading', { name: 'So that you always find back in' }).waitFor();
  await phone.getByRole('button', { name: 'Not now' }).click();
  await phone.reload();
  await phone.getByRole('heading', { name: /^Hello/ }).waitFor();
  assert.equal(await phone.getByRole('button', { name: 'Make a passkey' }).isVisible(), false, 'later is later');

  step('a new telephone is let in by the number that it shows, without a passkey');
  await go(phone, 'Settings');
  const link = await invite(phone);
  await look(phone, 'letting-phone');
  const fresh = await newPage(browser, PHONE, complaints);
  await fresh.goto(link);
  await fresh.getByRole('heading', { name: 'Choose this number' }).waitFor();
  const dialog = phone.getByRole('dialog');
  await dialog.getByText('Which number does it show?').waitFor();
  await look(phone, 'numbers-phone');
  await look(fresh, 'number-phone');
  const shown = await fresh.locator('.number').innerText();
  assert.equal(await dialog.getByRole('group').getByRole('button').count(), 3);
  await pressButton(phone, dialog.getByRole('button', { name: shown, exact: true }));
  await fresh.getByRole('heading', { name: /^Hello/ }).waitFor();
  await phone.getByText('The new device is in.').waitFor();
  await devices.getByText('let in by another device').waitFor();
  assert.equal(await phone.getByRole('region', { name: 'A new device came in. Was that you?' }).count(), 0);

  step('a wrong number lets nobody in, and both say so; a used link says that it is used');
  const second = await invite(phone);
  const thief = await newPage(browser, PHONE, complaints);
  await thief.goto(second);
  await thief.locator('.number').waitFor();
  const own = await newPage(browser, PHONE, complaints);
  await own.goto(second);
  await own.getByRole('alert').getByText('It was used already').waitFor();
  await look(own, 'used-phone');
  const theirs = await thief.locator('.number').innerText();
  await dialog.getByRole('group').getByRole('button').filter({ hasNotText: theirs }).first().click();
  await dialog.getByRole('alert').getByText('That was not its number').waitFor();
  await thief.getByRole('alert').getByText('another number was chosen').waitFor();
  await look(phone, 'not-its-number-phone');
  assert.deepEqual(await post(thief, 'sessions', {}), [401, 'signed_out']);

  step('a link that is too old says so on both');
  await dialog.getByRole('button', { name: 'Make a new link' }).click();
  await dialog.getByRole('img').waitFor();
  const third = await dialog.getByLabel('Link for the new device').inputValue();
  await thief.goto(third);
  await thief.locator('.number').waitFor();
  await phone.clock.install();
  await phone.keyboard.press('Escape');
  await thief.getByRole('alert').getByText('longer than two minutes').waitFor();
  await invite(phone);
  await phone.clock.fastForward(121_000);
  await dialog.getByRole('alert').getByText('Two minutes are over').waitFor();
  await look(phone, 'late-phone');
  await phone.keyboard.press('Escape');
  await own.goto(third);
  await own.getByRole('alert').getByText('older than two minutes').waitFor();

  step('a number and a wrong name explain themselves');
  const { port } = new URL(origin);
  const lost = await newPage(browser, PHONE, complaints);
  for (const [view, address] of Object.entries({ number: `http://127.0.0.1:${port}/`, name: `http://nobody.localhost:${port}/` })) {
    await lost.goto(address);
    await lost.getByRole('heading').first().waitFor();
    assert.equal(await lost.getByRole('button', { name: 'Come in with a passkey' }).count(), 0);
    assert.match(await lost.locator('main').innerText(), /localhost/);
    await look(lost, `wrong-${view}-phone`);
  }
  await lost.context().close();

  step('in German, dark, and in a browser that knows no passkeys');
  const german = await newPage(browser, { ...PHONE, locale: 'de-DE', colorScheme: 'dark' }, complaints);
  await german.goto(`${origin}/`);
  await german.getByRole('button', { name: 'Mit Passkey hereinkommen' }).waitFor();
  await german.getByText('Ich habe hier keinen Passkey').click();
  await look(german, 'enter-german');
  const old = await newPage(browser, PHONE, complaints);
  await old.addInitScript(() => delete window.PublicKeyCredential);
  await old.goto(`${origin}/`);
  await old.getByText("This browser can't keep passkeys.").waitFor();
  await until('the steps', () => old.getByText('hometwin twin pair').isVisible());
  await look(old, 'no-passkeys-phone');

  assert.deepEqual(complaints, []);
});

/** A finger that this page's browser asks: it always answers. */
async function authenticator(page, looks = {}) {
  const browser = await page.context().newCDPSession(page);
  await browser.send('WebAuthn.enable');
  const options = { protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true, hasPrf: true, isUserVerified: true, automaticPresenceSimulation: true, ...looks };
  const { authenticatorId } = await browser.send('WebAuthn.addVirtualAuthenticator', { options });
  const send = (verb, more) => browser.send(`WebAuthn.${verb}`, { authenticatorId, ...more });
  return {
    end: () => send('removeVirtualAuthenticator'),
    credentials: async () => (await send('getCredentials')).credentials,
    take: (credential) => send('addCredential', { credential }),
  };
}

/** Begins to let a device in; gives the link that is behind the picture. */
async function invite(page) {
  await page.getByRole('button', { name: 'Let another device in' }).click();
  const link = page.getByLabel('Link for the new device');
  await page.getByAltText(/QR code/).waitFor();
  return link.inputValue();
}

/** A call as this page could make it; status and code of the answer. */
function post(page, method, body) {
  return page.evaluate(
    async ([path, text]) => {
      const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: text });
      return [answer.status, (await answer.json()).code];
    },
    [`/api/identity/1/${method}`, JSON.stringify(body)],
  );
}
