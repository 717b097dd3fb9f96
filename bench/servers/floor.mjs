/**
 * Floor of a push: a bare `node:http` server that does the hub's crypto and XML with the hub's own
 * functions and keeps what came in a variable.
 */
import { createServer } from 'node:http';
import { decodeEncodingAesKey } from '../../dist/wechat-crypto/wechat-cipher.js';
import { WechatCryptoService } from '../../dist/wechat-crypto/wechat-crypto.service.js';
import { COMPONENT } from '../lib/settings.mjs';

const crypto = new WechatCryptoService();
const key = decodeEncodingAesKey(COMPONENT.encodingAesKey);
const last = new Map();

function take(url, body) {
  const query = new URL(url, 'http://127.0.0.1').searchParams;
  const outer = crypto.parseXml(body);
  const push = {
    timestamp: query.get('timestamp'),
    nonce: query.get('nonce'),
    msgSignature: query.get('msg_signature'),
    encrypt: outer.Encrypt,
  };
  if (!crypto.signatureMatches(COMPONENT.token, push)) throw new Error('Wrong signature');
  const inner = crypto.parseXml(crypto.decrypt(key, push.encrypt, COMPONENT.appid));
  for (const name of ['AppId', 'ToUserName']) {
    if (inner[name] !== outer[name]) throw new Error(`Wrong ${name}`);
  }
  last.set(inner.AppId ?? inner.ToUserName, inner);
}

function answer(response, status, text) {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-length': text.length };
  response.writeHead(status, headers).end(text);
}

createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    try {
      take(request.url, Buffer.concat(chunks).toString('utf8'));
      answer(response, 200, 'success');
    } catch {
      answer(response, 403, 'refused');
    }
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
