/**
 * Shares one event socket among all tabs of this browser.
 * Knows nothing of what passes: it numbers, forwards and forgets tabs that are gone.
 */
import { Stream } from './stream.js';

const tabs = new Map();
let state = 'connecting';

const stream = new Stream(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/events`, (now) => {
  state = now;
  for (const tab of tabs.keys()) tab.postMessage({ state });
});

self.onconnect = ({ ports: [tab] }) => {
  tabs.set(tab, { visible: false, ends: new Map() });
  tab.onmessage = ({ data }) => receive(tab, data);
  tab.postMessage({ state });
};

function receive(tab, { subscribe, unsubscribe, visible, alive, online, doubt, bye }) {
  const entry = tabs.get(tab);
  if (!entry) return;
  if (subscribe) {
    const { key, spec } = subscribe;
    entry.ends.set(key, stream.subscribe(spec, (answer) => tab.postMessage({ key, answer })));
  } else if (unsubscribe !== undefined) {
    entry.ends.get(unsubscribe)?.();
    entry.ends.delete(unsubscribe);
  } else if (visible !== undefined) {
    entry.visible = visible;
    look();
  } else if (alive) {
    // The tab holds this lock for as long as it lives; getting it means the tab is gone.
    navigator.locks?.request(alive, () => leave(tab));
  } else if (online) {
    stream.renew();
  } else if (doubt) {
    stream.doubt();
  } else if (bye) {
    leave(tab);
  }
}

function leave(tab) {
  for (const end of tabs.get(tab)?.ends.values() ?? []) end();
  tabs.delete(tab);
  look();
}

function look() {
  stream.watch([...tabs.values()].some((tab) => tab.visible));
}
