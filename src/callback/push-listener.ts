import type { IncomingMessage, RequestListener } from 'node:http';
import { parse } from 'node:querystring';
import { APPID_CHARACTERS } from '../common/appid.js';
import { endOfTurn } from '../common/end-of-turn.js';
import { answerDirectly } from '../http/direct-answer.js';
import { BODY_LIMIT } from '../http/request-gate.js';
import { headRefusal } from '../http/request-head.js';
import type { PushRequest } from './callback.service.js';

/** Path and query of a push as WeChat sends it: nothing in it is escaped. */
const PLAIN = new RegExp(
  String.raw`^/callback/(${APPID_CHARACTERS})/(?:events|messages/(${APPID_CHARACTERS}))\?([\w.~=&-]*)$`,
);
/** However many parameters there are: the framework reads all of them, too. */
const ALL = { maxKeys: 0 };
const ROUTES = {
  events: '/callback/:componentAppId/events',
  messages: '/callback/:componentAppId/messages/:authorizerAppId',
};

/** Who answers pushes, to either URL. */
export interface PushReceiver {
  /** @param authorizerAppId the account that the path names; undefined at the URL for events. */
  receive(request: PushRequest, authorizerAppId: string | undefined): Promise<string>;
  /** Whether the hub takes no more of them. */
  stopped(): boolean;
}

/**
 * Answers pushes before the framework, whose way takes 5 to 10 % of their processor time. It takes
 * those that come as WeChat sends them. Any other goes the framework's way, and so does, once it was
 * read, one that is refused: errors are answered, counted and logged there alone. One whose sender
 * goes before its body is whole leaves no trace.
 *
 * ```
 * request ─ plain? ─▶ body ─▶ end of turn ─▶ PushReceiver ─▶ answer
 *             │ no                               │ throws
 *             ▼                                  ▼
 *         framework ◀────────────────── refusedBefore()
 * ```
 */
export class PushListener {
  private receiver: PushReceiver | undefined;

  /** @param addressOf the sender's address, as trusted proxies say it. */
  constructor(private readonly addressOf: (request: IncomingMessage) => string | undefined) {}

  /** From now on pushes are taken. */
  open(receiver: PushReceiver): void {
    this.receiver = receiver;
  }

  /** A listener that leaves to `framework` what it does not take. */
  before(framework: RequestListener): RequestListener {
    return (request, response) => {
      const { receiver } = this;
      const plain = PLAIN.exec(request.url ?? '');
      if (!plain || !receiver || receiver.stopped() || !isPlain(request)) {
        framework(request, response);
        return;
      }
      const arrived = performance.now();
      const [, componentAppId = '', authorizerAppId, query = ''] = plain;
      const route = authorizerAppId === undefined ? ROUTES.events : ROUTES.messages;
      const exchange = { request, response, framework, arrived, route };
      whole(request, (body) =>
        answerDirectly(exchange, async () => {
          const sourceAddress = this.addressOf(request);
          const elapsedMs = performance.now() - arrived;
          const push = {
            componentAppId,
            query: parse(query, '&', '=', ALL),
            body,
            sourceAddress,
            elapsedMs,
          };
          const text = await receiver.receive(push, authorizerAppId);
          return { contentType: `${contentTypeOf(text)}; charset=utf-8`, text };
        }),
      );
    };
  }
}

/** Whether nothing in its head is odd, and it has a body of a length that is read. */
function isPlain(request: IncomingMessage): boolean {
  const { method, headers } = request;
  if (method !== 'POST' || headers.expect !== undefined || headRefusal(request)) return false;
  const length = Number(headers['content-length']);
  return length > 0 && length <= BODY_LIMIT;
}

/** Calls `work` with the body at the end of its turn, unless the sender goes before it is whole. */
function whole(request: IncomingMessage, work: (body: Buffer) => Promise<void>): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  // Nearly every body comes as one, which need not be copied.
  const body = (): Buffer => (chunks.length === 1 && chunks[0]) || Buffer.concat(chunks);
  request.on('end', () => void endOfTurn().then(() => work(body())));
}

/** What a push is answered with, by its beginning; `success` is plain text. */
export function contentTypeOf(answer: string): string {
  if (answer.startsWith('<')) return 'text/xml';
  return answer.startsWith('{') ? 'application/json' : 'text/plain';
}
