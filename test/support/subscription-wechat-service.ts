import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';

// As a program in JavaScript has it: without the types, which are no matter here.
const { OpenPlatform, ServerRequest } = createRequire(import.meta.url)('node-easywechat');

/** What node-easywechat keeps tickets and tokens in. */
class MemoryCache {
  readonly values = new Map<string, unknown>();

  async get(key: string): Promise<unknown> {
    return this.values.get(key);
  }

  async set(key: string, value: unknown): Promise<boolean> {
    this.values.set(key, value);
    return true;
  }

  async has(key: string): Promise<boolean> {
    return this.values.has(key);
  }

  async delete(key: string): Promise<boolean> {
    return this.values.delete(key);
  }
}

/** How the platform's program is set up: as WeChat's console says, but for the addresses. */
export interface EasyWechatSettings {
  appid: string;
  /** An API key. */
  secret: string;
  token: string;
  encodingAesKey: string;
  /** Address of the hub's drop-in. */
  wx: string;
}

/**
 * A platform's service that was written with node-easywechat for WeChat itself: `/events` takes what
 * is for the platform, `/<appid>/messages` what is for an account.
 */
export class EasyWechatService {
  settings!: EasyWechatSettings;
  /** Decrypted events and messages, as its handlers get them. */
  readonly handled: Record<string, string>[] = [];
  /** What a handler answers to a text. */
  reply: (content: string) => string = (content) => `echo ${content}`;
  readonly cache = new MemoryCache();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<EasyWechatService> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const service = new EasyWechatService(server);
    server.on('request', (request, response) => void service.serve(request, response));
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Its platform, as each request makes it. */
  platform(): any {
    const { appid, secret, token, encodingAesKey, wx } = this.settings;
    const http = { baseURL: `${wx}/` };
    const app = new OpenPlatform({ app_id: appid, secret, token, aes_key: encodingAesKey, http });
    app.setCache(this.cache);
    return app;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const answer = await this.answer(await ServerRequest.createFromIncomingMessage(request));
      response.writeHead(answer.getStatusCode()).end(answer.getBody().toString());
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  }

  private answer(request: any): Promise<any> {
    const app = this.platform();
    app.setRequest(request);
    const account = /^\/(\w+)\/messages/.exec(request.getUri())?.[1];
    if (account === undefined) {
      const server = app.getServer();
      server.with((message: any, next: any) => {
        this.handled.push({ ...message.attributes });
        return next(message);
      });
      return server.serve();
    }
    const official = app.getOfficialAccountWithAccessToken(account, 'any');
    official.setRequest(request);
    const server = official.getServer();
    server.addMessageListener('text', (message: any) => {
      this.handled.push({ ...message.attributes, account });
      return this.reply(message.Content);
    });
    return server.serve();
  }
}
