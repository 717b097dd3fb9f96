/**
 * Floor of the token read: a bare `node:http` server that compares the hash of the bearer token
 * in constant time and answers from memory.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { ADMIN_TOKEN, TOKEN_PATH } from '../lib/settings.mjs';

const LIFE_MS = 7_200_000;
const expiresAt = Date.now() + LIFE_MS;
const token = process.env.TOKEN;
const hash = sha256(ADMIN_TOKEN);

function sha256(text) {
  return createHash('sha256').update(text).digest();
}

function answer(request) {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer === undefined || !timingSafeEqual(sha256(bearer), hash)) return [401, {}];
  if (request.url !== TOKEN_PATH) return [404, {}];
  const expires_in = Math.floor((expiresAt - Date.now()) / 1000);
  return [200, { component_access_token: token, expires_in }];
}

createServer((request, response) => {
  const [status, body] = answer(request);
  const text = JSON.stringify(body);
  const type = 'application/json; charset=utf-8';
  response.writeHead(status, { 'content-type': type, 'content-length': text.length }).end(text);
}).listen(Number(process.env.PORT), '127.0.0.1');
