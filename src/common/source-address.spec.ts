import type { FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { createAdapter } from '../app.setup.js';
import { senderOf, tidyForwardedFor } from './source-address.js';

const PROXIES = ['10.0.0.0/8', '2001:db8:ff::/48'];

/** What Fastify, set up as the hub sets it up, takes for the address of a request. */
async function addressSeen(
  trusted: string[],
  peer: string,
  forwarded: string | undefined,
): Promise<string> {
  const fastify = createAdapter(trusted).getInstance() as unknown as FastifyInstance;
  fastify.addHook('onRequest', async (request) => tidyForwardedFor(request.raw.headers));
  fastify.get('/', (request) => request.ip);
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  const answer = await fastify.inject({ url: '/', remoteAddress: peer, headers });
  await fastify.close();
  return answer.body;
}

describe('the address of a request', () => {
  it('is that of its connection where no proxy is trusted', async () => {
    for (const peer of ['203.0.113.9', '10.0.0.1', '127.0.0.1']) {
      expect(await addressSeen([], peer, '192.0.2.1')).toBe(peer);
    }
  });

  it.each<[string, string, string | undefined, string]>([
    ['a client that forges the header', '203.0.113.9', '192.0.2.1', '203.0.113.9'],
    ['a client that names a proxy', '203.0.113.9', '10.0.0.1', '203.0.113.9'],
    ['a proxy without the header', '10.0.0.1', undefined, '10.0.0.1'],
    ['a proxy', '10.0.0.1', '192.0.2.1', '192.0.2.1'],
    ['a proxy that adds to a forgery', '10.0.0.1', '127.0.0.1, 8.8.8.8, 192.0.2.1', '192.0.2.1'],
    ['a proxy behind a proxy', '10.0.0.1', '8.8.8.8, 192.0.2.1, 10.9.9.9', '192.0.2.1'],
    ['proxies alone', '10.0.0.1', '10.1.1.1, 10.2.2.2', '10.1.1.1'],
    ['a proxy on a socket of both families', '::ffff:10.0.0.1', '192.0.2.1', '192.0.2.1'],
    ['a proxy by IPv6', '2001:db8:ff::1', '2001:db8::7', '2001:db8::7'],
    ['a neighbour of the proxies', '11.0.0.1', '192.0.2.1', '11.0.0.1'],
    ['a proxy that writes ports', '10.0.0.1', '192.0.2.1:4711', '192.0.2.1'],
    ['a proxy that writes brackets', '10.0.0.1', '[2001:db8::7]:4711', '2001:db8::7'],
    ['a zone', '10.0.0.1', 'fe80::1%eth0', 'fe80::1'],
    ['what is no address', '10.0.0.1', 'unknown', '10.0.0.1'],
    ['what is no address behind one', '10.0.0.1', '8.8.8.8, _hidden, 192.0.2.1', '192.0.2.1'],
    ['what is no address, nearest', '10.0.0.1', '192.0.2.1, <script>', '10.0.0.1'],
    ['what is no address, before a proxy', '10.0.0.1', '8.8.8.8, ?, 10.2.2.2', '10.2.2.2'],
    ['nothing', '10.0.0.1', ' , ,', '10.0.0.1'],
    ['a short form', '10.0.0.1', '127.1', '10.0.0.1'],
    ['a number', '10.0.0.1', '3221225985', '10.0.0.1'],
  ])('is that of whom nobody trusted speaks for: %s', async (_, peer, forwarded, expected) => {
    expect(await addressSeen(PROXIES, peer, forwarded)).toBe(expected);
  });
});

describe('a sender', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['::1', '::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['', 'unknown'],
    [undefined, 'unknown'],
    ['x'.repeat(100), 'unknown'],
  ])('with the address %s is counted as %s', (address, sender) => {
    expect(senderOf(address)).toBe(sender);
  });
});
