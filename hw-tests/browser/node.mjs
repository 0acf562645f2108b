/**
 * A node and browsers for a story. Knows the product by its command line only.
 * Never leaves a process behind: whatever was started here ends with the story.
 */
import { crc32, deflateSync } from 'node:zlib';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const { HOMETWIN, CHROMIUM, SCREENSHOTS } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const DESKTOP = { viewport: { width: 1280, height: 800 } };
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** How long anything may take: long, since a slow machine is no failure, and nobody waits for what is already there. */
const PATIENCE = Number(process.env.PATIENCE_S ?? 90) * 1000;
const nodes = [];
const contexts = [];
// Chromium refuses its own sandbox to root; the tests of the wall don't rest on it.
const ARGS = ['--use-fake-device-for-media-stream', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])];

/** @param {string[]} args further arguments of `hometwin run` */
export async function startNode(args) {
  const data = mkdtempSync(join(tmpdir(), 'hometwin-story-'));
  const where = args.includes('--ephemeral') ? [] : ['--data', data];
  const child = spawn(HOMETWIN, ['run', '--listen', '127.0.0.1:0', '--log', 'json', '--json', ...where, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (text) => (log += text));
  const events = [];
  const waiting = new Set();
  createInterface({ input: child.stdout }).on('line', (line) => {
    events.push(JSON.parse(line));
    for (const look of waiting) look();
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const node = {
    child,
    log: () => log,
    /** Waits for an event that fits. */
    event: (fits) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no such event; log:\n${log}`)), PATIENCE);
        const look = () => {
          const found = events.find(fits);
          if (!found) return;
          clearTimeout(late);
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    /** Runs a verb against this node; gives what it printed. */
    verb: (...words) => {
      const said = spawnSync(HOMETWIN, [...words, '--data', data, '--json'], { encoding: 'utf8', timeout: PATIENCE });
      if (said.status !== 0) throw new Error(`${words.join(' ')}: ${said.stdout}${said.stderr}`);
      return JSON.parse(said.stdout);
    },
    stop: async () => {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
      await ended;
      clearTimeout(late);
      rmSync(data, { recursive: true, force: true });
    },
  };
  nodes.push(node);
  await node.event(({ event }) => event === 'listening');
  return node;
}

/** Makes a twin; gives the link that lets its first browser in. */
export function pairing(node, name) {
  return JSON.stringify([node.verb('twin', 'create', name), node.verb('twin', 'pair', name)]).match(/http[^"]+#[^"]+/)[0];
}

/** @param {string[]} [args] further arguments of the browser */
export function startBrowser(args = []) {
  return chromium.launch({ executablePath: CHROMIUM, args: [...ARGS, ...args] });
}

/** A browser with a profile on disk, as people have: without one it ignores hints, prerenders nothing and so on. */
export async function startProfile(args = []) {
  const folder = mkdtempSync(join(tmpdir(), 'hometwin-profile-'));
  const context = await chromium.launchPersistentContext(folder, { executablePath: CHROMIUM, args: [...ARGS, ...args], locale: 'en-GB', ...DESKTOP });
  contexts.push(context);
  context.setDefaultTimeout(PATIENCE);
  const close = async () => {
    await context.close();
    // A browser that was just ended may still be writing its last files.
    rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
  };
  return { context, close };
}

/** A page of its own browser profile that fails the story on errors of our scripts and on CSP reports. */
export async function newPage(browser, options, complaints) {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  contexts.push(context);
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  watch(page, complaints);
  return page;
}

/** Pages that axe is measuring just now: it tries styles of its own, which the policy rightly stops. */
const measured = new WeakSet();

export function watch(page, complaints) {
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error}`));
  page.on('console', (message) => {
    if (!measured.has(page) && /Content Security Policy|Uncaught/.test(message.text())) complaints.push(`${page.url()}: ${message.text()}`);
  });
}

/** Waits until something is true. */
export async function until(what, ask, limit = PATIENCE) {
  const end = Date.now() + limit;
  while (!(await ask())) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Keeps a picture, and fails on serious accessibility findings and on a page wider than its window. */
export async function inspect(page, name, { axe = true } = {}) {
  // Without the caret hidden: hiding it would be an inline style.
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), caret: 'initial' });
  measured.add(page);
  const problems = [];
  const settled = [];
  for (const frame of page.frames()) {
    if (frame !== page.mainFrame() && !frame.url().includes('/x/')) continue;
    const wide = await frame.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 1) problems.push(`${name}: ${wide} px wider than its window`);
    if (!axe) continue;
    await frame.evaluate(AXE);
    // Each document by itself: a frame without origin can't be asked from outside.
    const { violations } = await frame.evaluate(() => window.axe.run(document, { iframes: false }));
    // What the policy said about axe itself arrives before this does.
    settled.push(page.waitForEvent('console', (message) => message.text() === `measured ${frame.url()}`));
    await frame.evaluate((url) => console.debug(`measured ${url}`), frame.url());
    for (const { id, impact, nodes } of violations) {
      if (!['serious', 'critical'].includes(impact)) continue;
      problems.push(`${name}: ${impact} ${id}: ${nodes.map((node) => node.html).slice(0, 3).join(' | ')}`);
    }
  }
  await Promise.all(settled);
  measured.delete(page);
  return problems;
}

/** Runs a story: says each step, ends everything, fails with the node's log. Nothing that fails outside of it goes unseen. */
export async function story(name, tell) {
  const things = [];
  const step = (text) => console.log(`${name}: ${text}`);
  const stray = new Promise((_, reject) => {
    process.on('unhandledRejection', reject);
    process.on('uncaughtException', reject);
  });
  try {
    await Promise.race([tell({ step, ending: (end) => things.push(end) }), stray]);
    console.log(`${name}: done`);
  } catch (error) {
    console.error(error);
    for (const node of nodes) console.error(`the node said:\n${node.log().split('\n').slice(-60).join('\n')}`);
    for (const [index, page] of contexts.flatMap((context) => context.pages()).entries()) {
      const path = join(SCREENSHOTS, `failed-${name}-${index}.png`);
      console.error(`${path} shows ${page.url()}`);
      await page.screenshot({ path, caret: 'initial', timeout: 10_000 }).catch(() => {});
    }
    process.exitCode = 1;
  } finally {
    for (const end of things.reverse()) await end().catch((error) => console.error(error));
  }
}

/** A picture that hardly compresses, about as large as a photo of this size. @returns {Buffer} a PNG */
export function photo(width, height) {
  const rows = Buffer.alloc((1 + 3 * width) * height);
  for (let at = 0; at < rows.length; at += 1) {
    const [row, column] = [Math.floor(at / (1 + 3 * width)), at % (1 + 3 * width)];
    if (column > 0) rows[at] = 60 + ((at * 2654435761) % 4294967296 >>> 26) + (column % 3 === 2 ? 100 : row >> 3);
  }
  const part = (kind, bytes) => {
    const body = Buffer.concat([Buffer.from(kind), bytes]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(bytes.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const magic = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([magic, part('IHDR', head), part('IDAT', deflateSync(rows, { level: 1 })), part('IEND', Buffer.alloc(0))]);
}
