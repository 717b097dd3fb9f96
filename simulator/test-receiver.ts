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
import { encryptPush, signMessage } from './wechat-push-crypto.js';
import { decryptReply } from './wechat-reply-crypto.js';

/** A message as it arrived, decrypted. */
export interface ReceivedMessage {
  path: string;
  query: Record<string, string>;
  headers: IncomingHttpHeaders;
  /** The outer document. */
  body: string;
  text: string;
  tailId: string;
  /** Port of the sender: one for each connection. */
  port: number;
}

/** What a message is answered; `null`: nothing at all, `cut`: the connection ends. */
export type ReceiverAnswer = { status?: number; body?: string } | 'cut' | null;

/** A stand-in for the hub's message URL; for the simulator's own specs. */
export class MessageReceiver {
  readonly received: ReceivedMessage[] = [];
  /** Asked for each message; a promise holds the answer. */
  answer: (message: ReceivedMessage) => ReceiverAnswer | Promise<ReceiverAnswer> = () => ({
    body: 'success',
  });
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      readBody(request, (body) => void this.take(request, response, body));
    });
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
    const { message: text, tailId } = decryptOuter(body);
    const message: ReceivedMessage = {
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body,
      text,
      tailId,
      port: request.socket.remotePort ?? 0,
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

function decryptOuter(body: string): { message: string; tailId: string } {
  const encrypted =
    /<Encrypt><!\[CDATA\[(.+)\]\]><\/Encrypt>/.exec(body)?.[1] ??
    /"Encrypt":"(.+)"/.exec(body)?.[1] ??
    '';
  return decryptReply(SIMULATOR_COMPONENT.encodingAesKey, encrypted);
}
