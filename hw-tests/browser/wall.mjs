/** What the hostile story needs: a catcher outside, and the same attacks in a page without a wall. */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createDoor } from 'node:net';
import { until } from './node.mjs';

/** The person has allowed the twin's own page everything: the frame must have none of it. */
export async function allow(page) {
  const all = ['camera', 'microphone', 'geolocation', 'notifications', 'clipboard-read', 'clipboard-write', 'local-network-access'];
  await page.context().grantPermissions(all, { origin: new URL(page.url()).origin });
  await page.context().setGeolocation({ latitude: 1, longitude: 1 });
}

/** Counts whatever arrives, and answers it as a friend of the attack would. */
export async function startCatcher() {
  const caught = [];
  const server = createServer((request, answer) => {
    caught.push(`${request.method} ${request.url}`);
    const type = request.url.includes('event-source') ? 'text/event-stream' : 'text/javascript';
    answer.writeHead(200, { 'access-control-allow-origin': '*', 'content-type': type }).end('1');
  });
  server.on('upgrade', (request, socket) => caught.push(`upgrade ${request.url}`) && socket.destroy());
  const { leaked, ports, close } = await startDoors();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = async () => {
    close();
    server.close();
    server.closeAllConnections();
  };
  return { caught, leaked, ports, out: `http://127.0.0.1:${server.address().port}`, stop };
}

/** Ports for what does not speak HTTP. `leaked` says by way how many bytes came; a mere connection brings none. */
async function startDoors() {
  const leaked = {};
  const count = (way, bytes) => (leaked[way] = (leaked[way] ?? 0) + bytes);
  const udp = createSocket('udp4').on('message', ({ length }) => count('webrtc over udp', length));
  await new Promise((resolve) => udp.bind(0, '127.0.0.1', resolve));
  const open = new Set();
  const door = async (way) => {
    const made = createDoor((socket) => {
      open.add(socket);
      count(way, 0);
      socket.on('data', ({ length }) => count(way, length)).on('error', () => {});
    });
    await new Promise((resolve) => made.listen(0, '127.0.0.1', resolve));
    return made;
  };
  const doors = [await door('webrtc over tcp'), await door('preconnect')];
  const close = () => {
    udp.close();
    doors.forEach((made) => made.close());
    open.forEach((socket) => socket.destroy());
  };
  return { leaked, ports: [udp, ...doors].map((made) => made.address().port).join(','), close };
}

/** Windows, downloads and dialogs are ways out too. */
export function watched(context, caught) {
  const watch = (page) => {
    page.on('dialog', (dialog) => {
      caught.push(`a dialog ${dialog.message()}`);
      // The page may end before we answer, and the dialog with it.
      dialog.dismiss().catch(() => {});
    });
    page.on('download', (download) => caught.push(`a download of ${download.url()}`));
    page.on('popup', (popup) => caught.push(`a window ${popup.url()}`));
  };
  context.pages().forEach(watch);
  context.on('page', watch);
}

/** Tries every way in a plain page of the twin's own origin. @returns {Promise<Set<string>>} which succeeded */
export async function attackPage(first, { ways, tried, out, caught, leaked, ports, unproven }) {
  const context = first.context();
  const origin = new URL(first.url()).origin;
  const { frame: id } = (await fetched(first, '/api/experiences/1/open', { name: 'chat' })).body;
  await context.route('**/x/control/**', (route) => {
    const name = new URL(route.request().url()).pathname.split('/').pop();
    const contentType = { html: 'text/html', svg: 'image/svg+xml' }[name.split('.')[1]] ?? 'text/javascript';
    // A page that was left no longer needs its files.
    return route.fulfill({ contentType, body: readFileSync(new URL(`./hostile/${name}`, import.meta.url), 'utf8') }).catch(() => {});
  });
  const ear = await listens(first);
  const reached = {};
  const slug = (name) => name.replaceAll(/\W+/g, '-');
  const proven = (name) => name in reached || name in leaked || unproven[name] || caught.some((line) => line.endsWith(`/${slug(name)}`));
  const attack = async (name, wanted) => {
    const page = await context.newPage();
    await page.goto(`${origin}/x/control/index.html#${encodeURIComponent([name, out, id, ports].join('|'))}`).catch(() => {});
    const look = async () => {
      const inner = /^http.*\/x\/control\//.test(page.url());
      Object.assign(reached, inner ? await page.evaluate(() => window.reached).catch(() => ({})) : { [name]: page.url() });
      if (ear.heard) reached['a channel to other tabs'] = 'heard';
      const ended = name !== 'all' || (await page.evaluate(() => window.finished === 'all').catch(() => false));
      return ended && wanted.every(proven);
    };
    // Whoever waits in vain names the ways afterwards.
    await until(name, look).catch(() => {});
    await page.close();
  };
  await attack('all', tried);
  for (const way of ways.filter((name) => !tried.includes(name))) await attack(way, [way]);
  const picture = await context.newPage();
  await picture.goto(`${origin}/x/control/picture.svg`);
  const ran = await picture.evaluate(() => document.documentElement.dataset.origin === location.origin);
  return new Set([...(ran ? ['a script in a picture'] : []), ...ways.filter((name) => !unproven[name] && proven(name))]);
}

/** A request of the page itself, with its cookie. */
export function fetched(page, path, body, headers = {}) {
  const ask = async ([to, what, more]) => {
    const post = { method: 'POST', headers: { 'content-type': 'application/json', ...more }, body: JSON.stringify(what) };
    const answer = await fetch(to, what && post);
    return { status: answer.status, body: what ? await answer.json().catch(() => ({})) : undefined };
  };
  return page.evaluate(ask, [path, body, headers]);
}

/** Hears what is said on a channel of the page's origin. */
export async function listens(page) {
  const ear = { heard: false };
  await page.exposeFunction('hear', () => (ear.heard = true));
  await page.evaluate(() => {
    window.channel = new BroadcastChannel('hostile');
    window.channel.onmessage = () => window.hear();
  });
  return ear;
}
