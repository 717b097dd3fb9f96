import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns/promises';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { TargetRefusedError } from './target-address.js';
import { TargetLookup } from './target-lookup.js';
import { dnsResolve, type NameSources } from './target-names.js';

const PUBLIC: LookupAddress = { address: '8.8.8.8', family: 4 };
const PRIVATE: LookupAddress = { address: '10.1.2.3', family: 4 };
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

/** A name server on this machine; `answer` gives the bytes it answers a question with, if any. */
async function nameServer(answer: (question: Buffer) => Buffer | undefined): Promise<string> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.on('message', (question, { port, address }) => {
    const bytes = answer(question);
    if (bytes) socket.send(bytes, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return `127.0.0.1:${socket.address().port}`;
}

/** An answer of 8.8.8.8 to a question for IPv4 addresses; to others, that there is none. */
function addressFor(question: Buffer): Buffer {
  // The question ends with its type and class, before any additional record.
  const end = question.indexOf(0, 12) + 5;
  const forIpv4 = question.readUInt16BE(end - 4) === 1;
  const head = Buffer.from([0x81, 0x80, 0, 1, 0, forIpv4 ? 1 : 0, 0, 0, 0, 0]);
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 8, 8, 8, 8];
  return Buffer.concat([
    question.subarray(0, 2),
    head,
    question.subarray(12, end),
    Buffer.from(forIpv4 ? record : []),
  ]);
}

/** What both sources were asked, and a lookup that asks them. */
function lookupOf(allowedTargets: string[], sources: Partial<NameSources>) {
  const clock = new FakeClock();
  const asked = { dns: [] as string[], system: [] as string[] };
  const none = async (): Promise<LookupAddress[]> => {
    throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
  };
  const targets = new TargetLookup({ delivery: { allowedTargets, timeoutMs: 1000 } }, clock, {
    dns: (host) => (asked.dns.push(host), (sources.dns ?? none)(host)),
    system: (host) => (asked.system.push(host), (sources.system ?? none)(host)),
  });
  const ask = (host: string): Promise<LookupAddress[] | string> =>
    new Promise((resolve) => {
      targets.lookup(host, { all: true }, (error, found) =>
        resolve(error ? (error.code ?? error.message) : (found as LookupAddress[])),
      );
    });
  return { clock, asked, ask, targets };
}

describe('an address', () => {
  it('is refused each time that it is asked for', () => {
    const { targets } = lookupOf([], {});
    for (const url of ['http://10.1.2.3/hook', 'http://10.1.2.3/hook', 'ftp://a.example.com/']) {
      expect(() => targets.parse(url)).toThrow(TargetRefusedError);
    }
  });

  it('is parsed once, but for one with a query, which may be of one push', () => {
    const { targets } = lookupOf([], {});
    const [fixed, own] = ['https://a.example.com/hook', 'https://a.example.com/hook?nonce=1'];
    expect(targets.parse(fixed)).toBe(targets.parse(fixed));
    expect(targets.parse(own)).not.toBe(targets.parse(own));
    expect(targets.parse(own).href).toBe(own);
  });
});

describe('a name whose name server says nothing', () => {
  it('keeps no thread from anything else, and fails within 4 s', async () => {
    const server = await nameServer(() => undefined);
    const { ask } = lookupOf([], { dns: dnsResolve([server]) });
    const started = performance.now();
    const dead = Promise.all(Array.from({ length: 12 }, (_, at) => ask(`dead-${at}.example.com`)));
    await Promise.all(Array.from({ length: 8 }, () => systemLookup('localhost')));
    expect(performance.now() - started).toBeLessThan(1000);
    expect(new Set(await dead)).toEqual(new Set(['ETIMEOUT']));
    expect(performance.now() - started).toBeLessThan(4000);
  });

  it('does not delay another name', async () => {
    const server = await nameServer((question) =>
      question.includes('dead') ? undefined : addressFor(question),
    );
    const { ask } = lookupOf([], { dns: dnsResolve([server]) });
    const started = performance.now();
    void ask('dead-1.example.com');
    void ask('dead-2.example.com');
    expect(await ask('service.example.com')).toEqual([PUBLIC]);
    expect(performance.now() - started).toBeLessThan(600);
  });
});

describe('an answer of the name server', () => {
  const refused = async (): Promise<never> => {
    throw Object.assign(new Error('no'), { code: 'ETIMEOUT' });
  };

  it('is used for 10 s', async () => {
    const { ask, asked, clock } = lookupOf([], { dns: async () => [PUBLIC] });
    await ask('service.example.com');
    clock.advance(9999);
    await ask('service.example.com');
    expect(asked.dns).toHaveLength(1);
    clock.advance(1);
    await ask('service.example.com');
    expect(asked.dns).toHaveLength(2);
  });

  it('is used for 15 s where it was a failure', async () => {
    const { ask, asked, clock } = lookupOf([], { dns: refused });
    expect(await ask('service.example.com')).toBe('ETIMEOUT');
    clock.advance(14_999);
    expect(await ask('service.example.com')).toBe('ETIMEOUT');
    expect(asked.dns).toHaveLength(1);
    clock.advance(1);
    await ask('service.example.com');
    expect(asked.dns).toHaveLength(2);
  });
});

describe('the system’s own names', () => {
  it('are asked for where the name server knows nothing of a host that is allowed', async () => {
    const { ask, asked } = lookupOf(['hooks.internal'], { system: async () => [PRIVATE] });
    expect(await ask('hooks.internal')).toEqual([PRIVATE]);
    expect(asked).toEqual({ dns: ['hooks.internal'], system: ['hooks.internal'] });
  });

  it('are asked for no other host, and for none that the name server knows', async () => {
    const { ask, asked } = lookupOf(['hooks.internal', '10.0.0.0/8'], {
      dns: async (host) => (host === 'hooks.internal' ? [PRIVATE] : []),
      system: async () => [PRIVATE],
    });
    expect(await ask('hooks.internal')).toEqual([PRIVATE]);
    expect(await ask('service.example.com')).toBe('ENOTFOUND');
    expect(asked.system).toEqual([]);
  });

  it('are asked for one at a time', async () => {
    let open = 0;
    let most = 0;
    const hosts = Array.from({ length: 5 }, (_, at) => `host-${at}`);
    const { ask } = lookupOf(hosts, {
      system: async () => {
        most = Math.max(most, (open += 1));
        await new Promise((resolve) => setImmediate(resolve));
        open -= 1;
        return [PRIVATE];
      },
    });
    const found = await Promise.all(hosts.map(ask));
    expect(found).toEqual(hosts.map(() => [PRIVATE]));
    expect(most).toBe(1);
  });

  it('have this machine’s, without a question', async () => {
    const { ask, asked } = lookupOf(['127.0.0.0/8'], {});
    const loopback = [{ address: '127.0.0.1', family: 4 }];
    expect(await ask('localhost')).toEqual(loopback);
    expect(await ask('hub.localhost')).toEqual(loopback);
    expect(asked).toEqual({ dns: [], system: [] });
  });
});
