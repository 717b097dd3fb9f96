import { describe, expect, it } from 'vitest';
import { NoProxy } from './no-proxy.js';

const covers = (list: string, url: string): boolean => new NoProxy(list).covers(new URL(url));

describe('NO_PROXY', () => {
  it.each([
    ['*', 'https://api.weixin.qq.com'],
    ['localhost, *', 'https://api.weixin.qq.com'],
    ['api.weixin.qq.com', 'https://api.weixin.qq.com/cgi-bin'],
    ['weixin.qq.com', 'https://api.weixin.qq.com'],
    ['.weixin.qq.com', 'https://api.weixin.qq.com'],
    ['.weixin.qq.com', 'https://weixin.qq.com'],
    ['*.weixin.qq.com', 'https://api.weixin.qq.com'],
    ['QQ.com', 'https://API.weixin.qq.COM.'],
    ['qq.com.', 'https://api.weixin.qq.com'],
    ['localhost,qq.com', 'https://api.weixin.qq.com'],
    ['localhost qq.com', 'https://api.weixin.qq.com'],
    [' ,, qq.com ,', 'https://api.weixin.qq.com'],
    ['qq.com:443', 'https://api.weixin.qq.com'],
    ['qq.com:8443', 'https://api.weixin.qq.com:8443'],
    ['qq.com:80', 'http://api.weixin.qq.com'],
    ['127.0.0.1', 'http://127.0.0.1:3100'],
    ['127.0.0.1:3100', 'http://127.0.0.1:3100'],
    ['127.0.0.0/8', 'http://127.1.2.3'],
    ['127.0.0.1', 'http://0x7f.1'],
    ['127.0.0.1', 'http://[::ffff:127.0.0.1]'],
    ['10.0.0.0/8,192.168.0.0/16', 'http://192.168.7.7'],
    ['::1', 'http://[::1]:3100'],
    ['[::1]', 'http://[::1]'],
    ['[::1]:3100', 'http://[::1]:3100'],
    ['2001:db8::/32', 'https://[2001:db8:1::7]'],
    ['[2001:db8::]/32', 'https://[2001:db8:1::7]'],
    ['bücher.example', 'https://xn--bcher-kva.example'],
  ])('%j covers %s', (list, url) => {
    expect(covers(list, url)).toBe(true);
  });

  it.each([
    ['', 'https://api.weixin.qq.com'],
    [' , ', 'https://api.weixin.qq.com'],
    ['weixin.qq.com', 'https://notweixin.qq.com'],
    ['api.weixin.qq.com', 'https://qq.com'],
    ['qq.com', 'https://qq.com.example'],
    ['.', 'https://api.weixin.qq.com'],
    ['qq.com:80', 'https://api.weixin.qq.com'],
    ['qq.com:443', 'https://api.weixin.qq.com:8443'],
    ['localhost', 'http://127.0.0.1'],
    ['127.0.0.1', 'http://localhost'],
    ['127.0.0.1', 'http://127.0.0.10'],
    ['10.0.0.0/8', 'http://11.0.0.1'],
    ['10.0.0.0/8', 'http://10.0.0.1.example'],
    ['10.0.0.0/99', 'http://10.0.0.1'],
    ['2001:db8::/32', 'https://[2001:db9::7]'],
    ['2001:db8::/32', 'http://32.1.13.184'],
    ['[::1]:3100', 'http://[::1]:3101'],
    ['qq.*', 'https://qq.com'],
  ])('%j does not cover %s', (list, url) => {
    expect(covers(list, url)).toBe(false);
  });
});
