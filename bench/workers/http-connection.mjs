import { once } from 'node:events';
import { connect } from 'node:net';

/**
 * A kept-alive HTTP/1.1 connection with one request under way at a time. It knows just enough of
 * the protocol to be much cheaper than the servers that it measures.
 */
export class HttpConnection {
  #socket;
  #received = '';
  #expected = -1;
  #bodyAt = 0;
  #chunked = false;
  /** Called with status and body of each answer. */
  onAnswer = () => {};
  /** Called when the connection ends without having been asked to. */
  onFailure = () => {};

  static async open(port) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new HttpConnection(socket);
  }

  constructor(socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text) => this.#receive(text));
    socket.on('error', (error) => this.onFailure(error));
    socket.on('close', () => this.onFailure(new Error('The server closed the connection')));
  }

  send(request) {
    this.#socket.write(request);
  }

  close() {
    this.onFailure = () => {};
    this.#socket.destroy();
  }

  #receive(text) {
    this.#received = this.#received === '' ? text : this.#received + text;
    if (this.#expected < 0 && !this.#readHead()) return;
    const received = this.#received;
    if (received.length < this.#expected) return;
    if (this.#chunked && !received.endsWith('\r\n0\r\n\r\n')) return;
    const body = received.slice(this.#bodyAt);
    this.#received = '';
    this.#expected = -1;
    this.onAnswer(Number(received.slice(9, 12)), this.#chunked ? unchunk(body) : body);
  }

  #readHead() {
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return false;
    this.#bodyAt = headEnd + 4;
    const length = /\r\ncontent-length: (\d+)/i.exec(this.#received.slice(0, this.#bodyAt));
    this.#chunked = length === null;
    this.#expected = this.#bodyAt + Number(length?.[1] ?? 0);
    return true;
  }
}

function unchunk(body) {
  let text = '';
  for (let rest = body; !rest.startsWith('0\r\n');) {
    const start = rest.indexOf('\r\n') + 2;
    const length = Number.parseInt(rest, 16);
    text += rest.slice(start, start + length);
    rest = rest.slice(start + length + 2);
  }
  return text;
}
