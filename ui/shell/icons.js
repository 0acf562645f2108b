/** Line icons, drawn here as paths on a 24 grid. Decoration only: the words beside them carry the meaning. */

const PATHS = {
  home: 'M4 11.5 12 5l8 6.5M6.5 10v9h11v-9M10 19v-5h4v5',
  contacts: 'M9 11.5a3.25 3.25 0 1 0 0-6.5 3.25 3.25 0 0 0 0 6.5M3 19c.4-3.2 2.8-5 6-5s5.6 1.8 6 5M16 5.3a3 3 0 0 1 0 5.9M17.5 14.3c2 .6 3.2 2.2 3.5 4.7',
  history: 'M4.5 12a7.5 7.5 0 1 0 2.4-5.5L4.5 8.7M4.5 4.7v4h4M12 8v4.3l2.8 1.7',
  settings: 'M4 7.5h9m5 0h2M4 16.5h2m5 0h9M15.5 9.7a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4M8.5 18.7a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4',
  back: 'M14.5 5.5 8 12l6.5 6.5',
  close: 'M6.5 6.5l11 11m0-11-11 11',
  files: 'M4.5 17.5v-11a2 2 0 0 1 2-2h3.5l2.5 2.5h5a2 2 0 0 1 2 2v8.5a2 2 0 0 1-2 2h-11a2 2 0 0 1-2-2zM4.5 10.5h15',
  spaces: 'M9.5 13a4 4 0 1 0 0-8 4 4 0 0 0 0 8M14.5 19a4 4 0 1 0 0-8 4 4 0 0 0 0 8',
  todo: 'M4.5 7l1.8 1.8L9.5 5.5M12.5 7.5h7M4.5 15.5l1.8 1.8 3.2-3.3M12.5 16h7',
  chat: 'M4.5 17.5v-9a3 3 0 0 1 3-3h9a3 3 0 0 1 3 3v4.5a3 3 0 0 1-3 3H9zM8.5 9.5h7M8.5 12.5h4.5',
  app: 'M6 4.5h12a1.5 1.5 0 0 1 1.5 1.5v12a1.5 1.5 0 0 1-1.5 1.5H6A1.5 1.5 0 0 1 4.5 18V6A1.5 1.5 0 0 1 6 4.5M4.5 9h15',
  plus: 'M12 5.5v13M5.5 12h13',
  copy: 'M9 9h9.5v10.5H9zM6 15H5V4.5h9.5v1.5',
  key: 'M8.5 15.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12.4 11.5h7.1v3M16.5 11.5v2.5',
  device: 'M5 5.5h14v10H5zM9.5 19h5M12 15.5V19',
};

/** @param {keyof typeof PATHS} name */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', name === 'back' ? 'icon turns' : 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(svg.namespaceURI, 'path');
  path.setAttribute('d', PATHS[name] ?? PATHS.app);
  svg.append(path);
  return svg;
}
