import { fork } from 'node:child_process';
import { projectFile } from './settings.mjs';

/** A process of its own that takes orders: see {@link obey}. */
export class Worker {
  #waiting = new Map();
  #lastId = 0;

  /** @param file below `bench/workers` */
  constructor(file) {
    this.child = fork(projectFile(`bench/workers/${file}`));
    this.child.on('message', ({ id, result, error }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(`${file} failed: ${error}`));
    });
    this.child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${file} ended`));
    });
  }

  /** Resolves with what the process answers. */
  order(name, options = {}) {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.child.send({ id, name, options });
    });
  }

  /** The process ends by itself. */
  stop() {
    if (this.child.connected) this.child.disconnect();
  }
}

/** In the process: what each order does, by its name. It ends with the one who gives orders. */
export function obey(handlers) {
  process.on('message', async ({ id, name, options }) => {
    try {
      process.send({ id, result: (await handlers[name](options)) ?? null });
    } catch (error) {
      process.send({ id, error: error.stack });
    }
  });
  process.on('disconnect', () => process.exit(0));
}
