import { describe, expect, it } from 'vitest';
import {
  AllowedTargets,
  isAddressPermitted,
  parseTarget,
  TargetRefusedError,
} from './target-address.js';

const NONE = new AllowedTargets([]);

/** Addresses that must not be reached, however they are written in a URL. */
const PRIVATE_URLS = [
  'http://127.0.0.1/',
  'http://127.1/',
  'http://0177.0.0.1/',
  'http://0x7f.0.0.1/',
  'http://0x7f000001/',
  'http://2130706433/',
  'http://017700000001/',
  'http://１２７.0.0.1/',
  'http://127.0.0.1./',
  'http://0.0.0.0/',
  'http://0/',
  'http://10.0.0.1/',
  'http://10.255.255.255:8080/x',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.1.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://2852039166/',
  'http://100.64.0.1/',
  'http://168.63.129.16/metadata',
  'http://[::ffff:168.63.129.16]/',
  'http://192.0.0.1/',
  'http://192.0.2.1/',
  'http://198.18.0.1/',
  'http://198.51.100.1/',
  'http://203.0.113.1/',
  'http://224.0.0.1/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  'http://[::]/',
  'http://[::1]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[0:0:0:0:0:ffff:10.0.0.1]/',
  'http://[::127.0.0.1]/',
  'http://[::ffff:0:127.0.0.1]/',
  'http://[64:ff9b::127.0.0.1]/',
  'http://[64:ff9b::8.8.8.8]/',
  'http://[64:ff9b:1::1]/',
  'http://[2002:7f00:1::]/',
  'http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/',
  'http://[2001:db8::1]/',
  'http://[100::1]/',
  'http://[fe80::1]/',
  'http://[febf::1]/',
  'http://[fc00::1]/',
  'http://[fd12:3456:789a::1]/',
  'http://[fec0::1]/',
  'http://[ff02::1]/',
  'http://[4000::1]/',
];

describe('the URL of a target', () => {
  it.each(PRIVATE_URLS)('is refused with a private address: %s', (url) => {
    expect(() => parseTarget(url, NONE)).toThrow(TargetRefusedError);
    expect(() => parseTarget(url, NONE)).toThrow('private address');
  });

  it.each([
    'https://service.example.com/hook?x=1#y',
    'http://service.example.com:8080/',
    'http://8.8.8.8/',
    'https://[2606:4700:4700::1111]/',
    'http://172.32.0.1/',
    'http://localhost/',
  ])('is taken where nothing is against it yet: %s', (url) => {
    expect(parseTarget(url, NONE).href).toContain(new URL(url).host);
  });

  it.each([
    ['ftp://service.example.com/', 'http or https'],
    ['file:///etc/passwd', 'http or https'],
    ['javascript:alert(1)', 'http or https'],
    ['https://user:password@service.example.com/', 'user or a password'],
    ['https://user@service.example.com/', 'user or a password'],
    ['service.example.com', 'malformed'],
    ['http://', 'malformed'],
    ['http://256.256.256.256/', 'malformed'],
    ['http://[::1', 'malformed'],
    [`https://service.example.com/${'x'.repeat(2048)}`, '2048'],
    ['', 'malformed'],
  ])('is refused where it is no target: %s', (url, why) => {
    expect(() => parseTarget(url, NONE)).toThrow(TargetRefusedError);
    expect(() => parseTarget(url, NONE)).toThrow(why);
  });
});

describe('an address that a resolver gives', () => {
  it.each(['127.0.0.1', '::1', '::ffff:10.0.0.1', 'fe80::1%eth0', '169.254.169.254', '', 'a name'])(
    'is refused: %s',
    (address) => {
      expect(isAddressPermitted(address, NONE)).toBe(false);
    },
  );

  it.each(['8.8.8.8', '1.1.1.1', '::ffff:8.8.8.8', '2606:4700:4700::1111'])(
    'is permitted: %s',
    (address) => {
      expect(isAddressPermitted(address, NONE)).toBe(true);
    },
  );
});

describe('DELIVERY_ALLOWED_TARGETS', () => {
  const allowed = new AllowedTargets(['hooks.internal', '10.1.0.0/16', '127.0.0.1', 'fd00::/8']);

  it.each([
    ['10.1.2.3', true],
    ['::ffff:10.1.2.3', true],
    ['10.2.0.1', false],
    ['127.0.0.1', true],
    ['127.0.0.2', false],
    ['fd12::1', true],
    ['fc00::1', false],
    ['::1', false],
  ])('decides of %s: %s', (address, permitted) => {
    expect(isAddressPermitted(address, allowed)).toBe(permitted);
  });

  it('permits the host of a cloud only where it is listed', () => {
    const azure = '168.63.129.16';
    expect(isAddressPermitted(azure, new AllowedTargets([azure]))).toBe(true);
    expect(isAddressPermitted(azure, allowed)).toBe(false);
    expect(isAddressPermitted('168.63.129.17', allowed)).toBe(true);
  });

  it('knows its hosts by name', () => {
    expect(allowed.hasHost('hooks.internal')).toBe(true);
    expect(allowed.hasHost('evil.hooks.internal')).toBe(false);
  });

  it('permits an address whatever its spelling in the URL', () => {
    expect(parseTarget('http://2130706433/', allowed).hostname).toBe('127.0.0.1');
    expect(() => parseTarget('http://127.0.0.2/', allowed)).toThrow(TargetRefusedError);
  });
});
