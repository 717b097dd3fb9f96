import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { SIMULATOR_COMPONENT } from './defaults.js';
import { readBody } from './http-body.js';
import { decryptReply, encryptPush, signMessage } from './wechat-push-crypto.js';

/** A push as it arrived, decrypted. */
export interface ReceivedPush {
  path: string;
  query: Record<string, string>;
  headers: IncomingHttpHeaders;
  /** The outer document. */
  body: string;
  text: string;
  tailId: string;
}

/** What a push is answered; `null`: nothing at all, `cut`: the connection ends. */
export type ReceiverAnswer = { status?: number; body?: string } | 'cut' | null;

/** A stand-in for the hub's two callback URLs; for the simulator's own specs. */
export class Receiver {
  readonly received: ReceivedPush[] = [];
  /** Asked for each push; a promise holds the answer. */
  answer: (message: ReceivedPush) => ReceiverAnswer | Promise<ReceiverAnswer> = () => ({
    body: 'success',
  });
  /** The key that decrypts. */
  encodingAesKey = SIMULATOR_COMPONENT.encodingAesKey;
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      readBody(request, (body) => void this.take(request, response, body));
    });
  }

  /** The decrypted texts, in the order of arrival. */
  get texts(): string[] {
    return this.received.map(({ text }) => text);
  }

  /** Starts; answers the base URL. */
  async start(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }

  private async take(
    request: IncomingMessage,
    response: ServerResponse,
    body: string,
  ): Promise<void> {
    const url = new URL(request.url ?? '', 'http://receiver.invalid');
    const { message: text, tailId } = decryptReply(this.encodingAesKey, encryptedIn(body));
    const message: ReceivedPush = {
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body,
      text,
      tailId,
    };
    this.received.push(message);
    const answer = await this.answer(message);
    if (answer === 'cut') response.destroy();
    else if (answer) response.writeHead(answer.status ?? 200).end(answer.body ?? '');
  }
}

/** A passive reply as the hub encrypts it, or with something wrong about it. */
export function encryptedReply(
  xml: string,
  changes: { token?: string; tailId?: string; encodingAesKey?: string } = {},
): string {
  const { token, encodingAesKey, appid } = SIMULATOR_COMPONENT;
  const encrypted = encryptPush({
    encodingAesKey: changes.encodingAesKey ?? encodingAesKey,
    random: Buffer.from('0123456789abcdef'),
    message: xml,
    tailId: changes.tailId ?? appid,
  });
  const signature = signMessage(changes.token ?? token, '1760000000', '42', encrypted);
  if (xml.startsWith('{')) {
    const [Encrypt, MsgSignature] = [encrypted, signature];
    return JSON.stringify({ Encrypt, MsgSignature, TimeStamp: 1_760_000_000, Nonce: '42' });
  }
  return (
    `<xml><Encrypt><![CDATA[${encrypted}]]></Encrypt>` +
    `<MsgSignature><![CDATA[${signature}]]></MsgSignature>` +
    `<TimeStamp>1760000000</TimeStamp><Nonce><![CDATA[42]]></Nonce></xml>`
  );
}

function encryptedIn(body: string): string {
  const xml = /<Encrypt><!\[CDATA\[(.+)\]\]><\/Encrypt>/.exec(body);
  return (xml ?? /"Encrypt":"(.+)"/.exec(body))?.[1] ?? '';
}

/** The value of an element of a decrypted event. */
export function field(xml: string | undefined, name: string): string | undefined {
  const match = new RegExp(`<${name}>(?:<!\\[CDATA\\[)?(.*?)(?:\\]\\]>)?</${name}>`).exec(
    xml ?? '',
  );
  return match?.[1];
}
