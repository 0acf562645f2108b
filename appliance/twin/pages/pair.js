/**
 * Sets up the first twin: takes the one-time code from the address, asks for a name, and goes on to
 * the new twin. Without a code there is nothing to do here. Never keeps the code anywhere.
 */
const code = location.hash.slice(1);
const form = document.getElementById('form');
const said = document.getElementById('said');
const { name } = form.elements;
const button = form.querySelector('button');

history.replaceState(null, '', location.pathname);
if (code) {
  said.textContent = '';
  form.hidden = false;
  name.focus();
}

name.addEventListener('input', () => {
  const { selectionStart } = name;
  name.value = name.value.toLowerCase();
  name.setSelectionRange(selectionStart, selectionStart);
});

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  said.textContent = said.dataset.wait;
  try {
    const answer = await fetch('/api/node/1/claim', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ code, name: name.value }),
    });
    const told = await answer.json();
    if (answer.ok) return location.replace(told.next);
    said.textContent = `${told.detail} ${told.what_to_do}`;
  } catch {
    said.textContent = said.dataset.offline;
  }
  button.disabled = false;
  name.focus();
});
