/** Floor of the proxy: a bare `node:http` server that hands calls on to WeChat with a token. */
import { Agent, createServer, request as httpRequest } from 'node:http';
import { COMPONENT } from '../lib/settings.mjs';

const { PORT, TOKEN, WECHAT } = process.env;
const { hostname, port } = new URL(WECHAT);
const agent = new Agent({ keepAlive: true });
const prefix = `/proxy/components/${COMPONENT.appid}`;

createServer((incoming, outgoing) => {
  const path = `${incoming.url.slice(prefix.length)}?access_token=${TOKEN}`;
  const call = httpRequest({ hostname, port, path, method: incoming.method, agent }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  call.on('error', () => outgoing.destroy());
  incoming.pipe(call);
}).listen(Number(PORT), '127.0.0.1');
