import type { LookupAddress } from 'node:dns';
import type { AgentOptions, ClientRequest } from 'node:http';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { NoProxy } from './no-proxy.js';
import type { Secret } from './secret.js';
import { remark, type Remark } from './remarks.js';

/** Where calls that leave the machine go through; the URLs may hold a user and a password. */
export interface ProxySettings {
  /** For https targets. */
  https?: Secret | undefined;
  /** For http targets. */
  http?: Secret | undefined;
  /** Hosts that are called directly: see {@link NoProxy}. */
  noProxy: string;
  /** Whether deliveries go through them, too. */
  forDeliveries: boolean;
}

/** The proxy let no connection through; the message names it, without its user and password. */
export class ProxyError extends Error {
  readonly code = 'ERR_PROXY';
}

/** The proxy for calls of a URL; undefined where they are made directly. */
export function proxyFor(url: URL, settings: ProxySettings): Secret | undefined {
  const proxy = url.protocol === 'https:' ? settings.https : settings.http;
  return proxy && !new NoProxy(settings.noProxy).covers(url) ? proxy : undefined;
}

/** What is asked of the library's agent. */
type Target = Parameters<HttpsProxyAgent<string>['connect']>[1];

/**
 * Connections by way of a proxy, which is asked to CONNECT for every target, http ones as well. A
 * request that brings a `lookup` of its own is connected to an address that this one gave: the proxy
 * is not asked to find one. TLS is spoken with the name, whatever the address.
 */
export class ProxyAgent extends HttpsProxyAgent<string> {
  /** Host and port, for messages. */
  readonly proxyName: string;
  private readonly credentials: Record<string, string>;

  /** @param connectMs how long the proxy may take until it is connected with a target. */
  constructor(
    url: Secret,
    private readonly connectMs: number,
    agentOptions: AgentOptions,
  ) {
    const proxy = new URL(url.reveal());
    const user = [proxy.username, proxy.password].map(decodeURIComponent).join(':');
    // The library prints the URL where DEBUG is set, and says it to listeners of requests.
    proxy.username = '';
    proxy.password = '';
    super(proxy, agentOptions);
    this.proxyName = proxy.host;
    this.credentials =
      user === ':'
        ? {}
        : { 'Proxy-Authorization': `Basic ${Buffer.from(user).toString('base64')}` };
  }

  override async connect(request: ClientRequest, target: Target): Promise<Socket> {
    const name = String(target.host);
    const host = await addressOf(name, target);
    const { socket, status } = await this.tunnel(request, {
      ...target,
      host,
      // Without this the certificate of a target by address is held against the proxy's name.
      checkServerIdentity: (_: string, cert: PeerCertificate) => checkServerIdentity(name, cert),
    } as Target);
    if (status === 200 && !request.destroyed) return socket;
    socket.destroy();
    throw new ProxyError(whyNot(this.proxyName, status));
  }

  /** One connection to the proxy, with its own end. */
  private async tunnel(
    request: ClientRequest,
    target: Target,
  ): Promise<{ socket: Socket; status: number }> {
    const { proxyName: proxy } = this;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), this.connectMs);
    const { signal } = limit;
    const way = new HttpsProxyAgent(this.proxy, {
      signal,
      keepAlive: this.keepAlive,
      headers: this.credentials,
    } as ConstructorParameters<typeof HttpsProxyAgent<string>>[1]);
    let status = 0;
    way.once('proxyConnect', (answer: { statusCode: number }) => (status = answer.statusCode));
    try {
      return { socket: await way.connect(request, target), status };
    } catch (error) {
      if (signal.aborted) {
        throw new ProxyError(remark('proxy_silent', { proxy, ms: this.connectMs }));
      }
      const { code } = error as NodeJS.ErrnoException;
      throw new ProxyError(
        code ? remark('proxy_unreachable', { proxy, code }) : remark('proxy_ended', { proxy }),
      );
    } finally {
      clearTimeout(timer);
    }
  }
}

function whyNot(proxy: string, status: number): Remark {
  if (status === 200) return remark('proxy_unneeded', { proxy });
  if (status === 407) return remark('proxy_password', { proxy });
  return status > 0
    ? remark('proxy_refused', { proxy, status })
    : remark('proxy_no_http', { proxy });
}

/** The address that the request's own lookup permits; the name itself where it has none. */
async function addressOf(host: string, target: Target): Promise<string> {
  const { lookup } = target as { lookup?: LookupFunction };
  if (!lookup || isIP(host) !== 0) return host;
  return new Promise((resolve, reject) => {
    lookup(host, { all: true }, (error, found) => {
      const [first] = found as LookupAddress[];
      if (error) reject(error);
      else if (!first) reject(new Error('The name has no address'));
      else resolve(first.address);
    });
  });
}
