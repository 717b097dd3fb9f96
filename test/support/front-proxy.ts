import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { CertificateFiles } from './test-certificates.js';

/**
 * What a reverse proxy does wrong: nothing (`well`), it serves operators' routes, too (`open`), leads
 * on to another address, loses query or path, adds something to every answer, has no hub behind it,
 * or cuts the connection.
 */
export type FrontBehaviour =
  'well' | 'open' | 'redirect' | 'no query' | 'no path' | 'banner' | 'bad gateway' | 'cut';

/** A reverse proxy before a hub, as `PUBLIC_URL` names it. */
export class FrontProxy {
  behaviour: FrontBehaviour = 'well';
  /** URL of the hub. */
  target = '';

  private constructor(
    private readonly server: Server,
    private readonly scheme: string,
  ) {}

  /** @param certificate with one it speaks TLS. */
  static async open(certificate?: CertificateFiles): Promise<FrontProxy> {
    const server = certificate
      ? createTlsServer({
          cert: readFileSync(certificate.cert),
          key: readFileSync(certificate.key),
        })
      : createServer();
    const proxy = new FrontProxy(server, certificate ? 'https' : 'http');
    server.on('request', (request, response) => proxy.serve(request, response));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get url(): string {
    return `${this.scheme}://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const { url = '/', method, headers } = request;
    const isHidden = !url.startsWith('/callback/') && this.behaviour !== 'open';
    if (isHidden) return void response.writeHead(404).end('<h1>Not found</h1>');
    if (this.behaviour === 'cut') return void request.socket.destroy();
    if (this.behaviour === 'bad gateway') return void response.writeHead(502).end('<h1>502</h1>');
    if (this.behaviour === 'redirect') {
      return void response.writeHead(301, { location: `https://other.example.com${url}` }).end();
    }
    const path = this.behaviour === 'no path' ? url.replace('/callback', '') : url;
    const asked = this.behaviour === 'no query' ? (path.split('?')[0] ?? '') : path;
    const onward = httpRequest(`${this.target}${asked}`, { method, headers }, (answer) => {
      const more = this.behaviour === 'banner' ? '<!-- by the proxy -->' : '';
      const { 'content-length': _, ...kept } = answer.headers;
      response.writeHead(answer.statusCode ?? 502, kept);
      answer.on('end', () => response.end(more)).pipe(response, { end: false });
    });
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  }
}
