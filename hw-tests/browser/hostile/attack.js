/**
 * A hostile experience: tries what its route says. It writes down what it reached in `window.reached`, and the
 * story's catcher sees what arrived there. A way that is shut says nothing.
 */
import { floods } from './floods.js';
import { inside } from './inside.js';
import { leaks } from './leaks.js';
import { outside } from './outside.js';
import { greet, shut, within } from './wire.js';

window.reached = {};
window.tried = [];
window.finished = '';

const own = new URL(location.href);
const [attack, out, frame, ports, space] = (await greet()).split('|');
const ways = { ...outside(), ...inside(frame, own, space), ...leaks(ports) };
window.ways = Object.keys(ways);

if (attack === 'all') {
  for (const name of Object.keys(ways)) if (!name.startsWith('leave: ')) await tries(name);
} else if (ways[attack]) {
  await tries(attack);
} else {
  await floods[attack]?.();
}
window.finished = attack;

async function tries(name) {
  window.tried.push(name);
  const attempt = async () => {
    const gave = await ways[name](`${out}/${slug(name)}`);
    if (gave !== shut && gave !== undefined && gave !== false) window.reached[name] = String(gave).slice(0, 200);
  };
  // What is shut fails loudly or says nothing; what succeeds late still counts.
  await within(attempt().catch(() => {}));
}

function slug(name) {
  return name.replaceAll(/\W+/g, '-');
}
