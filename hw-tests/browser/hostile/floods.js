/** Too much, too large, too odd: each has to end in the person being told and the frame being gone. */
import { call, port } from './wire.js';

export const floods = {
  flood() {
    for (let n = 1; n < 5000; n += 1) port.postMessage({ n, ...call('identity', 'me') });
  },
  async endless() {
    for (let step = 0; ; step += 1) {
      port.postMessage({ route: `${location.hash}${step}` });
      if (step % 500 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
  },
  async 'asking and taking back'() {
    for (let n = 1; ; n += 1) {
      port.postMessage({ n, ...call('identity', 'me') });
      port.postMessage({ n, cancel: true });
      if (n % 500 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
  },
  following() {
    for (let n = 1; n < 100; n += 1) port.postMessage({ n, subscribe: { capability: 'chat', major: 1, topic: {} } });
  },
  huge: () => port.postMessage({ n: 1, ...call('chat', 'send', { text: 'x'.repeat(8 << 20) }) }),
  buffer: () => port.postMessage({ n: 1, ...call('chat', 'send', { text: new ArrayBuffer(5 << 20) }) }),
  blob: () => port.postMessage({ n: 1, ...call('chat', 'send', { text: new Blob(['x'.repeat(5 << 20)]) }) }),
  list: () => port.postMessage({ n: 1, ...call('chat', 'send', { text: Array.from({ length: 1 << 20 }, () => null) }) }),
  deep() {
    let deep = {};
    for (let depth = 0; depth < 500; depth += 1) deep = { deep };
    port.postMessage({ n: 1, call: deep });
  },
  loop() {
    const loop = {};
    loop.loop = loop;
    port.postMessage({ n: 1, call: loop });
  },
  shared() {
    let shared = {};
    for (let depth = 0; depth < 30; depth += 1) shared = { one: shared, two: shared };
    port.postMessage({ n: 1, call: shared });
  },
  odd: () => [null, 1, 'x', [], {}].forEach((odd) => port.postMessage(odd)),
  numbers: () => port.postMessage({ n: 1.5, ...call('identity', 'me') }),
  'two questions': () => port.postMessage({ n: 1, ...call('identity', 'me'), pick: {} }),
  ports: () => port.postMessage({ n: 1, ...call('identity', 'me') }, [new MessageChannel().port1]),
};
