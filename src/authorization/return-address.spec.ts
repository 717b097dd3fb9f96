import { describe, expect, it } from 'vitest';
import { returnAddress } from './return-address.js';

const ORIGINS = [
  'https://app.example.com',
  'http://localhost:8080',
  'https://xn--fiq228c.example.com',
  'https://[2001:db8::1]:8443',
];

describe('the address that a browser may be sent to', () => {
  it.each([
    ['https://app.example.com', 'https://app.example.com/'],
    ['https://app.example.com/done?a=1&b=%26#/x', 'https://app.example.com/done?a=1&b=%26#/x'],
    ['https://app.example.com?x=@', 'https://app.example.com/?x=@'],
    ['https://app.example.com/@user', 'https://app.example.com/@user'],
    ['https://app.example.com#x', 'https://app.example.com/#x'],
    ['https://app.example.com:443/', 'https://app.example.com/'],
    ['https://app.example.com:/', 'https://app.example.com/'],
    ['HTTPS://APP.EXAMPLE.COM/Done', 'https://app.example.com/Done'],
    ['https://app.example.com/../a/./b', 'https://app.example.com/a/b'],
    ['https://app.example.com/完成', 'https://app.example.com/%E5%AE%8C%E6%88%90'],
    ['https://app。example。com/', 'https://app.example.com/'],
    ['https://中文.example.com/', 'https://xn--fiq228c.example.com/'],
    ['https://xn--fiq228c.example.com/', 'https://xn--fiq228c.example.com/'],
    ['http://localhost:8080/x', 'http://localhost:8080/x'],
    ['https://[2001:DB8:0::1]:8443/', 'https://[2001:db8::1]:8443/'],
  ])('may be %s', (text, sent) => {
    expect(returnAddress(text, ORIGINS)).toBe(sent);
  });

  it.each([
    'blob:https://app.example.com/0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a',
    'BLOB:https://app.example.com/x',
    'filesystem:https://app.example.com/temporary/x',
    'view-source:https://app.example.com/',
    'data:text/html,<script>alert(1)</script>',
    'javascript:alert(1)',
    'javascript://app.example.com/%0aalert(1)',
    'ftp://app.example.com/',
    'file:///etc/passwd',
    'ws://app.example.com/',
    'about:blank',
    'https://app.example.com@evil.example/',
    'https://user@app.example.com/',
    'https://user:password@app.example.com/',
    'https://@app.example.com/',
    'https://:@app.example.com/',
    'https://evil.example\\@app.example.com/',
    'https://app.example.com\\@evil.example/',
    'https:\\\\app.example.com/',
    'https:/\\app.example.com/',
    'https://app.example.com/\\..',
    'https:app.example.com/',
    'https:/app.example.com/',
    'https:///app.example.com/',
    'https:////app.example.com/',
    '//app.example.com/',
    '/done',
    'app.example.com',
    ' https://app.example.com/',
    'https://app.example.com/ ',
    'https://app.example.com/\u00a0',
    'https://app.exa\tmple.com/',
    'ht\ntps://app.example.com/',
    'https://app.example.com/\r\nset-cookie: a=b',
    'https://app.example.com/\u0000',
    'https://app\u00ad.example.com/',
    'https://app\u200b.example.com/',
    'https://app.example.com/\u202e',
    '\ufeffhttps://app.example.com/',
    'https://app.example.com.evil.example/',
    'https://app.example.com./',
    'https://evil.example/#https://app.example.com/',
    'https://evil.example/?https://app.example.com/',
    'https://xapp.example.com/',
    'https://аpp.example.com/',
    'https://app.example.com:8443/',
    'https://app.example.com:80/',
    'https://app.example.com:443:443/',
    'https://app.example.com%2f@evil.example/',
    'https://app.example.com%00.evil.example/',
    'http://app.example.com/',
    'http://localhost/',
    'http://127.0.0.1:8080/',
    'https://',
    '',
    'null',
  ])('is never %j', (text) => {
    expect(returnAddress(text, ORIGINS)).toBeUndefined();
    expect(returnAddress(text, [])).toBeUndefined();
  });
});
