/** The node's own page: with the code of a fresh node it asks for a name and nothing else; otherwise it explains. */
import { takeCode } from './code.js';
import { fill, h } from '/sdk/dom.js';
import { call } from './api.js';
import { speak } from './prefs.js';

const code = takeCode();
const view = document.getElementById('view');
const { t } = await speak();

if (code) claim();
else explain();

function claim() {
  const address = h('p', { class: 'soft', id: 'address', 'aria-live': 'polite' });
  const problem = h('p', { role: 'alert', class: 'danger' });
  const button = h('button', { class: 'main' }, t('node.claim'));
  const name = h('input', {
    id: 'name',
    required: true,
    maxlength: 32,
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
    autofocus: true,
    'aria-describedby': 'hint address',
    oninput: () => {
      name.value = plain(name.value);
      fill(address, name.value && t('node.address', { address: addressOf(name.value) }));
      fill(problem);
    },
  });
  const send = async (event) => {
    event.preventDefault();
    button.disabled = true;
    fill(button, t('node.claiming'));
    try {
      const { next } = await call('node', 'claim', { code, name: name.value.replace(/^-+|-+$/g, '') });
      if (!/^https?:$/.test(new URL(next, location.href).protocol)) throw new Error('not an address');
      location.replace(next);
    } catch (wrong) {
      fill(problem, wrong.code === 'offline' ? t('problem.offline') : wrong.sentence || t('problem.unknown'));
      button.disabled = false;
      fill(button, t('node.claim'));
      name.focus();
    }
  };
  show(
    t('node.title'),
    h('p', {}, t('node.what')),
    h(
      'form',
      { class: 'fields', onsubmit: send },
      h('label', { for: 'name' }, t('node.name')),
      name,
      h('p', { id: 'hint', class: 'soft small' }, t('node.name_hint')),
      address,
      problem,
      h('div', { class: 'actions' }, button),
    ),
  );
  name.focus();
}

/** What people type, as a name: Ann becomes ann, and a space a hyphen. */
function plain(text) {
  return text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\s_]+/g, '-')
    .replace(/[^a-z0-9-]/g, '');
}

function addressOf(name) {
  return location.host.replace(/^node\./, `${name}.`);
}

function explain() {
  show(
    t('node.explain.title'),
    h('p', {}, t('node.explain')),
    h('p', {}, t('node.explain.owner')),
    h('p', {}, t('node.explain.member')),
  );
}

function show(title, ...content) {
  document.title = title;
  const picture = h('img', { src: '/shell/icon.svg', alt: '', width: 48, height: 48 });
  fill(view, h('div', { class: 'page narrow' }, picture, h('h1', {}, title), content));
}
