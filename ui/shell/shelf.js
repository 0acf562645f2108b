/**
 * What the shell keeps for experiences in this browser, which have no storage of their own: the last answers
 * and the writes that wait for the twin. Emptied at sign-out; never holds a token.
 */

const LAST_MAX = 60;

let opening;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('hometwin', 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('waiting', { autoIncrement: true }).createIndex('experience', 'experience');
      request.result.createObjectStore('last', { keyPath: ['experience', 'question'] }).createIndex('kept', 'kept');
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

/** One transaction; resolves after it is durable with what the request found. */
async function within(store, mode, act) {
  const transaction = (await database()).transaction(store, mode, { durability: 'strict' });
  const request = act(transaction.objectStore(store));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

/** Keeps a write until the twin can be reached. @param {{experience: string, call: object}} write */
export function wait(write) {
  return within('waiting', 'readwrite', (store) => store.add(write));
}

/** @returns {Promise<{key: number, experience: string, call: any}[]>} oldest first */
export async function waiting(experience) {
  const found = [];
  await within('waiting', 'readonly', (store) => {
    const walk = store.openCursor();
    walk.onsuccess = () => {
      const cursor = walk.result;
      if (!cursor) return;
      if (!experience || cursor.value.experience === experience) found.push({ key: cursor.key, ...cursor.value });
      cursor.continue();
    };
  });
  return found;
}

/** @param {number} key */
export function done(key) {
  return within('waiting', 'readwrite', (store) => store.delete(key));
}

/** Keeps an answer to show when the twin is away. */
export async function keepLast(experience, question, answer) {
  await within('last', 'readwrite', (store) => {
    store.put({ experience, question, answer, kept: Date.now() });
    const count = store.count();
    count.onsuccess = () => {
      let over = count.result - LAST_MAX;
      if (over <= 0) return;
      const walk = store.index('kept').openCursor();
      walk.onsuccess = () => {
        if (!walk.result || over-- <= 0) return;
        walk.result.delete();
        walk.result.continue();
      };
    };
  });
}

export async function last(experience, question) {
  return (await within('last', 'readonly', (store) => store.get([experience, question])))?.answer;
}

/** Forgets the answers of one experience, for example after a grant ended, or those of all. */
export function forgetLast(experience) {
  const range = experience && IDBKeyRange.bound([experience], [experience, []]);
  return within('last', 'readwrite', (store) => (range ? store.delete(range) : store.clear()));
}

/** Forgets everything: at sign-out. */
export async function forgetAll() {
  await forgetLast();
  await within('waiting', 'readwrite', (store) => store.clear());
}
