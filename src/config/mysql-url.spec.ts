import { describe, expect, it } from 'vitest';
import { MysqlUrlError, parseMysqlUrl, type MysqlTls } from './mysql-url.js';

const SERVER = 'mysql://hub:fake-password@db.example/hub';
const PARTS = {
  hosts: [{ host: 'db.example', port: 3306 }],
  user: 'hub',
  password: 'fake-password',
  database: 'hub',
};

function messageOf(url: string): string {
  try {
    parseMysqlUrl(url);
  } catch (error) {
    if (error instanceof MysqlUrlError) return error.message;
    throw error;
  }
  throw new Error(`${url} was accepted`);
}

describe('a MySQL URL', () => {
  it.each([
    [SERVER, {}],
    [
      'MYSQL://hub:fake-password@db.example:3307/hub',
      { hosts: [{ host: 'db.example', port: 3307 }] },
    ],
    [
      'mysql://hub:fake-password@[2001:db8::7]/hub',
      { hosts: [{ host: '2001:db8::7', port: 3306 }] },
    ],
    ['mysql://hub:fake-password@[::1]:3307/hub', { hosts: [{ host: '::1', port: 3307 }] }],
    [
      'mysql://hub:fake-password@one,two.example:3307,[::1],[::2]:3308/hub',
      {
        hosts: [
          { host: 'one', port: 3306 },
          { host: 'two.example', port: 3307 },
          { host: '::1', port: 3306 },
          { host: '::2', port: 3308 },
        ],
      },
    ],
    [
      'mysql://h%2Cb:p%2Cs@one,two/hub',
      {
        user: 'h,b',
        password: 'p,s',
        hosts: [
          { host: 'one', port: 3306 },
          { host: 'two', port: 3306 },
        ],
      },
    ],
    ['mysql://hub:p,s@db.example/hub', { password: 'p,s' }],
    ['mysql://hub:p%40s%2Fs%3Fw%23%25@db.example/hub', { password: 'p@s/s?w#%' }],
    ['mysql://hub:%E5%AF%86@db.example/hub', { password: '密' }],
    ['mysql://h%40b:fake-password@db.example/h%C3%BCb', { user: 'h@b', database: 'hüb' }],
    ['mysql://hub@db.example/hub', { password: '' }],
    ['mysql://hub:a+b@db.example/hub', { password: 'a+b' }],
  ])('%s is read part by part', (url, parts) => {
    expect(parseMysqlUrl(url)).toEqual({ ...PARTS, ...parts });
  });

  it.each<[string, MysqlTls | undefined]>([
    ['tls=true', { verify: 'name' }],
    ['tls=1', { verify: 'name' }],
    ['ssl=true', { verify: 'name' }],
    ['ssl={"rejectUnauthorized":true}', { verify: 'name' }],
    ['ssl=%7B%22rejectUnauthorized%22%3A%20false%7D', { verify: 'nothing' }],
    ['useSSL=true&requireSSL=true', { verify: 'name' }],
    ['sslmode=require', { verify: 'name' }],
    ['ssl-mode=REQUIRED', { verify: 'name' }],
    ['sslmode=verify-ca', { verify: 'chain' }],
    ['ssl-mode=VERIFY_CA', { verify: 'chain' }],
    ['sslmode=verify-full', { verify: 'name' }],
    ['ssl-mode=VERIFY_IDENTITY', { verify: 'name' }],
    ['sslaccept=strict', { verify: 'name' }],
    ['tls=skip-verify', { verify: 'nothing' }],
    ['tls=true&tls-verify=false', { verify: 'nothing' }],
    ['tls-verify=true', { verify: 'name' }],
    ['tls-ca=/etc/a+b.pem', { verify: 'name', ca: '/etc/a+b.pem' }],
    ['ssl-ca=ca.pem&sslmode=verify-ca', { verify: 'chain', ca: 'ca.pem' }],
    ['sslrootcert=ca.pem', { verify: 'name', ca: 'ca.pem' }],
    ['tls-cert=c.pem&tls-key=k.pem', { verify: 'name', cert: 'c.pem', key: 'k.pem' }],
    ['tls-server-name=db.internal', { verify: 'name', serverName: 'db.internal' }],
    ['tls=false', undefined],
    ['ssl=0', undefined],
    ['sslmode=disable', undefined],
    ['ssl-mode=DISABLED', undefined],
  ])('with ?%s has this TLS: %o', (parameters, tls) => {
    expect(parseMysqlUrl(`${SERVER}?${parameters}`).tls).toEqual(tls);
  });

  it.each([
    ['charset=latin1', 'the parameter charset, which is not known'],
    ['sslcrl=x', 'the parameter sslcrl, which is not known'],
    ['__proto__=true', '(no name)'],
    ['constructor=true', 'the parameter constructor, which is not known'],
    ['tls=constructor', 'a value of tls that may mean plaintext'],
    ['fake password=1', '(no name)'],
    ['sslmode=prefer', 'a value of sslmode that may mean plaintext'],
    ['sslmode=allow', 'a value of sslmode that may mean plaintext'],
    ['ssl-mode=PREFERRED', 'a value of ssl-mode that may mean plaintext'],
    ['tls=preferred', 'a value of tls'],
    ['ssl=Amazon%20RDS', 'a value of ssl'],
    ['ssl={"rejectUnauthorized":true,"ca":"x"}', 'a value of ssl'],
    ['tls', 'a value of tls'],
    ['tls=', 'a value of tls'],
    ['tls-ca=', 'a value of tls-ca'],
    ['tls=true&ssl=false', 'two different things about TLS; one is ssl'],
    ['tls=false&tls-ca=ca.pem', 'two different things about TLS'],
    ['tls-ca=a.pem&ssl-ca=b.pem', 'two different things about TLS'],
    ['sslmode=verify-full&tls-verify=false', 'two different things about TLS'],
    ['tls-cert=c.pem', 'needs tls-cert and tls-key together'],
    ['tls-key=k.pem', 'needs tls-cert and tls-key together'],
  ])('with ?%s is refused: it has %s', (parameters, message) => {
    expect(messageOf(`${SERVER}?${parameters}`)).toContain(message);
  });

  it.each([
    'mysqls://hub:fake-password@db.example/hub',
    'mysql:hub:fake-password@db.example/hub',
    'mysql://hub:fake-password@/hub',
    'mysql://hub:fake-password@db.example',
    'mysql://hub:fake-password@db.example/?tls=true',
    'mysql://hub:fake-password@db.example/hub/more',
    'mysql://hub:fake-password@db.example/hub#more',
    'mysql://hub:fake-password@one.example,/hub',
    'mysql://hub:fake-password@,two.example/hub',
    'mysql://hub:fake-password@one.example,,two.example/hub',
    'mysql://hub:fake-password@one.example:1,two.example:70000/hub',
    'mysql://hub:fake-password@one.example,two.example:0/hub',
    'mysql://hub:fake-password@one.example, two.example/hub',
    'mysql://hub:fake-password@::1,::2/hub',
    'mysql://hub:fake-password@one.example,ONE.example:3306/hub',
    'mysql://hub:fake-password@db.example:0/hub',
    'mysql://hub:fake-password@db.example:70000/hub',
    'mysql://hub:fake#password@db.example/hub',
    'mysql://hub:fake?password@db.example/hub',
    'mysql://hub:fake/password@db.example/hub',
    'mysql://hub:12/fake-password@db.example/hub',
    'mysql://hub:12/fake?password@db.example/hub',
    'mysql://hub:fake-password%@db.example/hub',
    'mysql://hub:fake-password%FF@db.example/hub',
  ])('%s is refused without a word of its password', (url) => {
    expect(messageOf(url)).not.toContain('fake');
  });
});
