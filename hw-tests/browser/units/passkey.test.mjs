/** What a page posts of a passkey: the named parts, and never the secret that only the page may know. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { served } from './served.mjs';

Object.defineProperty(globalThis, 'document', { value: { documentElement: { dataset: {} } }, configurable: true });
const { assertion, creation, hindrance } = await served('shell/passkey.js');

const SECRET = new Uint8Array(32).fill(0x5e);
const buffer = (text) => new TextEncoder().encode(text).buffer;

/** A credential as browsers give it: the secret is in its extension results, and in what `toJSON` makes. */
function credential(response) {
  return {
    id: 'aWQ',
    rawId: buffer('id'),
    type: 'public-key',
    response,
    getClientExtensionResults: () => ({ prf: { enabled: true, results: { first: SECRET.buffer } } }),
    toJSON: () => ({ clientExtensionResults: { prf: { results: { first: 'Xl5eXl5eXl4' } } } }),
  };
}

function holdsNoSecret(posted) {
  const text = JSON.stringify(posted);
  for (const form of ['Xl5eXl5e', '5e5e5e', '94,94', 'prf', 'xtension']) assert(!text.includes(form), text);
}

test('of a new passkey three parts are posted and no secret', () => {
  const posted = creation(credential({ clientDataJSON: buffer('{}'), getAuthenticatorData: () => buffer('??>'), getPublicKey: () => buffer('key') }));
  assert.deepEqual(posted, { client_data: 'e30', authenticator_data: 'Pz8-', public_key: 'a2V5' });
  holdsNoSecret(posted);
});

test('a browser that does not give the key is told of in words', () => {
  for (const response of [{ getPublicKey: () => null }, {}]) {
    assert.throws(() => creation(credential(response)), { code: 'passkey.browser' });
  }
});

test('to sign in five parts are posted and no secret', () => {
  const response = { clientDataJSON: buffer('{}'), authenticatorData: buffer('data'), signature: buffer('sig'), userHandle: buffer('user') };
  const posted = assertion(credential(response));
  assert.deepEqual(Object.keys(posted).sort(), ['authenticator_data', 'client_data', 'credential', 'signature', 'user']);
  holdsNoSecret(posted);
  assert.equal(assertion(credential({ ...response, userHandle: null })).user, 'none');
});

test('why there can be no passkey is known before anybody is asked', () => {
  const whole = { isSecureContext: true, PublicKeyCredential: {}, navigator: { credentials: {} } };
  const at = (hostname, scope = whole) => hindrance({ hostname }, scope);
  assert.equal(at('ann.localhost'), '');
  assert.equal(at('ann-hometwin.local'), '');
  for (const number of ['127.0.0.1', '[::1]', '192.168.1.5']) assert.equal(at(number), 'address');
  assert.equal(at('ann.lan', { ...whole, isSecureContext: false }), 'insecure');
  assert.equal(at('ann.localhost', { isSecureContext: true, navigator: {} }), 'browser');
});
