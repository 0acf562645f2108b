/**
 * Ways to the world outside. Those that `leave` may end the page itself, so each is tried alone.
 * Each gets an address at the catcher that is its own: what arrives there says which way was open.
 */
export function outside() {
  return {
    'fetch elsewhere': (url) => text(url),
    'fetch without cors': async (url) => (await fetch(url, { mode: 'no-cors' })).type,
    'xhr elsewhere': (url) =>
      new Promise((resolve, reject) => {
        const made = new XMLHttpRequest();
        made.open('GET', url);
        made.onload = () => resolve('xhr loaded');
        made.onerror = reject;
        made.send();
      }),
    beacon: (url) => void navigator.sendBeacon(url, 'secret'),
    'event source': (url) =>
      new Promise((resolve, reject) => {
        const made = new EventSource(url);
        made.onopen = () => resolve('open');
        made.onerror = reject;
      }),
    'socket elsewhere': (url) => socket(url.replace('http', 'ws')),
    image: (url) => element('img', { src: url }),
    script: (url) => element('script', { src: url }),
    stylesheet: (url) => element('link', { rel: 'stylesheet', href: url }),
    prefetch: (url) => element('link', { rel: 'prefetch', href: url }),
    prerender: (url) => element('link', { rel: 'prerender', href: url }),
    preload: (url) => element('link', { rel: 'preload', as: 'image', href: url }),
    modulepreload: (url) => element('link', { rel: 'modulepreload', href: url }),
    manifest: (url) => element('link', { rel: 'manifest', href: url }),
    icon: (url) => element('link', { rel: 'icon', href: url }),
    'speculation rules': (url) =>
      element('script', { type: 'speculationrules', textContent: JSON.stringify({ prefetch: [{ urls: [url] }] }) }),
    'import': (url) => import(url).then(() => 'imported'),
    'css image': (url) => style(`body { background: url(${url}) }`),
    'css font': (url) => {
      style(`@font-face { font-family: out; src: url(${url}) } body { font-family: out }`);
      document.body.append('x');
    },
    video: (url) => element('video', { src: url, autoplay: true }),
    frame: (url) => void element('iframe', { src: url }),
    object: (url) => void element('object', { data: url, type: 'text/html' }),
    embed: (url) => void element('embed', { src: url, type: 'text/html' }),
    popup: (url) => (window.open(url) ? 'a window' : undefined),
    ping: (url) => link({ href: '#', ping: url }).click(),
    alert: (url) => alert(url),
    'leave: form': (url) => form({ action: url, method: 'post' }).submit(),
    'leave: form to the top': (url) => form({ action: url, target: '_top' }).submit(),
    'leave: download': (url) => link({ href: url, download: 'x' }).click(),
    'leave: link to the top': (url) => link({ href: url, target: '_top' }).click(),
    'leave: top navigation': (url) => void (top.location.href = url),
    'leave: parent navigation': (url) => void parent.location.replace(url),
    'leave: own navigation': (url) => void (location.href = url),
    'leave: refresh': (url) => void element('meta', { httpEquiv: 'refresh', content: `0;url=${url}` }, document.head),
  };
}

async function text(url, options) {
  return (await fetch(url, options)).text();
}

function socket(url) {
  return new Promise((resolve, reject) => {
    const made = new WebSocket(url);
    made.onopen = () => resolve('socket open');
    made.onerror = reject;
  });
}

function element(name, values, parentNode = document.body) {
  const made = Object.assign(document.createElement(name), values);
  return new Promise((resolve) => {
    made.onload = () => resolve(`${name} loaded`);
    made.onerror = () => resolve(undefined);
    parentNode.append(made);
  });
}

function style(css) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets.push(sheet);
}

function form(values) {
  const made = Object.assign(document.createElement('form'), values);
  document.body.append(made);
  return made;
}

function link(values) {
  const made = Object.assign(document.createElement('a'), values);
  document.body.append(made);
  return made;
}
