import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { createTestDatabase, type TestDatabase } from '../support/databases.js';
import { ADMIN_TOKEN, COMPONENT, hubEnvironment } from '../support/fake-settings.js';
import { HubProcess } from '../support/hub-process.js';

const MIB = 1024 * 1024;
const SIZE = 60 * MIB;
const ROUNDS = 3;
/** Of the calls that the large ones are compared with. */
const SMALL_SIZE = MIB;
const TRICKS = 1000;

/** Largest resident memory of a process so far, in bytes. */
function peakOf(pid: number): number {
  const [, kib = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('calls by the proxy of a hub as a process', () => {
  let database: TestDatabase;
  let simulator: WechatSimulator;
  let host: HubProcess;
  let account: string;
  beforeAll(async () => {
    database = await createTestDatabase('sqlite');
    simulator = await WechatSimulator.start({ components: [COMPONENT] });
    host = await HubProcess.start(
      hubEnvironment({
        DATABASE_URL: database.url,
        WECHAT_API_BASE_URL: simulator.url,
        HOST: '127.0.0.1',
        PORT: '0',
      }),
    );
    const pushUrl = `${host.hub.url}/callback/${COMPONENT.appid}/events`;
    simulator.updateComponent(COMPONENT.appid, { pushUrl });
    await simulator.pushTicket(COMPONENT.appid);
    [account = ''] = simulator.accounts.add({ count: 1, prefix: 'wxproxy' });
    await simulator.accounts.authorize(COMPONENT.appid, account, { push: true });
    await eventually('the account’s token', async () => {
      const { status } = await host.hub.get(`/api/authorizers/${account}/access-token`);
      return status === 200 || undefined;
    });
  });
  afterAll(async () => {
    await host?.stop();
    await simulator?.stop();
    await database?.drop();
  });

  const url = (path: string): string => `${host.hub.url}/proxy/authorizers/${account}${path}`;
  const authorization = `Bearer ${ADMIN_TOKEN}`;

  it('of 60 MB each way are never held, not even by half', async () => {
    const move = async (file: Buffer<ArrayBuffer>): Promise<void> => {
      const body = new FormData();
      body.set('media', new Blob([file], { type: 'video/mp4' }), 'a.mp4');
      const upload = await fetch(url('/cgi-bin/media/upload?type=video'), {
        method: 'POST',
        headers: { authorization },
        body,
      });
      const { media_id: id } = (await upload.json()) as { media_id: string };
      const download = await fetch(url(`/cgi-bin/media/get?media_id=${id}`), {
        headers: { authorization },
      });
      expect(sha256(Buffer.from(await download.arrayBuffer()))).toBe(sha256(file));
    };
    // As many bytes in small files first: some 25 MiB of chunks wait for V8 to collect them,
    // however large the files are that they are of.
    const small = randomBytes(SMALL_SIZE);
    for (let moved = 0; moved < ROUNDS * SIZE; moved += SMALL_SIZE) await move(small);
    const { pid = 0 } = host.child;
    const before = peakOf(pid);
    const large = randomBytes(SIZE);
    for (let round = 0; round < ROUNDS; round += 1) await move(large);
    const grown = (peakOf(pid) - before) / MIB;
    console.log(
      `60 MB up and down, ${ROUNDS} times: the hub's peak grew by ${grown.toFixed(1)} MiB`,
    );
    expect(grown).toBeLessThan(SIZE / MIB / 2);
  });

  it('reach WeChat alone, whatever tricks are in the path and the headers', async () => {
    const pick = <T>(list: T[]): T => list[Math.floor(Math.random() * list.length)] as T;
    const pieces = [
      '..',
      '%2e%2e',
      '.',
      '//',
      '/',
      '\\',
      '%5c',
      '@evil.example.com',
      ':8080',
      '%00',
      '%0d%0a',
      '%0aHost:%20evil',
      'http://evil.example.com',
      'cgi-bin',
      'media',
      'get',
      ';x=1',
      '?',
      '#',
      '%',
      '%u002e',
      'ａ',
      '*',
      '[::1]',
      '127.0.0.1',
      '?access_token=x',
      '&component_access_token=y',
      '%3Faccess_token=z',
      '\t',
      '\u007f',
      '%c0%ae',
      '?a[access_token]=1',
      'access_token%00=1',
    ];
    const headers = [
      'X-Forwarded-Host: evil.example.com',
      'X-Original-URL: /admin',
      'X-HTTP-Method-Override: DELETE',
      'Forwarded: host=evil.example.com',
      'Transfer-Encoding : chunked',
      'Connection: x-hub-attempts',
      'Upgrade: h2c',
      'TE: trailers',
      'Proxy-Authorization: Basic eDp5',
      'Expect: 200-ok',
      'Content-Length: 5',
      'Accept-Encoding: gzip',
      'Range: bytes=0-',
      'X-Rewrite-Url: //evil.example.com',
      'Host: evil.example.com',
      'Trailer: authorization',
      'Wechatmp-Appid: x',
    ];
    const { hostname, port } = new URL(host.hub.url);
    const send = (text: string): Promise<string> =>
      new Promise((resolve) => {
        let answer = '';
        const socket = connect(Number(port), hostname, () => socket.end(text, 'latin1'));
        socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
        socket.on('error', () => resolve(answer));
        socket.on('close', () => resolve(answer));
      });
    const token = (await host.hub.get(`/api/authorizers/${account}/access-token`)).json
      .authorizer_access_token as string;
    simulator.clearCalls();
    const statuses = new Map<string, number>();
    for (let done = 0; done < TRICKS; done += 20) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => {
          const path = Array.from({ length: 1 + Math.floor(Math.random() * 5) }, () =>
            pick(pieces),
          );
          const target = `/proxy/${pick(['authorizers', 'components'])}/${account}/${path.join(pick(['', '/']))}`;
          const lines = [
            `${pick(['GET', 'POST', 'PUT'])} ${target} HTTP/1.1`,
            'Host: hub.example.com',
            `Authorization: ${authorization}`,
            'Connection: close',
            ...Array.from({ length: Math.floor(Math.random() * 4) }, () => pick(headers)),
          ];
          return send(`${lines.join('\r\n')}\r\n\r\n`);
        }),
      );
      for (const answer of answers) {
        const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 'none';
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        expect(answer).not.toContain(token);
        expect(answer).not.toMatch(/evil\.example\.com\/?cgi-bin|location:/i);
      }
    }
    console.log(
      `Tricks: ${[...statuses].map(([status, count]) => `${count} × ${status}`).join(', ')}`,
    );
    expect([...statuses.keys()].filter((status) => status.startsWith('5'))).toEqual([]);
    // What got through was a plain path of WeChat's, and nothing that the tricks had named.
    const paths = Object.keys(simulator.callSummary().paths);
    expect(paths.filter((path) => !/^\/[\w-]+(?:\/[\w-]+)*$/.test(path))).toEqual([]);
  });
});
