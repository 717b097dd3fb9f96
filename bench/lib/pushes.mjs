import { buildPush, ticketXml } from '../../dist/simulator/push-builder.js';
import { newTicket } from '../../dist/simulator/random-values.js';
import { ADMIN_TOKEN, COMPONENT, TOKEN_PATH } from './settings.mjs';

/** One push as WeChat would send it now, with a ticket of its own. */
export function newPush(createTime = Math.floor(Date.now() / 1000)) {
  const ticket = newTicket();
  const push = buildPush(COMPONENT, Date.now(), ticketXml(COMPONENT.appid, createTime, ticket));
  return { ...push, ticket, createTime };
}

/**
 * Requests ready for the wire, one behind the other in one block of memory: small buffers of
 * their own would make the garbage collector a part of what is measured.
 */
export class RequestPool {
  constructor(bytes, ends) {
    this.bytes = bytes;
    this.ends = ends;
  }

  /** `count` pushes, no two of them alike: a repeated one would be answered without being stored. */
  static ofPushes(count) {
    const texts = Array.from({ length: count }, pushRequest);
    const bytes = Buffer.allocUnsafe(texts.reduce((sum, text) => sum + text.length, 0));
    const ends = new Uint32Array(count);
    let end = 0;
    texts.forEach((text, index) => {
      end += bytes.write(text, end, 'latin1');
      ends[index] = end;
    });
    return new RequestPool(bytes, ends);
  }

  get size() {
    return this.ends.length;
  }

  /** The request at a place. */
  at(index) {
    return this.bytes.subarray(index === 0 ? 0 : this.ends[index - 1], this.ends[index]);
  }
}

/** The token read with authentication. */
export const TOKEN_REQUEST = Buffer.from(
  `GET ${TOKEN_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n` +
    `Authorization: Bearer ${ADMIN_TOKEN}\r\n\r\n`,
);

function pushRequest() {
  const { path, headers, body } = newPush();
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return (
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.join('')}` +
    `Content-Length: ${body.length}\r\n\r\n${body}`
  );
}
