import { fork } from 'node:child_process';
import { projectFile } from './settings.mjs';

/** The load generator's process, from the side that gives the orders. */
export class LoadClient {
  #child = fork(projectFile('bench/load.mjs'));
  #waiting = new Map();
  #lastId = 0;

  constructor() {
    this.#child.on('message', ({ id, result, error }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(`The load generator failed: ${error}`));
    });
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('No load generator'));
    });
  }

  /** Makes the pushes of the next measurements; each of these sends them from the first on. */
  preparePushes(count) {
    return this.#order({ pool: count });
  }

  /** One measurement; see `load.mjs`. */
  run(order) {
    return this.#order(order);
  }

  stop() {
    if (this.#child.connected) this.#child.disconnect();
  }

  #order(message) {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, ...message });
    });
  }
}
