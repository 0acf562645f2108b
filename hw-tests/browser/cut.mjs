/**
 * The network between a browser and its twin fails in the middle of a conversation, in each way that it can: the
 * device says so, everything ends, or everything just hangs. What is written meanwhile arrives exactly once.
 */
import assert from 'node:assert/strict';
import { createServer, connect } from 'node:net';
import { PHONE, inspect, newPage, pairing, startBrowser, startNode, story, until } from './node.mjs';
import { befriend, frameOf, go, openChat, says, write } from './people.mjs';

await story('cut', async ({ step, ending }) => {
  const node = await startNode([]);
  ending(() => node.stop());
  const links = { ann: pairing(node, 'ann'), bob: pairing(node, 'bob') };
  const wire = await startWire(Number(new URL(links.ann).port));
  ending(() => wire.stop());
  // Only Ann's way leads over the wire that can be cut.
  const browser = await startBrowser([`--host-resolver-rules=MAP ${new URL(links.ann).host} 127.0.0.1:${wire.port}`]);
  ending(() => browser.close());
  const complaints = [];
  const look = async (page, name) => complaints.push(...(await inspect(page, `cut-${name}`)));

  step('two people talk');
  const ann = await newPage(browser, PHONE, complaints);
  const bob = await newPage(browser, {}, complaints);
  for (const [name, page] of Object.entries({ ann, bob })) {
    await page.goto(links[name]);
    await page.getByRole('heading', { name: /^Hello/ }).waitFor();
  }
  assert(wire.carried > 0, 'the browser does not use the wire');
  await befriend(ann, bob);
  const [annChat, bobChat] = [await openChat(ann), await openChat(bob)];
  await annChat.getByRole('button', { name: /^Bob/ }).click();
  await bobChat.getByRole('button', { name: /^Ann/ }).click();
  await write(annChat, 'Bob', 'before');
  await says(bobChat, 'before');

  const line = ann.locator('#line p');
  const own = (text) => annChat.locator('.message', { hasText: text });
  const once = async (text) => {
    await says(bobChat, text);
    await own(text).getByText('waiting to be sent').waitFor({ state: 'detached' });
    for (const chat of [annChat, bobChat]) assert.equal(await chat.locator('.message .text', { hasText: text }).count(), 1, text);
  };

  step('the device says that it is offline');
  await ann.context().setOffline(true);
  await write(annChat, 'Bob', 'offline one');
  await own('offline one').getByText('waiting to be sent').waitFor();
  await write(annChat, 'Bob', 'offline two');
  await look(ann, 'offline-phone');
  assert.equal(await bobChat.locator('.message .text', { hasText: 'offline' }).count(), 0);
  await ann.context().setOffline(false);
  await once('offline two');
  await once('offline one');

  step('every connection ends, and none can be made');
  wire.refuse();
  await line.waitFor();
  await write(annChat, 'Bob', 'refused');
  await own('refused').getByText('waiting to be sent').waitFor();
  await write(bobChat, 'Ann', 'are you there?');
  await look(ann, 'refused-phone');
  wire.carry();
  await once('refused');
  await says(annChat, 'are you there?');
  await line.waitFor({ state: 'detached' });

  step('nothing ends and nothing answers: it is noticed, said, and over as soon as the way is open again');
  wire.hang();
  await write(annChat, 'Bob', 'into the silence');
  await own('into the silence').getByText('waiting to be sent').waitFor();
  await line.filter({ hasText: "can't be reached" }).waitFor();
  await look(ann, 'silence-phone');
  wire.carry();
  await once('into the silence');
  await line.waitFor({ state: 'detached' });

  step('a page that is opened while connections hang says so too, and comes by itself');
  await go(ann, 'Home');
  await ann.getByRole('heading', { name: /^Hello/ }).waitFor();
  // New connections hang; those that are open are ended, so that the page needs new ones.
  wire.hang();
  wire.end();
  await line.filter({ hasText: "can't be reached" }).waitFor();
  wire.carry();
  await line.waitFor({ state: 'detached' });

  step('half a page arrives: the rest comes by itself, as soon as it can');
  wire.lose('/api/experiences/1/list');
  await go(ann, 'Settings');
  await go(ann, 'Home');
  await until('it to be asked again', () => wire.lost > 2);
  assert.equal(await ann.getByRole('link', { name: /^Chat/ }).count(), 0);
  wire.lose(undefined);
  await ann.getByRole('link', { name: /^Chat/ }).waitFor();

  step('what waits survives the page that wrote it');
  await openChat(ann);
  await annChat.getByRole('button', { name: /^Bob/ }).click();
  wire.refuse();
  await write(annChat, 'Bob', 'written and closed');
  await own('written and closed').getByText('waiting to be sent').waitFor();
  await until('it to be kept', () => ann.evaluate(kept));
  const address = new URL('/', ann.url()).href;
  const profile = ann.context();
  await ann.close();
  wire.carry();
  const again = await profile.newPage();
  await again.goto(address);
  await says(bobChat, 'written and closed');
  assert.equal(await bobChat.locator('.message .text', { hasText: 'written and closed' }).count(), 1);
  await until('nothing to wait any more', () => again.evaluate(kept).then((many) => many === 0));

  step('the page is there, but nobody answers who it is for: that is said, and asked again');
  const silent = await newPage(browser, { storageState: await profile.storageState() }, complaints);
  await silent.route('**/api/identity/1/me', () => {});
  await silent.goto(address);
  await silent.getByText('Connecting to your twin').waitFor();
  await silent.getByText("can't be reached").waitFor();
  await look(silent, 'nobody-desktop');
  await silent.unroute('**/api/identity/1/me');
  await silent.getByRole('heading', { name: 'Hello, Ann' }).waitFor();
  await silent.locator('#line p').waitFor({ state: 'detached' });

  step('the worker that all tabs share can not be loaded: the page hears of what is new all the same');
  wire.lose('/shell/events-worker.js');
  const alone = await newPage(browser, { storageState: await profile.storageState() }, complaints);
  await alone.goto(address);
  const chat = await openChat(alone);
  await chat.getByRole('button', { name: /^Bob/ }).click();
  await says(chat, 'written and closed');
  await write(bobChat, 'Ann', 'to a page by itself');
  await says(chat, 'to a page by itself');
  assert(wire.lost > 0, 'the worker was loaded');

  assert.deepEqual(complaints, []);
});

