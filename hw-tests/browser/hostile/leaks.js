/**
 * Ways that no content policy covers: WebRTC, and the hints that make a browser look up a name or connect.
 * The catcher and the browser's own log say what left; this page learns nothing of it.
 */
import { walled } from './wire.js';

/** @param {string} ports of the catcher: for STUN, for TURN over TCP, for a mere connection */
export function leaks(ports) {
  const [udp, tcp, touch] = ports.split(',');
  return {
    'webrtc over udp': () => peer({ urls: `stun:127.0.0.1:${udp}` }),
    'webrtc over tcp': () => peer({ urls: `turn:127.0.0.1:${tcp}?transport=tcp`, username: 'secret', credential: 'x' }),
    preconnect: () => hint('preconnect', `http://127.0.0.1:${touch}`),
    'dns prefetch': () => hint('dns-prefetch', `http://hint-of-the-${walled ? 'walled' : 'free'}.invalid`),
  };
}

async function peer(server) {
  const made = new RTCPeerConnection({ iceServers: [server] });
  made.createDataChannel('out');
  await made.setLocalDescription(await made.createOffer());
  await new Promise((resolve) => {
    made.onicegatheringstatechange = () => made.iceGatheringState === 'complete' && resolve();
  });
}

/** Nobody is told when a hint was taken: it has all the time that a way has. */
function hint(rel, href) {
  document.head.append(Object.assign(document.createElement('link'), { rel, href }));
  return new Promise(() => {});
}
