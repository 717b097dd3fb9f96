// A service that answers WeChat users by way of component-hub. Node.js 20 or later, no packages.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const { WEBHOOK_SECRET = '', HOST = '127.0.0.1', PORT = '8080' } = process.env;
const TOLERANCE_SECONDS = 300; // how far a signature's time may be from this machine's clock
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_REMEMBERED = 10_000;

const key = Buffer.from(WEBHOOK_SECRET.replace(/^whsec_/, ''), 'base64');
if (key.length < 24) {
  console.error('WEBHOOK_SECRET must be the secret of the subscription, whsec_…');
  process.exit(1);
}

/**
 * Whether the hub sent it, as Standard Webhooks says (https://www.standardwebhooks.com). With its
 * library, `npm install standardwebhooks`: new Webhook(WEBHOOK_SECRET).verify(body, headers).
 */
function isGenuine(headers, body) {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'] ?? '';
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  if (!id || !/^\d+$/.test(timestamp) || age > TOLERANCE_SECONDS) return false;
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
  // Several signatures, with a space between them, while a secret is being changed.
  const signatures = (headers['webhook-signature'] ?? '').split(' ');
  return signatures.some((signature) => {
    const given = Buffer.from(signature.replace(/^v1,/, ''), 'base64');
    return (
      signature.startsWith('v1,') &&
      given.length === expected.length &&
      timingSafeEqual(given, expected)
    );
  });
}

/** Your part: the passive reply to a push, in WeChat's own names; undefined for none. */
function replyTo({ type, data }) {
  if (type !== 'message.text') return undefined;
  const said = [...data.fields.Content].slice(0, 200).join('');
  return { MsgType: 'text', Content: `You said: ${said}` };
}

/**
 * Answers by webhook-id. The hub delivers at least once: what comes again is answered as the first
 * time and has no second effect. Where that must outlast a restart, or you run several processes,
 * it is a table of your database with the id as its key.
 */
const answers = new Map();

function answerOnce(id, body) {
  if (!answers.has(id)) {
    const reply = replyTo(JSON.parse(body.toString('utf8')));
    answers.set(id, reply === undefined ? '' : JSON.stringify(reply));
    if (answers.size > MAX_REMEMBERED) answers.delete(answers.keys().next().value);
    console.log(`handled ${id}`); // its content is your users' own
  }
  return answers.get(id);
}

/** Status and body of the answer. */
async function handle(request) {
  if (request.method !== 'POST') return [405, ''];
  if (!(Number(request.headers['content-length'] ?? NaN) <= MAX_BODY_BYTES)) return [413, ''];
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  // Before anything else is read: the bytes as they came, not JSON that was written anew.
  if (!isGenuine(request.headers, body)) return [401, ''];
  try {
    return [200, answerOnce(request.headers['webhook-id'], body)];
  } catch (error) {
    console.error('a push could not be handled; the hub sends it again', error);
    return [500, ''];
  }
}

const server = createServer((request, response) => {
  handle(request).then(
    ([status, body]) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(body),
    () => response.destroy(),
  );
});
server.listen(Number(PORT), HOST, () => {
  console.log(`Listening on http://${HOST}:${server.address().port}`);
});
