import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { FileAnswer, type ApiCall, type ApiRoute, type SimulatorContext } from './api-route.js';
import type { CallEntry, CallLog } from './call-log.js';
import type { FaultPlan, PlannedFault } from './fault-plan.js';
import { readBytes, sendBody } from './http-body.js';
import { WechatError } from './wechat-error.js';

/** WeChat's own label, not a registered parameter. */
const JSON_TYPE = 'application/json; encoding=utf-8';

const DEFAULT_DELAY_MS = 1000;

/** A call on its way to an answer. */
interface Exchange {
  call: ApiCall;
  entry: CallEntry;
  response: ServerResponse;
}

/** The JSON or the file that a call leads to. */
interface Answer {
  errcode: number;
  body: string;
  file?: FileAnswer;
}

/** Serves the API routes, with the planned faults and the outage in between. */
export class ApiGateway {
  private readonly routes: ReadonlyMap<string, ApiRoute>;
  private readonly sockets = new Set<Socket>();
  private readonly held = new Map<() => void, string>();
  private outage = false;

  constructor(
    routes: ApiRoute[],
    private readonly context: SimulatorContext,
    private readonly calls: CallLog,
    private readonly faults: FaultPlan,
  ) {
    this.routes = new Map(routes.map((route) => [route.path, route]));
  }

  /** Takes a request for `path`; `search` is the raw query without `?`. */
  handle(request: IncomingMessage, response: ServerResponse, path: string, search: string): void {
    this.track(request.socket);
    if (this.outage) {
      const entry = this.calls.arrive(path, this.context.now());
      entry.fault = 'outage';
      this.calls.settle(entry, null, null, 'outage');
      request.socket.destroy();
      return;
    }
    readBytes(request, (bytes) => {
      const { method = 'GET', headers } = request;
      const call: ApiCall = {
        method,
        path,
        search,
        contentType: headers['content-type'] ?? '',
        bytes,
        get body() {
          return bytes.toString('utf8');
        },
      };
      this.serve(call, response);
    });
  }

  /** In an outage every API connection is cut at once and no call is answered. */
  setOutage(on: boolean): void {
    this.outage = on;
    if (!on) return;
    for (const socket of this.sockets) socket.destroy();
  }

  isOut(): boolean {
    return this.outage;
  }

  /** Lets the held calls (of one path) go on to their answer; answers how many there were. */
  release(path?: string): number {
    const going = [...this.held].filter(([, at]) => path === undefined || at === path);
    for (const [proceed] of going) {
      this.held.delete(proceed);
      proceed();
    }
    return going.length;
  }

  /** Calls that are held by `hang`. */
  heldCount(): number {
    return this.held.size;
  }

  private track(socket: Socket): void {
    if (this.sockets.has(socket)) return;
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
  }

  private serve(call: ApiCall, response: ServerResponse): void {
    const entry = this.calls.arrive(call.path, this.context.now());
    const exchange: Exchange = { call, entry, response };
    const fault = this.faults.pick(call.path);
    if (!fault) return this.answer(exchange, this.perform(call));
    entry.fault = fault.kind;
    if (fault.kind === 'delay' || fault.kind === 'hang') this.postpone(exchange, fault);
    else if (fault.kind === 'text_plain') this.answer(exchange, this.perform(call), 'text/plain');
    else this.spoil(exchange, fault);
  }

  /** Does the work of a call: the only place where a call changes anything. */
  private perform(call: ApiCall): Answer {
    try {
      const route = this.routes.get(call.path);
      if (!route) throw new WechatError(40066);
      const made = route.handle(call, this.context);
      if (made instanceof FileAnswer) return { errcode: 0, body: '', file: made };
      return { errcode: 0, body: JSON.stringify(made) };
    } catch (error) {
      if (!(error instanceof WechatError)) throw error;
      return this.refusal(error);
    }
  }

  private refusal(error: WechatError): Answer {
    return { errcode: error.errcode, body: JSON.stringify(error.toAnswer(this.context.now())) };
  }

  private answer({ entry, response }: Exchange, answer: Answer, contentType = JSON_TYPE): void {
    if (response.destroyed) return this.calls.settle(entry, null, null, 'closed');
    this.calls.settle(entry, 200, answer.errcode);
    if (answer.file) {
      const { name, bytes } = answer.file;
      const disposition = `attachment; filename="${name}"`;
      sendBody(response, 200, answer.file.contentType, bytes, {
        'Content-disposition': disposition,
      });
    } else sendBody(response, 200, contentType, answer.body);
  }

  private postpone(exchange: Exchange, fault: PlannedFault): void {
    const early = fault.afterEffect ? this.perform(exchange.call) : undefined;
    const proceed = () => this.answer(exchange, early ?? this.perform(exchange.call));
    if (fault.kind === 'delay') {
      // Not kept alive for: a stopping process need not wait for a late answer.
      setTimeout(proceed, fault.delayMs ?? DEFAULT_DELAY_MS).unref();
      return;
    }
    this.held.set(proceed, exchange.call.path);
    exchange.response.once('close', () => {
      // Still held when the connection closes: the caller gave up, so there is nothing to release.
      if (this.held.delete(proceed)) this.calls.settle(exchange.entry, null, null, 'closed');
    });
  }

  /** Faults that replace the answer. */
  private spoil({ call, entry, response }: Exchange, fault: PlannedFault): void {
    const done = fault.afterEffect ? this.perform(call) : undefined;
    const respond = (status: number, contentType: string, body: string) => {
      this.calls.settle(entry, status, null, fault.kind);
      sendBody(response, status, contentType, body);
    };
    switch (fault.kind) {
      case 'errcode': {
        const error = new WechatError(fault.errcode ?? -1, fault.errmsg);
        return this.answer({ call, entry, response }, this.refusal(error));
      }
      case 'http':
        return respond(fault.status ?? 502, 'text/html', '<html><body>Bad Gateway</body></html>');
      case 'garbage':
        return respond(200, JSON_TYPE, '<!DOCTYPE html><html>\u0000{"errcode":');
      case 'empty':
        return respond(200, 'text/html; charset=gbk', '');
      case 'empty_object':
        return respond(200, JSON_TYPE, '{}');
      case 'truncate':
        this.calls.settle(entry, null, null, fault.kind);
        return truncate(response, (done ?? this.refusal(new WechatError(-1))).body);
      default:
        this.calls.settle(entry, null, null, fault.kind);
        response.socket?.resetAndDestroy();
    }
  }
}

/** Promises the whole body, sends half of it and closes the connection. */
function truncate(response: ServerResponse, text: string): void {
  const body = Buffer.from(text, 'utf8');
  response.writeHead(200, { 'Content-Type': JSON_TYPE, 'Content-Length': body.length });
  response.write(body.subarray(0, Math.ceil(body.length / 2)), () => response.destroy());
}
