import { request, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';

/** An answer to somebody at a certain address. */
export interface Visited {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Asks as a browser at that address of this machine (127.0.0.0/8) does. */
export function getFrom(
  localAddress: string,
  url: string,
  headers: Record<string, string> = {},
): Promise<Visited> {
  return new Promise((resolve, reject) => {
    request(url, { localAddress, headers, agent: false }, (response) => {
      const { statusCode: status = 0, headers: answered } = response;
      text(response).then((body) => resolve({ status, headers: answered, text: body }), reject);
    })
      .on('error', reject)
      .end();
  });
}
