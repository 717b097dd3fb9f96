import type { IncomingMessage, RequestListener } from 'node:http';
import type { FastifyContextConfig, RouteOptions } from 'fastify';
import type { AccessRequest } from '../auth/access.guard.js';
import { APPID_CHARACTERS } from '../common/appid.js';
import type { Caller } from '../http/caller.js';
import { answerDirectly, type DirectExchange } from '../http/direct-answer.js';
import { JSON_TYPE } from '../http/raw-answer.js';
import { hasBody, headRefusal } from '../http/request-head.js';

/** Path of a read as services write it. */
const PLAIN = new RegExp(`^/api/(components|authorizers)/(${APPID_CHARACTERS})/access-token$`);
/** Pattern of the framework's route of such reads, and its parameter. */
const ROUTE = /^\/api\/(components|authorizers)\/:(\w+)\/access-token$/;
type Kind = 'components' | 'authorizers';

/** Who answers reads of tokens: of platforms, and of accounts. */
export interface TokenReader extends Record<Kind, (appid: string) => Promise<object>> {
  /** Who asks. @throws {HubError} where they may not. */
  check(request: AccessRequest): Caller | Promise<Caller>;
  /** Whether the hub takes no more of them. */
  stopped(): boolean;
}

/** What the framework's route says of itself: who may ask is decided by that. */
interface ReadRoute {
  url: string;
  parameter: string;
  config: FastifyContextConfig;
}

/**
 * Answers reads of tokens before the framework, whose way takes a quarter of their processor time:
 * services ask again and again. It takes those without query or body; any other goes the framework's
 * way, and so does one that is refused, see {@link answerDirectly}.
 */
export class TokenReadListener {
  private reader: TokenReader | undefined;
  private readonly routes = new Map<string, ReadRoute>();

  /** @param addressOf the sender's address, as trusted proxies say it. */
  constructor(private readonly addressOf: (request: IncomingMessage) => string) {}

  /** A route of the framework; reads whose route is not known go the framework's way. */
  learn({ method, url, config = {} }: Pick<RouteOptions, 'method' | 'url' | 'config'>): void {
    const [, kind, parameter] = ROUTE.exec(url) ?? [];
    if (kind === undefined || parameter === undefined || String(method) !== 'GET') return;
    this.routes.set(kind, { url, parameter, config });
  }

  /** From now on reads are taken. */
  open(reader: TokenReader): void {
    this.reader = reader;
  }

  /** A listener that leaves to `framework` what it does not take. */
  before(framework: RequestListener): RequestListener {
    return (request, response) => {
      const [, kind = '', appid = ''] = PLAIN.exec(request.url ?? '') ?? [];
      const [route, reader] = [this.routes.get(kind), this.reader];
      if (!route || !reader || reader.stopped() || !isPlain(request)) {
        framework(request, response);
        return;
      }
      const arrived = performance.now();
      const asked = this.askedOf(request, route, appid);
      const exchange: DirectExchange = { request, response, framework, arrived, route: route.url };
      void answerDirectly(exchange, async () => {
        exchange.caller = await reader.check(asked);
        const token = await reader[kind as Kind](appid);
        return { contentType: JSON_TYPE, text: JSON.stringify(token) };
      });
    };
  }

  /** A request as the framework would show it to the guard. */
  private askedOf(
    request: IncomingMessage,
    { url, parameter, config }: ReadRoute,
    appid: string,
  ): AccessRequest {
    const { method = '', headers } = request;
    const params = { [parameter]: appid };
    const ip = this.addressOf(request);
    return { method, headers, ip, params, query: {}, routeOptions: { url, config } };
  }
}

/** Whether nothing in its head is odd, and no body comes with it. */
function isPlain(request: IncomingMessage): boolean {
  const { method, headers } = request;
  return (
    method === 'GET' && headers.expect === undefined && !hasBody(request) && !headRefusal(request)
  );
}
