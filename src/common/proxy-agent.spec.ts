import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ConnectProxy } from '../../test/support/connect-proxy.js';
import { TestAuthority } from '../../test/support/test-certificates.js';
import { ProxyAgent, proxyFor } from './proxy-agent.js';
import { Secret } from './secret.js';

const CREDENTIALS = 'hub@corp:fake:p@ss/wörd';
const authority = new TestAuthority();
const ca = readFileSync(authority.ca);
const pinned: LookupFunction = (_host, _options, callback) =>
  callback(null, [{ address: '127.0.0.1', family: 4 }]);

let proxy: ConnectProxy;
let target: Server;
let agents: ProxyAgent[] = [];

beforeAll(async () => {
  proxy = await ConnectProxy.open();
  const { cert, key } = authority.issue('target', 'DNS:hooks.example,IP:127.0.0.1');
  const files = { cert: readFileSync(cert), key: readFileSync(key) };
  target = createServer(files, (_, response) => response.end('fake-answer'));
  await once(target.listen(0, '127.0.0.1'), 'listening');
});
afterEach(() => {
  for (const agent of agents) agent.destroy();
  agents = [];
  proxy.cut();
  proxy.connects.length = 0;
  proxy.behaviour = 'connect';
  proxy.wants = undefined;
});
afterAll(async () => {
  target.close();
  await proxy.close();
  authority.remove();
});

function agentOf(url = `http://${proxy.host}`, connectMs = 2000): ProxyAgent {
  const agent = new ProxyAgent(new Secret(url), connectMs, { keepAlive: true });
  agents.push(agent);
  return agent;
}

const port = (): number => (target.address() as AddressInfo).port;

async function get(url: string, options: RequestOptions & { agent: ProxyAgent }): Promise<string> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  const outgoing = send(url, { ca, ...options } as RequestOptions);
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return (await response.toArray()).join('');
}

describe('a call by way of a proxy', () => {
  it('is connected with the address that was looked up, and speaks TLS with the name', async () => {
    const agent = agentOf();
    const url = `https://hooks.example:${port()}/`;
    expect(await get(url, { agent, lookup: pinned })).toBe('fake-answer');
    expect(await get(url, { agent, lookup: pinned })).toBe('fake-answer');
    // The second call used the connection of the first.
    expect(proxy.connects).toEqual([{ target: `127.0.0.1:${port()}`, credentials: undefined }]);
  });

  it('leaves the name to the proxy where there is no lookup', async () => {
    await get(`https://hooks.example:${port()}/`, { agent: agentOf() });
    expect(proxy.connects).toEqual([{ target: `hooks.example:${port()}`, credentials: undefined }]);
  });

  it('is not made where the lookup permits no address', async () => {
    const lookup: LookupFunction = (_host, _options, callback) =>
      callback(new Error('fake-refusal'), []);
    const call = get(`https://hooks.example:${port()}/`, { agent: agentOf(), lookup });
    await expect(call).rejects.toThrow('fake-refusal');
    expect(proxy.connects).toEqual([]);
  });

  it.each(['hooks.example', '127.0.0.1'])('trusts a certificate for %s', async (host) => {
    expect(await get(`https://${host}:${port()}/`, { agent: agentOf() })).toBe('fake-answer');
  });

  it.each(['other.example', '127.0.0.2', 'localhost'])(
    'trusts no certificate of another than %s',
    async (host) => {
      const call = get(`https://${host}:${port()}/`, { agent: agentOf() });
      await expect(call).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    },
  );

  it('brings user and password, with their special characters', async () => {
    proxy.wants = CREDENTIALS;
    const user = CREDENTIALS.split(/:(.*)/s).slice(0, 2).map(encodeURIComponent).join(':');
    const agent = agentOf(`http://${user}@${proxy.host}`);
    expect(await get(`https://hooks.example:${port()}/`, { agent })).toBe('fake-answer');
  });

  it.each([
    [407, 'refused its user and password, or wants some: HTTP 407'],
    [403, 'did not let the call through: HTTP 403'],
    [502, 'did not let the call through: HTTP 502'],
    ['end', 'ended the connection'],
    ['babble', 'does not speak HTTP'],
    ['hang', 'did not answer within 100 ms'],
  ] as const)('that meets %s fails by the proxy, without its password', async (behaviour, why) => {
    proxy.behaviour = behaviour;
    const agent = agentOf(`http://hub:fake-password@${proxy.host}`, 100);
    const error = await get('https://hooks.example/', { agent }).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ message: `the proxy ${proxy.host} ${why}`, code: 'ERR_PROXY' });
    await expect.poll(() => proxy.open).toBe(0);
  });

  it('that nobody listens to fails by the proxy', async () => {
    const agent = agentOf('http://hub:fake-password@127.0.0.1:1');
    await expect(get('https://hooks.example/', { agent })).rejects.toThrow(
      'the proxy 127.0.0.1:1 cannot be reached: ECONNREFUSED',
    );
  });

  it('that was given up while the proxy connected leaves no connection', async () => {
    proxy.behaviour = 'hang';
    const outgoing = httpsRequest('https://hooks.example/', { agent: agentOf(undefined, 200) });
    outgoing.on('error', () => undefined);
    outgoing.end();
    await expect.poll(() => proxy.connects.length).toBe(1);
    outgoing.destroy();
    await expect.poll(() => proxy.open).toBe(0);
  });
});

describe('the proxy for a URL', () => {
  const settings = {
    https: new Secret('http://secure.example'),
    http: new Secret('http://plain.example'),
    noProxy: 'direct.example',
    forDeliveries: false,
  };

  it.each([
    ['https://api.example', 'http://secure.example'],
    ['http://api.example', 'http://plain.example'],
    ['https://direct.example', undefined],
  ])('%s is %s', (url, expected) => {
    expect(proxyFor(new URL(url), settings)?.reveal()).toBe(expected);
  });
});
