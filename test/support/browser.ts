import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser } from 'playwright-core';

/** The browser of this machine, if it has one. */
function findChromium(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'];
  return ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

/**
 * `values` where there is a browser, for `describe.each`; nothing otherwise, with a line that says
 * so, or a failure where `REQUIRE_BROWSER=1`.
 */
export function withBrowser<T>(values: T[]): T[] {
  if (findChromium()) return values;
  const missing = 'no chromium on this machine';
  if (process.env.REQUIRE_BROWSER === '1') throw new Error(`REQUIRE_BROWSER=1, but ${missing}`);
  console.log(`Browser tests skipped: ${missing}`);
  return [];
}

/**
 * Starts a browser for which the named hosts are ports of this machine, and which reaches nothing
 * else but 127.0.0.1.
 * @param hosts Host names, each with the URL that stands behind `http://` and its name.
 */
export function startBrowser(hosts: Record<string, string>): Promise<Browser> {
  const rules = Object.entries(hosts).map(([name, url]) => `MAP ${name}:80 ${new URL(url).host}`);
  return chromium.launch({
    executablePath: findChromium() as string,
    // The sandbox does not start as root.
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      '--disable-gpu',
      '--no-proxy-server',
      `--host-resolver-rules=${[...rules, 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1'].join(',')}`,
    ],
  });
}

/** A web server of somebody else's, on a free port. */
export interface TestSite {
  url: string;
  close(): Promise<void>;
}

export async function startSite(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<TestSite> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
