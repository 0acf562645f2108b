/**
 * Makes a passkey and signs in with one, by the browser's own dialogs.
 * What a passkey gives in secret to its page (PRF) is never read here and never posted: only the named parts are.
 */
import { call, id, Problem } from './api.js';

/** As long as the twin waits. */
const TIMEOUT_MS = 300_000;

/** @returns {'' | 'insecure' | 'address' | 'browser'} why there can be no passkey here; '' if there can */
export function hindrance({ hostname } = location, scope = globalThis) {
  if (/^\d+(\.\d+){3}$|:|^\[/.test(hostname)) return 'address';
  if (!scope.isSecureContext) return 'insecure';
  return scope.PublicKeyCredential && scope.navigator.credentials ? '' : 'browser';
}

/** Makes a passkey on this device. @returns {Promise<{passkeys: object[]}>} */
export async function make() {
  const { challenge, host, user, name, display_name: displayName, algorithms, exclude } = await call('identity', 'begin_passkey');
  const made = await asked(() =>
    navigator.credentials.create({
      publicKey: {
        challenge: bytes(challenge),
        rp: { id: host, name: host },
        user: { id: bytes(user), name, displayName },
        pubKeyCredParams: algorithms.map((alg) => ({ type: 'public-key', alg })),
        excludeCredentials: exclude.map((known) => ({ type: 'public-key', id: bytes(known) })),
        // Without a name to type the passkey itself has to know whose it is.
        authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
        attestation: 'none',
        // Asked for when it is made or never; nothing is computed yet.
        extensions: { prf: {} },
        timeout: TIMEOUT_MS,
      },
    }),
  );
  return call('identity', 'add_passkey', { id: id(), ...creation(made) });
}

/** Signs this browser in with any passkey of this twin that the person chooses. */
export async function signIn() {
  const { challenge, host } = await call('identity', 'begin_sign_in');
  const proof = await asked(() => navigator.credentials.get({ publicKey: { challenge: bytes(challenge), rpId: host, userVerification: 'required', timeout: TIMEOUT_MS } }));
  try {
    await call('identity', 'sign_in', assertion(proof));
  } catch (problem) {
    // Whoever keeps the passkey should not offer it again.
    if (problem.code === 'passkey_unknown') PublicKeyCredential.signalUnknownCredential?.({ rpId: host, credentialId: proof.id }).catch(() => {});
    throw problem;
  }
}

/** What is posted of a new passkey. */
export function creation({ response }) {
  const key = response.getPublicKey?.();
  if (!key) throw new Problem({ code: 'passkey.browser', retry: 'no' });
  return { client_data: text(response.clientDataJSON), authenticator_data: text(response.getAuthenticatorData()), public_key: text(key) };
}

/** What is posted to sign in. */
export function assertion({ rawId, response }) {
  return {
    credential: text(rawId),
    client_data: text(response.clientDataJSON),
    authenticator_data: text(response.authenticatorData),
    signature: text(response.signature),
    user: response.userHandle?.byteLength ? text(response.userHandle) : 'none',
  };
}

/** What went wrong, in words. @param {(key: string) => string} t */
export function inWords(problem, t) {
  if (problem.code?.startsWith('passkey.')) return t(problem.code);
  return problem.code === 'offline' ? t('problem.offline') : problem.sentence || t('problem.unknown');
}

/** The browser's dialog; how it ended otherwise becomes a problem. */
async function asked(dialog) {
  try {
    return await dialog();
  } catch (error) {
    const code = { InvalidStateError: 'passkey.known', SecurityError: 'passkey.address', NotSupportedError: 'passkey.browser' }[error.name];
    throw new Problem({ code: code ?? 'passkey.left', retry: 'now' });
  }
}

/** @param {string} base64url */
function bytes(base64url) {
  return Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
}

/** @param {ArrayBuffer} buffer @returns {string} base64url */
function text(buffer) {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('');
  return btoa(letters).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
