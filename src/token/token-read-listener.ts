import type { IncomingMessage, RequestListener } from 'node:http';
import type { FastifyContextConfig, RouteOptions } from 'fastify';
import type { AccessRequest } from '../auth/access.guard.js';
import type { Caller } from '../http/caller.js';
import { answerDirectly } from '../http/direct-answer.js';
import { JSON_TYPE } from '../http/raw-answer.js';
import { hasBody, headRefusal } from '../http/request-head.js';

/** Path of a read as services write it. */
const PLAIN = /^\/api\/(components|authorizers)\/([\w-]{1,64})\/access-token$/;
const READS = {
  components: { route: '/api/components/:componentAppId/access-token', name: 'componentAppId' },
  authorizers: { route: '/api/authorizers/:authorizerAppId/access-token', name: 'authorizerAppId' },
} as const;
type Kind = keyof typeof READS;

/** Who answers reads of tokens. */
export interface TokenReader {
  /** Who asks. @throws {HubError} where they may not. */
  check(request: AccessRequest): Caller | Promise<Caller>;
  /** The token of a platform. */
  components(appid: string): Promise<object>;
  /** The token of an account. */
  authorizers(appid: string): Promise<object>;
  /** Whether the hub takes no more of them. */
  stopped(): boolean;
}

/**
 * Answers reads of tokens before the framework, whose way takes a quarter of their processor time:
 * services ask again and again. It takes those without a query and a body; any other goes the
 * framework's way, and so does one that is refused, see {@link answerDirectly}.
 */
export class TokenReadListener {
  private reader: TokenReader | undefined;
  /** What the framework's routes say of who may ask. */
  private readonly configs = new Map<string, FastifyContextConfig>();

  /** @param addressOf the sender's address, as trusted proxies say it. */
  constructor(private readonly addressOf: (request: IncomingMessage) => string) {}

  /** A route of the framework; reads of a route that is not known go the framework's way. */
  learn({ method, url, config }: Pick<RouteOptions, 'method' | 'url' | 'config'>): void {
    if (method === 'GET') this.configs.set(url, config ?? {});
  }

  /** From now on reads are taken. */
  open(reader: TokenReader): void {
    this.reader = reader;
  }

  /** A listener that leaves to `framework` what it does not take. */
  before(framework: RequestListener): RequestListener {
    return (request, response) => {
      const { reader } = this;
      const [, kind, appid = ''] = PLAIN.exec(request.url ?? '') ?? [];
      const { route = '', name = '' } = kind === undefined ? {} : READS[kind as Kind];
      const config = this.configs.get(route);
      if (!config || !reader || reader.stopped() || !isPlain(request)) {
        framework(request, response);
        return;
      }
      const arrived = performance.now();
      const asked: AccessRequest = {
        method: 'GET',
        headers: request.headers,
        ip: this.addressOf(request),
        params: { [name]: appid },
        query: {},
        routeOptions: { url: route, config },
      };
      const exchange = { request, response, framework, arrived, method: 'GET', route } as const;
      void answerDirectly(exchange, async (isAskedBy) => {
        isAskedBy(await reader.check(asked));
        const token = await reader[kind as Kind](appid);
        return { contentType: JSON_TYPE, text: JSON.stringify(token) };
      });
    };
  }
}

/** Whether nothing in its head is odd, and no body comes with it. */
function isPlain(request: IncomingMessage): boolean {
  const { method, headers } = request;
  return (
    method === 'GET' && headers.expect === undefined && !hasBody(request) && !headRefusal(request)
  );
}
