/**
 * A bare `node:http` server that does the hub's crypto and XML with the hub's own functions, and
 * answers: the floor under every push.
 */
import { createServer } from 'node:http';
import { decodeEncodingAesKey } from '../../dist/wechat-crypto/wechat-cipher.js';
import { WechatCryptoService } from '../../dist/wechat-crypto/wechat-crypto.service.js';
import { COMPONENT } from './settings.mjs';

const crypto = new WechatCryptoService();
const key = decodeEncodingAesKey(COMPONENT.encodingAesKey);

/** Listens on `PORT`. @param take gets the fields of both documents, and throws for a wrong one */
export function serveFloor(take) {
  createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      try {
        take(open(request.url, Buffer.concat(chunks).toString('utf8')));
        answer(response, 200, 'success');
      } catch {
        answer(response, 403, 'refused');
      }
    });
  }).listen(Number(process.env.PORT), '127.0.0.1');
}

function open(url, body) {
  const query = new URL(url, 'http://127.0.0.1').searchParams;
  const outer = crypto.parseXml(body);
  const push = {
    timestamp: query.get('timestamp'),
    nonce: query.get('nonce'),
    msgSignature: query.get('msg_signature'),
    encrypt: outer.Encrypt,
  };
  if (!crypto.signatureMatches(COMPONENT.token, push)) throw new Error('Wrong signature');
  return { outer, inner: crypto.parseXml(crypto.decrypt(key, push.encrypt, COMPONENT.appid)) };
}

function answer(response, status, text) {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-length': text.length };
  response.writeHead(status, headers).end(text);
}
