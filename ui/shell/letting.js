/**
 * Lets a further device in: a picture for its camera, then the number that it shows, chosen here.
 * Never lets anybody in by the link alone.
 */
import { fill, h } from '/sdk/dom.js';
import { call, id } from './api.js';
import { attempt, open, say } from './dialog.js';
import { events } from './events.js';

/** Opens the dialog; it begins a new link each time. */
export async function letIn(app) {
  const over = new AbortController();
  const chosen = await open({
    title: app.words.t('letting.title'),
    content: (close) => {
      const view = h('div', { class: 'part', 'aria-live': 'polite' });
      begin(app, view, close, over.signal);
      return view;
    },
  });
  over.abort();
  // A link that was left is worth nothing from now on.
  if (!chosen) call('identity', 'uninvite', { id: id() }).catch(() => {});
}

async function begin(app, view, close, signal) {
  const { words } = app;
  const { t } = words;
  let picture;
  const ending = (key) => [
    h('p', { role: 'alert' }, t(key)),
    actions(h('button', { type: 'button', class: 'quiet', onclick: () => close() }, t('cancel')), h('button', { type: 'button', class: 'main', onclick: () => again() }, t('letting.again'))),
  ];
  let late;
  const again = () => {
    clearTimeout(late);
    start().catch(() => fill(view, ending('problem.offline')));
  };
  const look = async () => {
    const state = await call('identity', 'invitation', {}, { signal });
    if (!signal.aborted) show(state);
    return state.at;
  };
  const choose = (number) => attempt(words, async () => show(await call('identity', 'choose_number', { id: id(), number })));
  let shown;
  const show = ({ state, device, numbers }) => {
    if (shown === state) return;
    shown = state;
    if (state === 'open') fill(view, h('p', {}, t('letting.how')), picture, actions(h('button', { type: 'button', class: 'quiet', onclick: () => close() }, t('cancel'))));
    else if (state === 'asks') {
      const button = (number) => h('button', { type: 'button', onclick: () => choose(number) }, number);
      fill(
        view,
        h('p', {}, t('letting.asks', { device: device || t('sessions.unknown') })),
        h('div', { class: 'numbers', role: 'group', 'aria-label': t('letting.numbers') }, numbers.map(button)),
        actions(h('button', { type: 'button', class: 'quiet danger', onclick: () => choose(undefined) }, t('letting.none'))),
      );
    } else if (state === 'chosen') {
      clearTimeout(late);
      close(true);
      say(t('letting.done'));
    } else {
      clearTimeout(late);
      fill(view, ending(`letting.${state}`));
    }
  };
  const start = async () => {
    shown = undefined;
    const begun = await call('identity', 'invite', { id: id() }, { signal });
    // As an image a drawing can neither run anything nor load anything.
    const url = URL.createObjectURL(new Blob([begun.svg], { type: 'image/svg+xml' }));
    signal.addEventListener('abort', () => URL.revokeObjectURL(url));
    const link = h('input', { readonly: true, value: begun.link, 'aria-label': t('letting.link'), onfocus: () => link.select() });
    picture = [h('div', { class: 'code' }, h('img', { src: url, alt: t('letting.picture'), width: 200, height: 200 })), link];
    late = setTimeout(() => show({ state: 'over' }), begun.for_ms);
    signal.addEventListener('abort', () => clearTimeout(late));
    show({ state: 'open' });
  };
  try {
    await start();
    await events.follow('identity', look, signal);
  } catch (problem) {
    if (!signal.aborted) fill(view, h('p', { role: 'alert' }, problem.sentence || t('problem.offline')), actions(h('button', { type: 'button', onclick: () => close() }, t('cancel'))));
  }
}

function actions(...buttons) {
  return h('div', { class: 'actions' }, buttons);
}
