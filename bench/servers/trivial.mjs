/**
 * Ceiling of the load generator: answers every request with the same bytes and looks at nothing.
 * Each connection has one request under way, and that comes in one piece.
 */
import { createServer } from 'node:net';

const BODY = 'success';
const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
);

createServer({ noDelay: true }, (socket) => {
  socket.on('data', () => socket.write(ANSWER));
  socket.on('error', () => socket.destroy());
}).listen(Number(process.env.PORT), '127.0.0.1');