/** How many writes the shell keeps for later. */
function kept() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('hometwin', 1);
    opening.onerror = reject;
    opening.onsuccess = () => {
      const counting = opening.result.transaction('waiting').objectStore('waiting').count();
      counting.onsuccess = () => resolve(counting.result);
    };
  });
}

/** A wire to a port that can carry, hang (open, silent, for ever), refuse, or end whatever asks for one path. */
async function startWire(to) {
  let mode = 'carry';
  let unlucky;
  const open = new Set();
  const server = createServer({ pauseOnConnect: true }, (near) => {
    if (mode === 'refuse') return near.destroy();
    const far = connect(to, '127.0.0.1');
    const pair = { near, far };
    open.add(pair);
    wire.carried += 1;
    near.on('data', (bytes) => {
      if (!unlucky || !bytes.includes(unlucky)) return;
      wire.lost += 1;
      near.destroy();
      far.destroy();
    });
    near.pause();
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on('error', () => {});
      one.on('close', () => {
        other.destroy();
        open.delete(pair);
      });
      // What is stopped stays in the pipe, as it does in a net that comes back.
      if (mode === 'carry') one.pipe(other);
      else one.pause();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const end = () => {
    for (const { near, far } of open) near.destroy() && far.destroy();
  };
  const wire = {
    port: server.address().port,
    carried: 0,
    lost: 0,
    lose: (path) => {
      unlucky = path;
      wire.lost = 0;
    },
    end,
    carry: () => {
      mode = 'carry';
      for (const { near, far } of open) near.pipe(far).pipe(near);
    },
    hang: () => {
      mode = 'hang';
      for (const { near, far } of open) [near, far].forEach((socket) => socket.unpipe().pause());
    },
    refuse: () => {
      mode = 'refuse';
      end();
    },
    stop: async () => {
      end();
      server.close();
    },
  };
  return wire;
}
