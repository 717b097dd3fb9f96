import { describe, expect, it } from 'vitest';
import { clientIpOf, ridOf } from './errmsg-facts.js';

describe("the address in WeChat's refusals", () => {
  it.each([
    [
      'invalid ip 192.0.2.7 ipv6 ::ffff:192.0.2.7, not in whitelist rid: 658cff8e-7783352d-44cb33e5',
      '192.0.2.7',
    ],
    [
      'invalid ip 192.0.2.7 ipv6 ::ffff:192.0.2.7, not in whitelist hint: [H.BDtZFFE-Q7bNKA]',
      '192.0.2.7',
    ],
    ['invalid ip 192.0.2.7, not in whitelist hint: [CznWNA09822974]', '192.0.2.7'],
    ['invalid ip 192.0.2.7 not in whitelist', '192.0.2.7'],
    ['Invalid IP: 192.0.2.7. Not in whitelist', '192.0.2.7'],
    ['invalid ip ::ffff:192.0.2.7, not in whitelist', '192.0.2.7'],
    ['invalid ip ::FFFF:C000:0207, not in whitelist', '192.0.2.7'],
    ['invalid ip  ipv6 2001:db8::7, not in whitelist', '2001:db8::7'],
    ['invalid ip 2001:db8::7 ipv6 2001:db8::7, not in whitelist', '2001:db8::7'],
    ['invalid ip unknown ipv6 ::ffff:192.0.2.7, not in whitelist', '192.0.2.7'],
    ['invalid ip [2001:0DB8:0:0::7]:443, not in whitelist', '2001:db8::7'],
    ['invalid ip 192.0.2.7:51344, not in whitelist', '192.0.2.7'],
    ['access clientip is not registered requestIP: 192.0.2.7 rid: 1', '192.0.2.7'],
    ['access clientip is not registered hint: [ZJ6NTA0211e578] requestIP: 192.0.2.7', '192.0.2.7'],
    ['access clientip is not registered requestIP:2001:db8::', '2001:db8::'],
    ['access clientip is not registered requestIP: ::ffff:192.0.2.7.', '192.0.2.7'],
    ['access clientip is not registered, not in ip-white-list requestip=192.0.2.7', '192.0.2.7'],
    ['not allow to access from your ip, hint: [1655], from ip: 192.0.2.7', '192.0.2.7'],
  ])('is found in %j', (errmsg, address) => {
    expect(clientIpOf(errmsg)).toBe(address);
  });

  it.each([
    'access clientip is not registered',
    'invalid ip not in whitelist',
    'invalid ip 1, not in whitelist',
    'invalid ip 999.0.2.7 ipv6 ::ffff:999.0.2.7, not in whitelist',
    'access clientip is not registered requestIP: unknown',
    'invalid appid 192.0.2.7',
    '',
  ])('is not invented from %j', (errmsg) => {
    expect(clientIpOf(errmsg)).toBeUndefined();
  });
});

describe('the id of the request', () => {
  it.each([
    ['invalid appsecret rid: 5fa26c60-1a0ebdd5-32fd1cd0', '5fa26c60-1a0ebdd5-32fd1cd0'],
    ['system error rid:5fa26c60-1a0ebdd5-32fd1cd0.', '5fa26c60-1a0ebdd5-32fd1cd0'],
    ['no id: grid: 5fa26c60-1a0ebdd5', undefined],
    ['a secret in its place rid: 0123456789abcdef0123456789abcdef', undefined],
  ])('of %j is %j', (errmsg, rid) => {
    expect(ridOf(errmsg)).toBe(rid);
  });
});
