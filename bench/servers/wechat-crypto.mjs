/**
 * Peer: wechat-crypto on a bare `node:http` server with xml2js, the pair that its users have.
 * The ticket goes to a Map in memory.
 */
import { createServer } from 'node:http';
import WXBizMsgCrypt from 'wechat-crypto';
import { parseStringPromise } from 'xml2js';
import { COMPONENT } from '../lib/settings.mjs';

const cryptor = new WXBizMsgCrypt(COMPONENT.token, COMPONENT.encodingAesKey, COMPONENT.appid);
const tickets = new Map();
const options = { trim: true, explicitArray: false };

async function accept(url, body) {
  const query = new URL(url, 'http://127.0.0.1').searchParams;
  const { Encrypt: encrypt } = (await parseStringPromise(body, options)).xml;
  const expected = cryptor.getSignature(query.get('timestamp'), query.get('nonce'), encrypt);
  if (query.get('msg_signature') !== expected) throw new Error('Wrong signature');
  const { message, id } = cryptor.decrypt(encrypt);
  if (id !== COMPONENT.appid) throw new Error('Wrong appid');
  const { AppId: appid, ComponentVerifyTicket: ticket } = (
    await parseStringPromise(message, options)
  ).xml;
  tickets.set(appid, ticket);
}

function answer(response, status, text) {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-length': text.length };
  response.writeHead(status, headers).end(text);
}

createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    accept(request.url, Buffer.concat(chunks).toString('utf8')).then(
      () => answer(response, 200, 'success'),
      () => answer(response, 403, 'refused'),
    );
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
