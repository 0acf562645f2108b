/**
 * Language and theme of this browser: kept here, applied to the page, never sent anywhere.
 */
import { direction, loadMessages } from '/sdk/messages.js';

/** Languages the shell has texts for, each named in itself. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' };

/** @returns {string} '' means: as the browser says */
export function chosen(name) {
  return localStorage.getItem(`hometwin.${name}`) ?? '';
}

/** @param {'lang'|'theme'} name @param {string} value */
export function choose(name, value) {
  if (value) localStorage.setItem(`hometwin.${name}`, value);
  else localStorage.removeItem(`hometwin.${name}`);
}

export function applyTheme() {
  const theme = chosen('theme');
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** Loads the shell's texts and turns the page to their language and direction. */
export async function speak() {
  const asked = new URLSearchParams(location.search).get('lang');
  const wanted = [asked, chosen('lang'), ...navigator.languages].filter(Boolean);
  const words = await loadMessages('/shell/messages', wanted);
  const root = document.documentElement;
  root.lang = words.locale;
  root.dataset.language = words.lang;
  root.dir = direction(words.lang);
  applyTheme();
  return words;
}
